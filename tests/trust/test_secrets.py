"""Tokens of a running fleet are in files that only their owner reads, and nowhere else."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mqtt_hub.archive.schema import open_read_only
from mqtt_hub.home import Home
from mqtt_hub.observer import Observer
from mqtt_hub.spawn import NodePlan
from tests.hub.harness import rows
from tests.node.fleet import SPECIALIZATION, Hub, RunningNode, all_processes, make_home, until

A, V = "AI_Node_1", "Validator_1"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(
        tmp_path / "home", [NodePlan(A, "trainer", SPECIALIZATION), NodePlan(V, "validator", SPECIALIZATION)]
    )


@pytest.fixture
def tokens(home: Home) -> dict[Path, bytes]:
    """Return every token of the fleet, by the file that it may be in."""
    files = [*home.tokens.iterdir(), *home.nodes.glob("*/token")]
    return {path: path.read_bytes().strip() for path in files}


@pytest.fixture
def fleet(home: Home) -> Iterator[None]:
    """Yield while a hub, a trainer and a validator work, once the validator has judged something."""
    with Hub(home) as hub, RunningNode(home, hub.port, V, role="validator"), RunningNode(home, hub.port, A):
        until(lambda: rows(home, "SELECT 1 FROM test_results"))
        yield


def of_processes(part: str) -> Iterator[tuple[str, bytes]]:
    """Yield what anybody on this machine (``cmdline``), or their owner (``environ``), sees of all processes."""
    for pid in all_processes():
        try:
            yield f"/proc/{pid}/{part}", Path(f"/proc/{pid}/{part}").read_bytes()
        except OSError:
            continue


@pytest.mark.long
@pytest.mark.usefixtures("fleet")
def test_no_token_is_in_any_file_but_its_own_nor_in_what_processes_show_nor_in_any_message(
    home: Home, tokens: dict[Path, bytes]
) -> None:
    assert len(tokens) == 4  # hub, observer, two nodes
    with Observer.of(home) as observer:
        status = repr(observer.hub_status()).encode()
    with closing(open_read_only(home.archive_path)) as db:
        archived = "\n".join(line for line in db.conn.iterdump()).encode()
    files = [path for path in home.path.rglob("*") if path.is_file()]
    places = [(str(path), path.read_bytes()) for path in files if path not in tokens]
    places += [("status", status), ("archive", archived), *of_processes("cmdline"), *of_processes("environ")]
    logs = [path.name for path in files if path.suffix == ".log"]
    assert {"hub.log", "node.log"} <= set(logs)
    for path, token in tokens.items():
        assert len(token) >= 43  # 256 bits
        for place, content in places:
            assert token not in content, f"the token in {path} is in {place} too"


@pytest.mark.long
@pytest.mark.usefixtures("fleet")
def test_what_holds_secrets_is_its_owners_alone(home: Home, tokens: dict[Path, bytes]) -> None:
    private = [*tokens, home.accounts_path, home.broker_path]
    private += [path for path in home.path.rglob("*") if path.name.startswith(("accounts.db", "broker.db"))]
    for path in private:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    for directory in (home.path, home.tokens, home.nodes, home.nodes / A, home.workloads):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700, directory
