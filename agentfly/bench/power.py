"""How many tasks it takes to see a difference between two benchmark runs on the same tasks. Pure.

Source: R. J. Connor, Sample size for testing differences in proportions for the paired-sample design, Biometrics 43, 207 (1987),
equation 1. He has each pair differ by −1, 0 or 1; a mean of several attempts differs by less, and the mean square then stands in the
place of his discordant proportion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

_HALVINGS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """What a comparison could see."""

    tasks: int
    """Compared."""
    discordant: float
    """Mean square of the differences; with one attempt a task, the share of tasks that are right in one run only."""
    needed: int | None
    """Tasks at which the observed difference, if it is the true one, is seen this often; None where there is no difference."""
    detectable: float | None
    """Smallest true difference that so many tasks show this often; None where no difference would, with so few that differ."""
    power: float
    """How often, for both."""
    alpha: float
    """Level of the two-sided test."""


def power_of(differences: Sequence[float], *, power: float = 0.8, alpha: float = 0.05) -> Power:
    """What differences of so many tasks, that vary so much, could show.

    Args:
        differences: after minus before for each task, in [-1, 1], at least one.
        power: how often a difference should be seen.
        alpha: level of the two-sided test.
    """
    discordant = fmean(value * value for value in differences)
    return Power(
        tasks=len(differences),
        discordant=discordant,
        needed=tasks_needed(discordant, round(fmean(differences), 12), power=power, alpha=alpha),
        detectable=detectable(
            discordant, len(differences), most=fmean(map(abs, differences)), power=power, alpha=alpha
        ),
        power=power,
        alpha=alpha,
    )


def tasks_needed(discordant: float, difference: float, *, power: float = 0.8, alpha: float = 0.05) -> int | None:
    """Connor's number of pairs.

    Args:
        discordant: share of pairs that differ, or mean square of the differences.
        difference: to be seen, in [-1, 1].
        power: how often.
        alpha: level of the two-sided test.

    Returns:
        The number rounded up; None where the difference is 0.
    """
    exact = _needed(discordant, abs(difference), power, alpha)
    return None if math.isinf(exact) else math.ceil(exact - 1e-9)


def detectable(
    discordant: float, tasks: int, *, most: float | None = None, power: float = 0.8, alpha: float = 0.05
) -> float | None:
    """The smallest difference for which Connor's number is no more than these tasks.

    Args:
        discordant: share of pairs that differ, or mean square of the differences.
        tasks: how many there are.
        most: largest difference that is possible with so many differing, by default `discordant`: all of them one way.
        power: how often it is to be seen.
        alpha: level of the two-sided test.

    Returns:
        None where even the largest possible difference would need more tasks.
    """
    low, high = 0.0, discordant if most is None else most
    if _needed(discordant, high, power, alpha) > tasks:
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _needed(discordant, middle, power, alpha) > tasks:
            low = middle
        else:
            high = middle
    return high


def _needed(discordant: float, difference: float, power: float, alpha: float) -> float:
    if difference <= 0.0:
        return math.inf
    normal = NormalDist()
    without, with_it = normal.inv_cdf(1 - alpha / 2), normal.inv_cdf(power)
    spread = math.sqrt(max(0.0, discordant - difference**2))
    return ((without * math.sqrt(discordant) + with_it * spread) / difference) ** 2
