"""Accounts: tokens shown once and stored hashed; the running hub's book notices every change."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_hub.accounts import AccountBook, Accounts
from mqtt_hub.protocol.errors import AccessDeniedError, ConfigurationError

NOW = "2026-01-31T12:00:00.000Z"
NOWHERE = Path("/proc/accounts.db")  # a directory in which nobody, root neither, can make a file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "accounts.db"


@pytest.fixture
def accounts(path: Path) -> Iterator[Accounts]:
    opened = Accounts(path, create=True)
    yield opened
    opened.close()


@pytest.fixture
def other(accounts: Accounts, path: Path) -> Iterator[Accounts]:
    """Yield the same accounts as another process has them: through a connection of its own."""
    del accounts
    opened = Accounts(path)
    yield opened
    opened.close()


def stored_bytes(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob("accounts.db*"))


def test_an_account_is_found_as_it_was_added(accounts: Accounts) -> None:
    accounts.add("b", "validator", "", NOW)
    accounts.add("a", "trainer", "memory_management", NOW)
    record = accounts.find("a")
    assert record is not None
    assert (record.role, record.specialization, record.created_at, record.revoked_at, record.generation) == (
        "trainer", "memory_management", NOW, None, 1,
    )  # fmt: skip
    assert [record.name for record in accounts.all()] == ["a", "b"]
    assert accounts.find("nobody") is None


@pytest.mark.parametrize(
    ("name", "role", "specialization", "facts"),
    [
        ("", "trainer", "", "is no node name"),
        ("a/b", "trainer", "", "is no node name"),
        ("a b", "trainer", "", "is no node name"),
        ("+", "trainer", "", "is no node name"),
        ("a\n", "trainer", "", "is no node name"),
        ("x" * 65, "trainer", "", "is no node name"),
        ("a", "trainer", "no spaces", "is no specialization"),
        ("a", "admin", "", "a cannot be a admin"),
        ("a", "hub", "", "a cannot be a hub"),
        ("hub", "trainer", "", "hub cannot be a trainer"),
    ],
)
def test_names_and_roles_outside_the_protocol_are_refused(
    accounts: Accounts, name: str, role: str, specialization: str, facts: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        accounts.add(name, role, specialization, NOW)
    assert facts in caught.value.facts
    assert caught.value.hint
    assert accounts.all() == []


def test_a_name_is_given_once(accounts: Accounts, other: Accounts) -> None:
    accounts.add("x" * 64, "trainer", "", NOW)
    for again in (accounts, other):
        with pytest.raises(ConfigurationError, match="already"):
            again.add("x" * 64, "trainer", "", NOW)


def test_tokens_are_long_different_and_nowhere_in_the_files(accounts: Accounts, path: Path) -> None:
    tokens = [accounts.add(name, "trainer", "", NOW) for name in "abc"] + [accounts.rotate("a")]
    assert len(set(tokens)) == 4
    stored = stored_bytes(path)
    assert b"argon2id" in stored
    for token in tokens:
        assert len(token) >= 43  # 256 bits
        assert token.encode() not in stored


def test_nobody_else_may_read_the_files(accounts: Accounts, path: Path) -> None:
    accounts.add("a", "trainer", "", NOW)
    files = list(path.parent.glob("accounts.db*"))
    assert len(files) == 3  # with SQLite's -wal and -shm
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


@pytest.mark.parametrize("change", ["rotate", "revoke"])
def test_what_is_not_there_cannot_be_changed(accounts: Accounts, change: str) -> None:
    with pytest.raises(ConfigurationError, match="there is no account nobody") as caught:
        accounts.rotate("nobody") if change == "rotate" else accounts.revoke("nobody", NOW)
    assert "node list" in caught.value.hint


def test_without_a_home_there_are_no_accounts(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no accounts") as caught:
        Accounts(path)
    assert "mqtt-hub init" in caught.value.hint
    assert not path.exists()


def test_a_file_that_cannot_be_opened_or_is_no_database_is_one_clear_error(path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"accounts\.db"):
        Accounts(NOWHERE, create=True)
    path.write_bytes(b"a diary, not a database. " * 400)
    with pytest.raises(ConfigurationError, match="not a database"):
        Accounts(path)


def test_accounts_that_another_program_holds_are_one_clear_error(accounts: Accounts, path: Path) -> None:
    accounts.add("a", "trainer", "", NOW)
    accounts._db.execute("PRAGMA busy_timeout = 10")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    for change in (
        lambda: accounts.add("b", "trainer", "", NOW),
        lambda: accounts.rotate("a"),
        lambda: accounts.revoke("a", NOW),
    ):
        with pytest.raises(ConfigurationError, match="locked"):
            change()
    holder.execute("ROLLBACK")
    holder.close()
    accounts.revoke("a", NOW)


# the book of the running hub


def test_the_right_token_opens_and_no_other_does(accounts: Accounts, other: Accounts) -> None:
    token = accounts.add("a", "trainer", "", NOW)
    foreign = accounts.add("b", "trainer", "", NOW)
    book = AccountBook(other)
    assert book.verify("a", token.encode()).role == "trainer"
    for wrong in (b"", b"wrong", foreign.encode(), token.encode() + b"\x00", token[:-1].encode(), b"\xff" * 9000):
        with pytest.raises(AccessDeniedError, match="unknown account, or wrong or revoked token"):
            book.verify("a", wrong)
    assert book.verify("a", token.encode()).name == "a"


def test_an_unknown_name_is_refused_like_a_wrong_token_and_costs_a_hash_as_well(
    accounts: Accounts, other: Accounts
) -> None:
    accounts.add("a", "trainer", "", NOW)
    book = AccountBook(other)
    for name in ("nobody", "", "a\x00", "x" * 70_000):
        with pytest.raises(AccessDeniedError) as caught:
            book.verify(name, b"token")
        assert "VerifyMismatchError" in repr(caught.value.__context__)  # argon2 was asked, not a shortcut taken


def test_the_book_notices_what_another_process_changes(accounts: Accounts, path: Path) -> None:
    token = accounts.add("a", "trainer", "", NOW)
    book = AccountBook(accounts)
    assert book.refresh() == []
    code = (
        "import sys; from pathlib import Path; from mqtt_hub.accounts import Accounts;"
        f"a = Accounts(Path(sys.argv[1])); a.add('b', 'validator', '', {NOW!r}); a.revoke('a', {NOW!r})"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=60)
    assert book.get("a") is not None
    assert book.refresh() == ["a"]
    assert book.refresh() == []
    assert book.get("a") is None
    record = book.get("b")
    assert record is not None
    assert record.role == "validator"
    with pytest.raises(AccessDeniedError):
        book.verify("a", token.encode())


def test_a_verified_token_does_not_survive_rotation_or_revocation(accounts: Accounts, other: Accounts) -> None:
    token = accounts.add("a", "trainer", "", NOW)
    book = AccountBook(other)
    book.verify("a", token.encode())
    second = accounts.rotate("a")
    assert book.refresh() == ["a"]
    with pytest.raises(AccessDeniedError):
        book.verify("a", token.encode())
    book.verify("a", second.encode())
    accounts.revoke("a", NOW)
    assert book.refresh() == ["a"]
    with pytest.raises(AccessDeniedError):
        book.verify("a", second.encode())
    third = accounts.rotate("a")
    assert book.refresh() == []  # nobody to shut out: it was out
    with pytest.raises(AccessDeniedError):
        book.verify("a", second.encode())
    assert book.verify("a", third.encode()).generation == 3


def test_a_rotation_while_a_token_is_verified_wins(accounts: Accounts, other: Accounts) -> None:
    """The old token's proof may be noted after the rotation: it is of another generation and opens nothing."""
    token = accounts.add("a", "trainer", "", NOW)
    book = AccountBook(other)
    book.verify("a", token.encode())
    noted = dict(book._verified)
    accounts.rotate("a")
    book.refresh()
    book._verified.update(noted)
    with pytest.raises(AccessDeniedError):
        book.verify("a", token.encode())


