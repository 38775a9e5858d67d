"""Every bound of the hub beside those of its broker; both stand under ``[limits]`` in ``config.toml``."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

__all__ = ["HubLimits", "explained"]


def _bound(default: int, at_it: str) -> int:
    value: int = field(default=default, metadata={"at it": at_it})
    return value


@dataclass(frozen=True, slots=True)
class HubLimits:
    """What one node may cost the archive, and what the hub keeps in memory."""

    rejected_messages_max: int = _bound(
        10_000,
        "rejected messages kept of one node: further ones are counted, not archived, and use up no key; their sender is"
        " told so, and an honest one keeps them in its outbox",
    )
    rejected_bytes_max: int = _bound(16 * 1024 * 1024, "of their raw bytes: the same")
    sessions_remembered_max: int = _bound(
        10_000, "sessions whose seqs are in memory: the longest quiet are forgotten, and read again when they speak"
    )

    def __post_init__(self) -> None:
        for bound in fields(self):
            if not getattr(self, bound.name) > 0:
                raise ValueError(f"{bound.name} is {getattr(self, bound.name)}, it must be more than 0")


def explained() -> dict[str, str]:
    """Return what happens at each bound, by its name."""
    return {bound.name: bound.metadata["at it"] for bound in fields(HubLimits)}
