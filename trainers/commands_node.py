"""``kernel-trainer run`` and ``kernel-trainer outbox``."""

from __future__ import annotations

import logging
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import orjson

from mqtt_hub.protocol.bodies import Capabilities
from mqtt_hub.protocol.errors import ConfigurationError, MqttHubError
from mqtt_hub.protocol.log import log_to
from mqtt_hub.protocol.tls import Tls
from mqtt_hub.protocol.topics import DEFAULT_PREFIX, NAME
from trainers.arenas.evaluators import Evaluators
from trainers.arenas.registry import kinds as known_kinds
from trainers.arenas.registry import kinds_of
from trainers.commands_llm import ModelSettings, advised, model_options, model_settings
from trainers.library import Library
from trainers.node import Node, NodeSettings
from trainers.node.log import NodeLogHandler
from trainers.outbox import summary
from trainers.stop import Stop
from trainers.studies import CLAIMS, TAKEN, TAKES, TrainerSettings
from trainers.trainer import NetworkedKernelTrainer
from trainers.validator import KernelValidator

if sys.platform != "win32":
    import fcntl

__all__ = ["outbox", "run"]


@click.command()
@click.option("--name", required=True, help="The account's name, e.g. AI_Node_1.")
@click.option(
    "--role",
    type=click.Choice(["trainer", "validator"]),
    default="trainer",
    show_default=True,
    help="As in its account.",
)
@click.option("--specialization", default="memory_management", show_default=True, help="What a trainer works at.")
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File with the token; otherwise KERNEL_TRAINER_TOKEN, otherwise you are asked.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The hub's broker.")
@click.option("--port", type=click.IntRange(1, 65535), default=1883, show_default=True, help="The broker's port.")
@click.option("--tls", is_flag=True, help="Speak TLS; the hub's certificate must be for --host.")
@click.option("--ca-file", type=click.Path(dir_okay=False, path_type=Path), help="The hub's authority, its tls/ca.pem.")
@click.option("--certificate", type=click.Path(dir_okay=False, path_type=Path), help="For hubs that ask for one.")
@click.option("--key", type=click.Path(dir_okay=False, path_type=Path), help="The key of --certificate.")
@click.option("--prefix", default=DEFAULT_PREFIX, show_default=True, help="First level of every topic.")
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Outbox, workloads, the search.  [default: ~/.kernel-trainer/NAME]",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same search.")
@click.option("--evaluations", type=click.IntRange(1), help="Stop after so many, restarts included.")
@click.option("--anew", is_flag=True, help="Forget the search that --home keeps; otherwise it goes on.")
@click.option(
    "--takes",
    metavar="A,B,…",
    help=f"What it takes from peers: {', '.join(sorted(TAKES))}, or nothing.  [default: all but claims]",
)
@model_options
@click.option("--log-file", type=click.Path(dir_okay=False, path_type=Path), help="Instead of standard error.")
@click.option("--stop-at-end-of-input", is_flag=True, help="Stop when standard input ends (for supervisors).")
def run(
    name: str,
    role: str,
    specialization: str,
    token_file: Path | None,
    host: str,
    port: int,
    tls: bool,  # noqa: FBT001 — click passes flags so
    ca_file: Path | None,
    certificate: Path | None,
    key: Path | None,
    prefix: str,
    home: Path | None,
    seed: int,
    evaluations: int | None,
    anew: bool,  # noqa: FBT001 — click passes flags so
    takes: str | None,
    log_file: Path | None,
    stop_at_end_of_input: bool,  # noqa: FBT001 — click passes flags so
    **model: Any,
) -> None:
    """Run a node until Ctrl-C: a trainer searches and shares, a validator judges.

    \b
    Example:
      mqtt-hub node add AI_Node_1 --role trainer --token-file token
      kernel-trainer run --name AI_Node_1 --token-file token
    """  # noqa: D301 — click's \b keeps the lines apart
    advice = model_settings(**model)
    settings = _settings(name, role, specialization, token_file, host, port, prefix, home)
    if tls or ca_file or certificate:
        settings = replace(settings, tls=Tls(ca_file, certificate, key))
    search = TrainerSettings(seed=seed, evaluations_max=evaluations, anew=anew, takes=_taken(takes))
    stop = Stop()
    stop.on_signals()
    if stop_at_end_of_input:
        stop.at_end_of_input()
    with _alone(settings.home):  # first of all: the log is that of the node that runs
        log_to(log_file)
        try:
            _work(settings, stop, search, advice)
        except MqttHubError as error:
            if log_file is not None:  # whoever reads the log later wants to know why it ends
                logging.getLogger(name).error("%s", error)
            raise


