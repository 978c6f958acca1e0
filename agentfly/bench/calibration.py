"""How far an agent's own scores can be trusted, and what rounds of reflection do to its answers. Pure; see docs/metrics.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean

from agentfly.bench.results import Result
from agentfly.learning.intervals import Interval, wilson

_RIGHT = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many of so many."""

    count: int
    total: int
    share: float | None
    """None of none."""
    low: float
    """95 % Wilson interval."""
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """What became of first answers, of the attempts in which another answer was given after a reflection."""

    attempts: int
    stayed: Share
    """Of first answers that were right: those whose last answer is right too."""
    mended: Share
    """Of first answers that were wrong: those whose last answer is right."""

    @property
    def gain(self) -> int:
        """Right answers more than without reflection; negative where it does harm."""
        return self.mended.count - (self.stayed.total - self.stayed.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Scores that an agent or a critic gave answers without the reference, against what they were worth."""

    attempts: int
    """Judged ones that have the score."""
    when_right: float | None
    """Its mean over right answers."""
    when_wrong: float | None
    brier: float
    """Mean of (score − right)², Brier 1950: 0 is best, and 0.25 what always saying 0.5 gives."""
    auc: float | None
    """Probability that a right answer has a higher score than a wrong one, ties counting half; None where one kind is missing."""


def rounds(results: Sequence[Result]) -> Rounds | None:
    """How rounds of reflection did; None where no attempt had any."""
    pairs = [
        (result.first_reward >= _RIGHT, result.last_reward >= _RIGHT)
        for result in results
        if result.first_reward is not None and result.last_reward is not None
    ]
    if not pairs:
        return None
    after_right = [last for first, last in pairs if first]
    after_wrong = [last for first, last in pairs if not first]
    return Rounds(attempts=len(pairs), stayed=_share(after_right), mended=_share(after_wrong))


def calibration(results: Sequence[Result], score: Callable[[Result], float | None]) -> Calibration | None:
    """How well a score tells right answers from wrong ones; None where no judged attempt has it."""
    pairs = [
        (value, result.correct)
        for result in results
        if result.verdict != "unjudged" and (value := score(result)) is not None
    ]
    if not pairs:
        return None
    right = [value for value, correct in pairs if correct]
    wrong = [value for value, correct in pairs if not correct]
    return Calibration(
        attempts=len(pairs),
        when_right=fmean(right) if right else None,
        when_wrong=fmean(wrong) if wrong else None,
        brier=fmean((value - correct) ** 2 for value, correct in pairs),
        auc=_auc(pairs) if right and wrong else None,
    )


def _share(kept: Sequence[bool]) -> Share:
    count, total = sum(kept), len(kept)
    within: Interval = wilson(count, total)
    return Share(count=count, total=total, share=count / total if total else None, low=within.low, high=within.high)


def _auc(pairs: Sequence[tuple[float, bool]]) -> float:
    """Area under the ROC curve by ranks (Mann and Whitney 1947)."""
    below, wins, right, wrong = 0, 0.0, 0, 0
    for _, group in groupby(sorted(pairs), key=lambda pair: pair[0]):
        kinds = [correct for _, correct in group]
        good = sum(kinds)
        bad = len(kinds) - good
        wins += good * (below + bad / 2)
        below += bad
        right, wrong = right + good, wrong + bad
    return wins / (right * wrong)
