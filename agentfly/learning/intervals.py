"""Statistics of paired successes: intervals and tests for what a person may claim, as pure functions.

Everything is computed here in closed form, so that reports need no numerical library.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

Z95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Two versions on the same tasks, compared by right and wrong."""

    total: int
    both: int
    """Right in both."""
    gained: int
    """Wrong before, right after."""
    lost: int
    """Right before, wrong after: negative flips."""

    @property
    def before(self) -> float:
        """Accuracy before; 0 of no tasks."""
        return (self.both + self.lost) / self.total if self.total else 0.0

    @property
    def after(self) -> float:
        """Accuracy after."""
        return (self.both + self.gained) / self.total if self.total else 0.0

    @property
    def difference(self) -> float:
        """After minus before, in [-1, 1]."""
        return (self.gained - self.lost) / self.total if self.total else 0.0


def wilson(successes: float, total: float, z: float = Z95) -> Interval:
    """Wilson's score interval of a proportion (E. B. Wilson 1927), which is sound for few samples and at 0 and 1.

    Args:
        successes: how many were right; a fraction where rewards are not all 0 or 1.
        total: of how many; none gives the whole of [0, 1].
        z: quantile of the standard normal distribution; by default for 95 %.
    """
    if total <= 0:
        return Interval(0.0, 1.0)
    share, square = successes / total, z * z
    centre = (share + square / (2 * total)) / (1 + square / total)
    half = z / (1 + square / total) * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    # Rounding must not put a share of 0 or 1 outside of its own interval.
    return Interval(max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)))


def paired(before: Sequence[bool], after: Sequence[bool]) -> Paired:
    """Count how two versions did on the same tasks, in the same order.

    Raises:
        ValueError: the two are not of the same length.
    """
    pairs = list(zip(before, after, strict=True))
    return Paired(
        total=len(pairs),
        both=sum(a and b for a, b in pairs),
        gained=sum(b and not a for a, b in pairs),
        lost=sum(a and not b for a, b in pairs),
    )


def difference_interval(counts: Paired, z: float = Z95) -> Interval:
    """Interval of the difference of two paired proportions: Newcombe's hybrid score method (Statistics in Medicine 17,
    2635, 1998, method 10)."""
    n = counts.total
    if n == 0:
        return Interval(-1.0, 1.0)
    right_after, right_before = counts.both + counts.gained, counts.both + counts.lost
    after, before = wilson(right_after, n, z), wilson(right_before, n, z)
    down_after, up_after = counts.after - after.low, after.high - counts.after
    down_before, up_before = counts.before - before.low, before.high - counts.before
    phi = _correlation(counts)
    low = math.sqrt(max(0.0, down_after**2 - 2 * phi * down_after * up_before + up_before**2))
    high = math.sqrt(max(0.0, up_after**2 - 2 * phi * up_after * down_before + down_before**2))
    return Interval(max(-1.0, counts.difference - low), min(1.0, counts.difference + high))


def _correlation(counts: Paired) -> float:
    """Newcombe's phi, with his continuity correction where it is positive."""
    neither = counts.total - counts.both - counts.gained - counts.lost
    a, b, c, d = counts.both, counts.gained, counts.lost, neither
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if margins == 0:
        return 0.0
    top = float(a * d - b * c)
    if top > 0:
        top = max(top - counts.total / 2, 0.0)
    return top / math.sqrt(margins)


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided p-value of the exact McNemar test: whether more flipped one way than chance would have it.

    Args:
        gained: tasks that were wrong before and are right after.
        lost: the other way round.
    """
    flips = gained + lost
    if flips == 0:
        return 1.0
    tail, ways = 0, 1
    for k in range(min(gained, lost) + 1):
        tail += ways
        ways = ways * (flips - k) // (k + 1)  # from one binomial coefficient to the next
    return min(1.0, float(2 * tail / (1 << flips)))
