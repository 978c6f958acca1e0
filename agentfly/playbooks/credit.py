"""Credit: what each bullet is worth, as far as the record of runs can tell. Pure.

While learning, each bullet that was learned from a run is left out of the runs that would have it with a small probability,
by chance alone. So the runs that left a bullet out are like those that had it in all else, tasks and the rest of the playbook
included, and the difference in what they earned is what the bullet did: its lift. To be cited proves nothing, and neither does
to be shown while things went well: a bullet that comes up with easy tasks is in good company with and without itself.

What is identified is the effect of having a bullet, averaged over the runs that would have had it and over the playbooks
that stood beside it. What is not:

- a bullet that was never left out, as what a person wrote never is, or that was never used, has no estimate;
- of two bullets that say the same, each may show no lift because the other does its work;
- the effect in evaluation, as far as its tasks are others than those that were learned from;
- the effect on what is learned afterwards: only the answers themselves are compared;
- in a playbook that exceeds the prompt, another bullet takes the place of one that is left out, and the lift is against
  that one. It also has runs then that could not have left it out, a few in a hundred;
- where the probability of being left out was changed while the tasks got harder or easier, the two sides were drawn from
  different times in different shares. Runs that left nothing to chance are not compared at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from agentfly.protocols import Exposure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agentfly.playbooks.rows import Revision

LEAST = 10
"""Runs on either side under which no bullet is called harmful."""
_POINTS = 256
"""Points of equal probability that stand for a posterior: intervals are right to a few thousandths."""
_GRID = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """The runs on one side of a comparison."""

    runs: int = 0
    reward: float = 0.0
    """Sum of what they earned."""

    @property
    def mean(self) -> float | None:
        """What they earned on average; None where there are none."""
        return self.reward / self.runs if self.runs else None

    @property
    def beta(self) -> tuple[float, float]:
        """Posterior of the expected reward under a uniform prior: the parameters of a Beta distribution."""
        return 1 + self.reward, 1 + self.runs - self.reward


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """How much more runs earn with a bullet than without it, in [-1, 1]."""

    estimate: float
    """Difference of the two posterior means."""
    low: float
    high: float
    """The ends of the 95 % credible interval."""
    helps: float
    """Probability that the difference is above zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came of the times that a check asked another look at an answer."""

    times: int = 0
    wrong: int = 0
    """The answer was wrong."""
    right: int = 0
    """It was right: a false alarm."""
    unknown: int = 0
    """Nobody judged it."""
    mended: int = 0
    """It was wrong, and the final answer right."""
    spoiled: int = 0
    """It was right, and the final answer wrong."""

    def __add__(self, other: Asked) -> Asked:
        return Asked(**{part.name: getattr(self, part.name) + getattr(other, part.name) for part in fields(Asked)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """What the record says of one bullet."""

    shown: int = 0
    """Runs that had it: in the prompt or, for a check, in force."""
    cited: int = 0
    """Runs that named it."""
    used: Arm = field(default_factory=Arm)
    """Runs that had it and might have left it out."""
    without: Arm = field(default_factory=Arm)
    """Runs that left it out by chance."""
    asked: Asked = field(default_factory=Asked)

    @property
    def lift(self) -> Lift | None:
        """The estimate of its lift; None where one side has no run."""
        return lift_of(self.used, self.without) if self.used.runs and self.without.runs else None


def credited(exposures: Iterable[Exposure], since: Mapping[str, float] | None = None) -> dict[str, Credit]:
    """The credit of each bullet that a run had or left out, by id.

    Args:
        exposures: the record, see `agentfly.store.outcomes.exposures`.
        since: seconds since the epoch, by id, see `reworded`: runs that were started earlier say nothing of that bullet,
            because it said something else then.
    """
    begun, found = since or {}, defaultdict[str, _Tally](_Tally)
    for run in exposures:
        had, cited = dict.fromkeys((*run.shown, *run.checks)), frozenset(run.cited)
        for key in had:
            if run.started >= begun.get(key, 0.0):
                found[key].had(run, cited=key in cited)
        for key in run.left_out:
            if run.started >= begun.get(key, 0.0):
                found[key].left_out(run)
        for key, came in _asked(run):
            if run.started >= begun.get(key, 0.0):
                found[key].asked += came
    return {key: tally.credit() for key, tally in found.items()}


def reworded(revisions: Iterable[Revision]) -> dict[str, float]:
    """When bullets came to say what they say, in seconds since the epoch, by id; those that never said anything else are
    left out.

    Args:
        revisions: all that was kept of the playbook's history, oldest first.
    """
    said, found = dict[str, str](), dict[str, float]()
    for revision in revisions:
        for change in revision.changes:
            if change.after is not None and said.setdefault(change.id, change.after.text) != change.after.text:
                said[change.id], found[change.id] = change.after.text, revision.created
    return found


def harmful(found: Mapping[str, Credit], probability: float = 0.95, least: int = LEAST) -> tuple[str, ...]:
    """Ids of the bullets that cost more than they bring, the surest first.

    Who looks after every run looks often: with many bullets, one that does nothing comes to be called harmful now and then.

    Args:
        found: the credits, by id.
        probability: how sure it must be that the lift is negative.
        least: runs that there must be on either side.
    """
    enough = {key: one for key, one in found.items() if min(one.used.runs, one.without.runs) >= max(1, least)}
    lifts = {key: lift_of(one.used, one.without) for key, one in enough.items()}
    sure = [key for key, one in lifts.items() if 1 - one.helps >= probability]
    return tuple(sorted(sure, key=lambda key: (lifts[key].helps, lifts[key].estimate, key)))


def lift_of(used: Arm, without: Arm) -> Lift:
    """The difference between two Beta posteriors, by the same numbers each time.

    Each posterior stands as points of equal probability, and all their differences make the distribution of the lift. An
    arm without a run leaves its prior: then the interval says how little is known.

    Args:
        used: runs with the bullet.
        without: runs without it.
    """
    import numpy as np

    a, b = _points(*used.beta), _points(*without.beta)
    low, high = np.quantile(a[:, None] - b[None, :], (0.025, 0.975))
    below = np.searchsorted(b, a, side="left") + np.searchsorted(b, a, side="right")
    means = [first / (first + second) for first, second in (used.beta, without.beta)]
    return Lift(
        estimate=means[0] - means[1], low=float(low), high=float(high), helps=float(below.mean() / (2 * len(b)))
    )


def _points(a: float, b: float) -> NDArray[np.float64]:
    """The quantiles of Beta(a, b) with a, b >= 1 in the middle of n equal shares, ascending, of shape (n,)."""
    import numpy as np

    mean = a / (a + b)
    width = 12 * (mean * (1 - mean) / (a + b + 1)) ** 0.5
    edges = np.linspace(max(0.0, mean - width), min(1.0, mean + width), _GRID + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    logs = (a - 1) * np.log(middles) + (b - 1) * np.log1p(-middles)
    share = np.concatenate([[0.0], np.cumsum(np.exp(logs - logs.max()))])
    wanted: NDArray[np.float64] = np.interp((np.arange(_POINTS) + 0.5) / _POINTS, share / share[-1], edges)
    return wanted


def _asked(run: Exposure) -> Iterable[tuple[str, Asked]]:
    """What each question that a check asked in this run came to, by the check's id."""
    solved = run.reward >= 0.5
    for questioned in run.questioned:
        known, right = questioned.reward is not None, (questioned.reward or 0.0) >= 0.5
        came = Asked(
            times=1,
            wrong=int(known and not right),
            right=int(known and right),
            unknown=int(not known),
            mended=int(known and not right and solved),
            spoiled=int(known and right and not solved),
        )
        for key in dict.fromkeys(questioned.checks):
            yield key, came


class _Tally:
    """A credit in the making: plain numbers, since thousands of runs are counted."""

    __slots__ = ("asked", "cited", "earned", "shown", "spared", "used", "without")

    def __init__(self) -> None:
        self.shown = self.cited = self.used = self.without = 0
        self.earned = self.spared = 0.0
        self.asked = Asked()

    def had(self, run: Exposure, *, cited: bool) -> None:
        self.shown += 1
        self.cited += cited
        if run.leave_out > 0:
            self.used += 1
            self.earned += run.reward

    def left_out(self, run: Exposure) -> None:
        if run.leave_out > 0:
            self.without += 1
            self.spared += run.reward

    def credit(self) -> Credit:
        return Credit(
            shown=self.shown,
            cited=self.cited,
            used=Arm(runs=self.used, reward=self.earned),
            without=Arm(runs=self.without, reward=self.spared),
            asked=self.asked,
        )
