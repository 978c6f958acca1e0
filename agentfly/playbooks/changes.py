"""What an application of a delta did and did not do: the records that the ledger stores and rollback inverts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from agentfly.types import Bullet


@dataclass(frozen=True, slots=True)
class Refusal:
    """An operation that was left out."""

    index: int
    """Place of the operation in its delta, from 0."""
    op: str
    reason: str

    def __str__(self) -> str:
        return f"operation {self.index} ({self.op}): {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One bullet before and after. None before: it was added; None after: it was taken out."""

    before: Bullet | None
    after: Bullet | None
    position: int
    """Order within the section; a bullet keeps it for life, a merged one takes that of its first source."""
    retired: bool = False
    """Whether the budget took it out, and not an operation."""

    @property
    def id(self) -> str:
        """The bullet's id."""
        bullet = self.after or self.before
        return bullet.id if bullet else ""

    def inverted(self) -> Change:
        """The change that undoes this one."""
        return replace(self, before=self.after, after=self.before)

    def __str__(self) -> str:
        return describe(self)


def invert(changes: Iterable[Change]) -> tuple[Change, ...]:
    """The changes that undo a sequence of changes, in the order in which they must be made."""
    return tuple(change.inverted() for change in reversed(tuple(changes)))


def describe(change: Change) -> str:
    """A change in one line for people."""
    before, after = change.before, change.after
    if before is None and after is not None:
        return f"added [{after.id}] to {after.section}: {_short(after.text)}"
    if after is None and before is not None:
        return f"{'retired' if change.retired else 'removed'} [{before.id}]: {_short(before.text)}"
    if before is None or after is None:
        return "nothing"
    parts = []
    if before.text != after.text:
        parts.append(f"updated [{after.id}]: {_short(after.text)}")
    moved = [
        f"{name} {getattr(before, name)} → {getattr(after, name)}"
        for name in ("helpful", "harmful")
        if getattr(before, name) != getattr(after, name)
    ]
    if moved:
        parts.append(f"tagged [{after.id}]: {', '.join(moved)}")
    return "; ".join(parts) or f"changed [{after.id}]"


def _short(text: str, limit: int = 100) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
