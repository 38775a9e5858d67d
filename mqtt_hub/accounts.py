"""Who may connect: names, roles and hashed tokens, kept apart from the archive so that one can be shown around.

::

    mqtt-hub node add/revoke/rotate ──▶ accounts.db ──▶ AccountBook in the running hub
                                                        (notices a change by SQLite's data_version)

Tokens are 256 random bits, shown once, stored as argon2 hashes. With that much entropy the hash needs no long
stretching, so a reconnect storm does not become a denial of service: 8 MiB and one pass each.
"""

from __future__ import annotations

import hmac
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlite_utils import Database, Migrations

from mqtt_hub.protocol.errors import AccessDeniedError, ConfigurationError
from mqtt_hub.protocol.table import HUB, RESERVED, ROLES
from mqtt_hub.protocol.topics import NAME
from mqtt_hub.verifiers import bcrypt_verifier, mosquitto_verifier

__all__ = ["AccountBook", "AccountRecord", "Accounts", "OperatorDecision", "listed"]

MIGRATIONS = Migrations("mqtt_hub.accounts")
_HASHER = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1)
_NOBODY = _HASHER.hash(secrets.token_urlsafe(32))  # verified for unknown names, so that they take as long


@MIGRATIONS()
def m0001_accounts(db: Database) -> None:
    """Names, roles, hashed tokens."""
    db.table("accounts").create(
        {
            "name": str,
            "role": str,
            "specialization": str,
            "token_hash": str,
            "created_at": str,
            "revoked_at": str,
            "generation": int,
        },
        pk="name",
        not_null={"role", "token_hash", "generation"},
    )


@MIGRATIONS()
def m0002_verifiers(db: Database) -> None:
    """The token as other brokers' password files want it; an account has them from its next token on."""
    db.table("accounts").add_column("mosquitto_hash", str, not_null_default="")
    db.table("accounts").add_column("bcrypt_hash", str, not_null_default="")


@MIGRATIONS()
def m0018_decisions(db: Database) -> None:
    """What the operator decided about nodes and submissions; the hub, the archive's only writer, carries it out."""
    db.table("decisions").create(
        {"id": str, "at": str, "action": str, "subject": str, "reason": str}, pk="id", not_null={"action", "subject"}
    )


@dataclass(frozen=True, slots=True)
class OperatorDecision:
    """``quarantine`` or ``release`` a node, or ``reopen`` a submission."""

    id: str
    at: str
    action: str
    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """One account; ``generation`` grows with every new token."""

    name: str
    role: str
    specialization: str
    token_hash: str
    created_at: str
    revoked_at: str | None
    generation: int
    mosquitto_hash: str = ""
    bcrypt_hash: str = ""


