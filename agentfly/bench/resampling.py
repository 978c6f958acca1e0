"""Tests and intervals for paired differences that assume nothing of their distribution. Pure: a seed decides every draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentfly.learning.intervals import Interval, mcnemar

Floats = NDArray[np.float64]
_EXACT = 20  # so many differences have a million ways to be signed
_DRAWS_OF_SIGNS = 100_000
_DRAWS_OF_TASKS = 10_000
_FEW_VALUES = 200
_WORK = 20_000_000  # numbers drawn at most where each difference has to be drawn by itself
_FEWEST = 2_000
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class PermutationTest:
    """Whether differences are larger than chance would have it, if each could as well have had the other sign."""

    p: float
    """Two-sided."""
    exact: bool
    """Whether every way to sign the differences was counted."""
    draws: int
    """Ways that were looked at where they are too many; 0 where it is exact."""


def permutation_test(differences: Sequence[float], seed: int = 0) -> PermutationTest:
    """Paired permutation test of a mean difference (Fisher 1935, Pitman 1937): each difference may change its sign.

    Exact for up to 20 differences that are not 0, and for any number that are all of one size; else from 100,000 draws of signs, fewer
    where thousands of differences are all of other sizes, with the observed signs counted as one more draw.

    Args:
        differences: one for each pair.
        seed: of the draws.
    """
    values: Floats = np.asarray(differences, dtype=np.float64)
    values = values[np.abs(values) > _TOLERANCE]
    magnitudes: Floats = np.abs(values).round(12)
    sizes, counts = np.unique(magnitudes, return_counts=True)
    if len(sizes) <= 1:
        return PermutationTest(p=mcnemar(int((values > 0).sum()), int((values < 0).sum())), exact=True, draws=0)
    reached = abs(float(values.sum())) - _TOLERANCE
    if len(values) <= _EXACT:
        sums = np.zeros(1)
        for value in values:
            sums = np.concatenate((sums + value, sums - value))
        return PermutationTest(p=float(np.mean(np.abs(sums) >= reached)), exact=True, draws=0)
    sums = _signed(sizes, counts, np.random.default_rng(seed))
    return PermutationTest(p=(1 + int((np.abs(sums) >= reached).sum())) / (1 + len(sums)), exact=False, draws=len(sums))


def bootstrap_interval(differences: Sequence[float], seed: int = 0, level: float = 0.95) -> Interval:
    """Percentile interval of a mean over tasks (Efron 1979): tasks are drawn anew, with what belongs to each kept together.

    From 10,000 draws, fewer where thousands of tasks all have other values. Where no two tasks differ it is a single point.

    Args:
        differences: one for each task, at least one.
        seed: of the draws.
        level: share of such intervals that hold the truth, for many tasks.
    """
    values: Floats = np.asarray(differences, dtype=np.float64)
    distinct, counts = np.unique(np.round(values, 12), return_counts=True)
    rng = np.random.default_rng(seed)
    n = len(values)
    if len(distinct) <= _FEW_VALUES:
        # To draw tasks is to draw how many have each value.
        means = rng.multinomial(n, counts / n, size=_DRAWS_OF_TASKS) @ distinct / n
    else:
        draws = min(_DRAWS_OF_TASKS, max(_FEWEST, _WORK // n))
        means = np.array([values[rng.integers(0, n, n)].mean() for _ in range(draws)])
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(low), float(high))


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """p-values adjusted for their number, by Holm's step-down method (Scandinavian Journal of Statistics 6, 65, 1979).

    Under 0.05 after this, the chance of even one false claim among all is at most 5 %, however the tests depend on each other.
    """
    adjusted, running = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        running = max(running, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = running
    return tuple(adjusted)


def _signed(sizes: Floats, counts: NDArray[np.intp], rng: np.random.Generator) -> Floats:
    """Sums of differences with signs drawn at random."""
    if len(sizes) <= _FEW_VALUES:
        # Of differences of one size, only how many are positive matters.
        total = np.zeros(_DRAWS_OF_SIGNS)
        for size, count in zip(sizes, counts, strict=True):
            total += size * (2 * rng.binomial(count, 0.5, _DRAWS_OF_SIGNS) - count)
        return total
    values = np.repeat(sizes, counts)
    draws = min(_DRAWS_OF_SIGNS, max(_FEWEST, _WORK // len(values)))
    return np.array([values @ (2.0 * rng.integers(0, 2, len(values)) - 1.0) for _ in range(draws)])
