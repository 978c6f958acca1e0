"""Learning curves: accuracy against samples learned from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, groupby

from agentfly.learning.tallies import Score, score
from agentfly.store.adaptations import Sample

MOST = 20
"""Points of one epoch's curve; from 50 samples on there are at least half as many."""
SMALLEST = 5
"""Samples in a block: the accuracy of fewer says nothing."""
_STEPS = (1, 2, 4, 5)
"""Sizes of blocks in units of `SMALLEST` and its tens: none is more than twice the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The validation tasks, answered by what had been learned until then."""

    samples: int
    """Learned from before it."""
    score: Score
    kept: bool = False
    """Whether this is the version that the home was brought back to, or left at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some learning samples in a row, each answered before it was learned from. A block ends with its epoch at the latest."""

    epoch: int
    first: int
    """Number of its first sample, from 1, counted through all epochs."""
    last: int
    score: Score
    running: Score
    """Of all samples of the epoch up to the block's last one: in the first epoch every task is answered before it was ever
    seen (prequential accuracy), in later ones the agent has learned from it."""


def blocks(samples: Sequence[Sample]) -> tuple[Block, ...]:
    """First answers while learning, in blocks.

    Args:
        samples: of learning, in the order in which they were learned from.
    """
    size, before, found = block_size(len(samples)), 0, list[Block]()
    for epoch, group in groupby(samples, key=lambda sample: sample.epoch):
        members = list(group)
        for start, end in _bounds(len(members), size):
            found.append(
                Block(
                    epoch=epoch,
                    first=before + start + 1,
                    last=before + end,
                    score=score(members[start:end]),
                    running=score(members[:end]),
                )
            )
        before += len(members)
    return tuple(found)


def block_size(total: int) -> int:
    """The least round number of samples by which there are at most `MOST` blocks."""
    return next(size for size in _sizes() if size * MOST >= total)


def _sizes() -> Iterator[int]:
    for power in count():
        yield from (SMALLEST * step * 10**power for step in _STEPS)


def _bounds(total: int, size: int) -> list[tuple[int, int]]:
    """Where blocks start and end; a rest of less than half a block goes with the block before it."""
    starts = list(range(0, total, size))
    if len(starts) > 1 and 2 * (total - starts[-1]) < size:
        starts.pop()
    return list(zip(starts, [*starts[1:], total], strict=True))