class Accounts:
    """The accounts file: what the command line changes and the hub reads."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if not create and not path.exists():
            raise ConfigurationError(
                f"{path.parent} has no accounts", hint=f"make a home: mqtt-hub init --home {path.parent}"
            )
        self._path = path
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = Database(sqlite3.connect(path, timeout=5, check_same_thread=False))
            self._db.execute("PRAGMA journal_mode=WAL")
            MIGRATIONS.apply(self._db)
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(f"{path}: {error}", hint="the home must be writable by this user") from error

    def add(self, name: str, role: str, specialization: str, now: str) -> str:
        """Make an account and return its token, which is shown this once; raises `ConfigurationError`."""
        if NAME.fullmatch(name) is None:
            raise ConfigurationError(f"{name!r} is no node name", hint="letters, digits, _ and -, at most 64")
        if specialization and NAME.fullmatch(specialization) is None:
            raise ConfigurationError(f"{specialization!r} is no specialization", hint="letters, digits, _ and -")
        if role not in ROLES or (role == "hub") != (name == HUB) or name in RESERVED - {HUB}:
            raise ConfigurationError(
                f"{name} cannot be a {role}", hint=f"the hub's own: role hub, names {' and '.join(sorted(RESERVED))}"
            )
        if self.find(name) is not None:
            raise ConfigurationError(
                f"there is an account {name} already", hint=f"a new token for it: mqtt-hub node rotate {name}"
            )
        token = secrets.token_urlsafe(32)
        with self._change():
            self._db.table("accounts").insert(
                {
                    "name": name,
                    "role": role,
                    "specialization": specialization,
                    "created_at": now,
                    "revoked_at": None,
                    "generation": 1,
                    **_hashes(token),
                }
            )
        return token

    def rotate(self, name: str) -> str:
        """Give an account a new token and return it; the old one is void at once."""
        record = self._existing(name)
        token = secrets.token_urlsafe(32)
        with self._change():
            self._db.table("accounts").update(
                name,
                {"revoked_at": None, "generation": record.generation + 1, **_hashes(token)},
            )
        return token

    def revoke(self, name: str, now: str) -> None:
        """Shut an account out, now; `rotate` lets it in again with a new token."""
        self._existing(name)
        with self._change():
            self._db.table("accounts").update(name, {"revoked_at": now})

    def decide(self, action: str, subject: str, reason: str, now: str) -> None:
        """Write down what the operator decided; a running hub carries it out at once, another at its start."""
        if action != "reopen":
            self._existing(subject)
        decision = OperatorDecision(secrets.token_hex(8), now, action, subject, reason)
        with self._change():
            self._db.table("decisions").insert(asdict(decision))

    def decisions(self) -> list[OperatorDecision]:
        """Return what the operator decided, in order."""
        rows = self._db.execute("SELECT id, at, action, subject, reason FROM decisions ORDER BY rowid")
        return [OperatorDecision(*row) for row in rows]

    def find(self, name: str) -> AccountRecord | None:
        """Return one account."""
        return next((record for record in self.all() if record.name == name), None)

    def all(self) -> list[AccountRecord]:
        """Return every account by name."""
        columns = ", ".join(field.name for field in fields(AccountRecord))
        return [AccountRecord(*row) for row in self._db.execute(f"SELECT {columns} FROM accounts ORDER BY name")]  # noqa: S608 — columns above

    def version(self) -> int:
        """Return a number that changes when another process has changed the file."""
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _change(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise ConfigurationError(f"{self._path}: {error}", hint="another program changes it: try again") from error

    def _existing(self, name: str) -> AccountRecord:
        record = self.find(name)
        if record is None:
            raise ConfigurationError(f"there is no account {name}", hint="mqtt-hub node list shows them all")
        return record


def _hashes(token: str) -> dict[str, str]:
    return {
        "token_hash": _HASHER.hash(token),
        "mosquitto_hash": mosquitto_verifier(token),
        "bcrypt_hash": bcrypt_verifier(token),
    }


def listed(path: Path) -> list[dict[str, str | None]]:
    """Return what everybody may know of the accounts, by name; nothing is written. Raises `ConfigurationError`."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            rows = connection.execute(
                "SELECT name, role, specialization, created_at, revoked_at FROM accounts ORDER BY name"
            ).fetchall()
    except sqlite3.Error as error:
        raise ConfigurationError(f"{path}: {error}", hint="a home has its accounts there: mqtt-hub init") from error
    return [dict(zip(("name", "role", "specialization", "created_at", "revoked_at"), row, strict=True)) for row in rows]


class AccountBook:
    """The accounts as the running hub sees them: verifies tokens, notices changes."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._version = accounts.version()
        self._records = {record.name: record for record in accounts.all()}
        self._key = secrets.token_bytes(32)
        self._verified: dict[str, tuple[int, bytes]] = {}  # name -> (generation, HMAC of the right token)
        self._decisions = accounts.decisions()

    def get(self, name: str) -> AccountRecord | None:
        """Return the account if it may connect."""
        record = self._records.get(name)
        return record if record is not None and record.revoked_at is None else None

    def recall(self, name: str, token: bytes) -> AccountRecord | None:
        """Return the account if this very token was found right before: a few microseconds; None says nothing."""
        record = self.get(name)
        if record is None:
            return None
        generation, right = self._verified.get(name, (0, b""))
        seen = hmac.digest(self._key, token, sha256)
        return record if generation == record.generation and hmac.compare_digest(seen, right) else None

    def verify(self, name: str, token: bytes) -> AccountRecord:
        """Return the account of a right token; raises `AccessDeniedError`. Slow at first: call off the loop."""
        recalled = self.recall(name, token)
        if recalled is not None:
            return recalled
        record = self.get(name)
        try:
            _HASHER.verify(record.token_hash if record is not None else _NOBODY, token)
        except (VerificationError, InvalidHashError) as error:
            raise AccessDeniedError(f"{name}: unknown account, or wrong or revoked token") from error
        if record is None:
            raise AccessDeniedError(f"{name}: unknown account")
        self._verified[name] = (record.generation, hmac.digest(self._key, token, sha256))
        return record

    def refresh(self) -> list[str]:
        """Take up what changed in the file; returns the accounts that were revoked, removed or rotated."""
        version = self._accounts.version()
        if version == self._version:
            return []
        self._version = version
        self._decisions = self._accounts.decisions()
        before, self._records = self._records, {record.name: record for record in self._accounts.all()}
        changed = []
        for name, old in before.items():
            new = self.get(name)
            if old.revoked_at is None and (new is None or new.generation != old.generation or new.role != old.role):
                self._verified.pop(name, None)
                changed.append(name)
        return changed

    def take_decisions(self) -> list[OperatorDecision]:
        """Return what the operator decided; after the first call only when the file has changed."""
        decisions, self._decisions = self._decisions, []
        return decisions

    def close(self) -> None:
        """Close the file."""
        self._accounts.close()