def test_a_new_account_is_nobody_to_shut_out(accounts: Accounts, other: Accounts) -> None:
    book = AccountBook(other)
    accounts.add("a", "trainer", "", NOW)
    assert book.get("a") is None
    assert book.refresh() == []
    assert book.get("a") is not None


def test_no_error_and_no_record_shows_a_token(accounts: Accounts, other: Accounts) -> None:
    token = accounts.add("a", "trainer", "", NOW)
    book = AccountBook(other)
    with pytest.raises(AccessDeniedError) as caught:
        book.verify("a", b"wrong" + token.encode())
    assert token not in str(caught.value)
    assert token not in repr(book.get("a"))


def test_a_token_is_recalled_only_after_it_was_verified_and_no_other_is(accounts: Accounts) -> None:
    token = accounts.add("node", "trainer", "", NOW).encode()
    book = AccountBook(accounts)
    assert book.recall("node", token) is None
    book.verify("node", token)
    assert book.recall("node", token) == book.get("node")
    for other in (b"", token[:-1], token + b"x", b"another"):
        assert book.recall("node", other) is None
    assert book.recall("nobody", token) is None


def test_what_was_recalled_is_forgotten_with_a_rotation_and_with_a_revocation(path: Path, accounts: Accounts) -> None:
    token = accounts.add("node", "trainer", "", NOW).encode()
    book = AccountBook(Accounts(path))
    book.verify("node", token)
    rotated = accounts.rotate("node").encode()
    assert book.refresh() == ["node"]
    assert book.recall("node", token) is None
    book.verify("node", rotated)
    assert book.recall("node", rotated) is not None
    accounts.revoke("node", NOW)
    assert book.refresh() == ["node"]
    assert book.recall("node", rotated) is None
    book.close()