@click.command()
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), required=True, help="The node's home.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def outbox(home: Path, as_json: bool) -> None:  # noqa: FBT001 — click passes flags so
    """Show how much a node has sent, and what has no receipt yet.

    \b
    Example:
      kernel-trainer outbox --home ~/.kernel-trainer/AI_Node_1
    """  # noqa: D301 — click's \b keeps the lines apart
    counts = summary(home)
    if as_json:
        click.echo(orjson.dumps(counts))
    else:
        click.echo(f"sent {counts['sent']}, without a receipt {counts['pending']}, evaluations {counts['evaluations']}")
        if counts["set_aside"]:
            click.echo(f"! {counts['set_aside']} damaged outbox(es) set aside beside it: outbox.db.damaged-…")


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Hold the home for one running node: two on one outbox would send each other's messages."""
    descriptor = os.open(home / "node.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if sys.platform != "win32":
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ConfigurationError(
                    f"a node is already running on {home}", hint="stop it first, or use another --home"
                ) from None
        yield
    finally:
        os.close(descriptor)


def _work(settings: NodeSettings, stop: Stop, search: TrainerSettings, advice: ModelSettings | None) -> None:
    with Evaluators() as evaluators:
        library = Library(settings.home / "workloads")
        peers = settings.role == "trainer" and CLAIMS in search.takes
        settings = replace(settings, peers=peers, capabilities=_capabilities(evaluators.engine))
        node = Node(settings, have=library.have, partial=library.partial, stop=stop)
        handler = NodeLogHandler(node)
        node.log.addHandler(handler)
        try:
            if settings.role == "validator":
                KernelValidator(node, library, evaluators, stop).run()
            else:
                with advised(advice, node.log) as adviser:
                    more = {"consult": adviser.consult} if adviser else {}
                    NetworkedKernelTrainer(node, library, evaluators, stop, search, **more).run()
        finally:
            node.log.removeHandler(handler)
            node.stop()


def _settings(
    name: str,
    role: str,
    specialization: str,
    token_file: Path | None,
    host: str,
    port: int,
    prefix: str,
    home: Path | None,
) -> NodeSettings:
    for value, what in ((name, "node name"), (prefix, "prefix")):
        if NAME.fullmatch(value) is None:
            raise ConfigurationError(f"{value!r} is no {what}", hint="letters, digits, _ and -, at most 64")
    kinds = tuple(kind.name for kind in kinds_of(specialization))
    if not kinds:
        known = sorted({name for kind in known_kinds().values() for name in kind.specializations})
        raise ConfigurationError(f"nothing is known of {specialization}", hint=f"known: {', '.join(known)}")
    if role == "validator":  # judges whatever is submitted: there are few validators, and benches cost nothing unused
        kinds = tuple(known_kinds())
    home = (home or Path.home() / ".kernel-trainer" / name).expanduser().absolute()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{home}: {error.strerror}", hint="choose another with --home") from error
    return NodeSettings(name, role, specialization, kinds, _token(token_file), home, host, port, prefix)


def _taken(words: str | None) -> frozenset[str]:
    taken = TAKEN if words is None else frozenset(words.split(",")) - {"nothing", ""}
    if unknown := taken - TAKES:
        raise ConfigurationError(
            f"nobody can take {min(unknown)!r} from a peer", hint=f"known: {', '.join(sorted(TAKES))}, nothing"
        )
    return taken


def _token(path: Path | None) -> str:
    """Return the token: from a file, the environment or a prompt, never from the command line."""
    if path is None:
        return os.environ.get("KERNEL_TRAINER_TOKEN") or str(click.prompt("Token", hide_input=True))
    hint = "the file that `mqtt-hub node add --token-file` wrote"
    try:
        token = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}", hint=hint) from error
    if not token:
        raise ConfigurationError(f"{path}: no token in it", hint=hint)
    return token


def _capabilities(engine: str) -> Capabilities:
    try:
        memory_mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    except (AttributeError, ValueError):  # not there on every platform
        memory_mib = 0
    return Capabilities(
        cpus=os.cpu_count() or 0,
        memory_mib=memory_mib,
        architecture=platform.machine()[:64],
        python=platform.python_version(),
        engine=engine,
        version=version("mqtt-hub"),
    )
