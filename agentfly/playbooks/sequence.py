"""A persistent sorted sequence: a tuple of small blocks, so that a change copies one block and not the playbook.

What is computed for a block (its ranking, its text) is remembered with it and shared by all versions that hold it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias, TypeVar

from agentfly.types import Bullet

T = TypeVar("T")
BLOCK = 128
"""Entries at which a block is cut in two, less one; small enough to render again at every commit."""


class Entry(NamedTuple):
    """A bullet and its place: (number of the section, position within it), unique in a playbook."""

    order: tuple[int, int]
    bullet: Bullet


class Block:
    """A run of entries in order. Never changed after it is made, apart from what it remembers."""

    __slots__ = ("_memo", "entries", "first")

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.entries = entries
        self.first = entries[0].order
        self._memo: dict[str, Any] = {}

    def memo(self, name: str, compute: Callable[[tuple[Entry, ...]], T]) -> T:
        """What `compute` makes of the entries; computed once for each name."""
        if name not in self._memo:
            self._memo[name] = compute(self.entries)
        result: T = self._memo[name]
        return result


Blocks: TypeAlias = tuple[Block, ...]

_first = attrgetter("first")
_order = attrgetter("order")


def build(entries: Iterable[Entry]) -> Blocks:
    """Blocks of entries in any order."""
    ordered = sorted(entries, key=_order)
    size = BLOCK // 2
    return tuple(Block(tuple(ordered[start : start + size])) for start in range(0, len(ordered), size))


def put(blocks: Blocks, entry: Entry) -> Blocks:
    """Insert an entry.

    Raises:
        ValueError: there is one at its place already.
    """
    if not blocks:
        return (Block((entry,)),)
    which, where, found = _find(blocks, entry.order)
    entries = blocks[which].entries
    if found:
        raise ValueError(f"{entry.bullet.id} cannot take the place of {entries[where].bullet.id}")
    changed = (*entries[:where], entry, *entries[where:])
    if len(changed) <= BLOCK:
        fresh: Blocks = (Block(changed),)
    else:
        # A playbook mostly grows at the end of a section: leave the earlier half full.
        middle = len(changed) * 3 // 4
        fresh = (Block(changed[:middle]), Block(changed[middle:]))
    return (*blocks[:which], *fresh, *blocks[which + 1 :])


def drop(blocks: Blocks, order: tuple[int, int]) -> Blocks:
    """Take out the entry at a place.

    Raises:
        KeyError: there is none.
    """
    which, where, found = _find(blocks, order) if blocks else (0, 0, False)
    if not found:
        raise KeyError(order)
    entries = blocks[which].entries
    rest = entries[:where] + entries[where + 1 :]
    return (*blocks[:which], *((Block(rest),) if rest else ()), *blocks[which + 1 :])


def walk(blocks: Blocks) -> Iterator[Entry]:
    """All entries in order."""
    for block in blocks:
        yield from block.entries


def _find(blocks: Blocks, order: tuple[int, int]) -> tuple[int, int, bool]:
    which = max(0, bisect_right(blocks, order, key=_first) - 1)
    entries = blocks[which].entries
    where = bisect_left(entries, order, key=_order)
    return which, where, where < len(entries) and entries[where].order == order
