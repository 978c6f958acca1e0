"""Counting samples: accuracies with their intervals, two versions on the same tasks, and what it all cost; pure functions.

Every sample counts in the denominator, however it ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import get_args

from agentfly.learning.intervals import difference_interval, mcnemar, paired, wilson
from agentfly.store.adaptations import Sample, Verdict
from agentfly.types import Usage

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How many of some samples were right."""

    total: int
    correct: int
    accuracy: float
    """0 of no samples."""
    low: float
    """95 % Wilson interval."""
    high: float
    verdicts: Mapping[str, int]
    """How many ended in each way, see `agentfly.store.adaptations.Verdict`; ways that did not occur are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelScore:
    """The samples of one level."""

    level: str
    score: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What some samples cost, learning from them included."""

    usage: Usage
    tokens: int
    """Of prompts and completions."""
    tokens_mean: float
    """Per sample, like the following."""
    tokens_median: float
    seconds: float
    """From the beginning of each sample to its answer, summed: more than what passed where samples went on side by side."""
    seconds_mean: float
    seconds_median: float
    calls_mean: float
    calls_median: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A task that was right in one version and not in the other."""

    task_id: str
    level: str | None
    before_run: str
    after_run: str
    before_verdict: Verdict
    after_verdict: Verdict
    before_answer: str | None
    after_answer: str | None
    question: str = ""
    """Empty where the runs were not looked up, like the following."""
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two versions on the same tasks."""

    phase: str
    """What is compared with the base."""
    tasks: int
    """That both have answered."""
    before: Score
    """On these tasks."""
    after: Score
    difference: float
    """Of the accuracies, after minus before."""
    low: float
    """95 % interval of the paired difference, Newcombe's method 10."""
    high: float
    p: float
    """Of the exact McNemar test, two-sided."""
    both: int
    """Right in both."""
    neither: int
    gained: tuple[Flip, ...]
    """Right after and not before."""
    lost: tuple[Flip, ...]
    """Right before and not after: negative flips."""


def score(samples: Iterable[Sample]) -> Score:
    """Accuracy with its interval; a sample that ended in any way but right counts as not right."""
    counts = Counter(sample.verdict for sample in samples)
    total, correct = sum(counts.values()), counts["correct"]
    within = wilson(correct, total)
    return Score(
        total=total,
        correct=correct,
        accuracy=correct / total if total else 0.0,
        low=within.low,
        high=within.high,
        verdicts={verdict: counts[verdict] for verdict in VERDICTS if counts[verdict]},
    )


def by_level(samples: Iterable[Sample]) -> tuple[LevelScore, ...]:
    """A score for each level, in the order of their names; none where the dataset has no levels."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.level is not None:
            groups.setdefault(sample.level, []).append(sample)
    return tuple(LevelScore(level=level, score=score(groups[level])) for level in sorted(groups))


def cost(samples: Sequence[Sample]) -> Cost:
    """Tokens, seconds and calls, summed and per sample; all 0 of no samples."""
    usage = sum((sample.usage for sample in samples), Usage())
    tokens = [sample.usage.tokens for sample in samples] or [0]
    seconds = [sample.seconds for sample in samples] or [0.0]
    calls = [sample.usage.calls for sample in samples] or [0]
    return Cost(
        usage=usage,
        tokens=usage.tokens,
        tokens_mean=fmean(tokens),
        tokens_median=float(median(tokens)),
        seconds=sum(seconds),
        seconds_mean=fmean(seconds),
        seconds_median=float(median(seconds)),
        calls_mean=fmean(calls),
        calls_median=float(median(calls)),
    )


def compare(phase: str, before: Iterable[Sample], after: Iterable[Sample]) -> Comparison:
    """Two versions, task by task, on the tasks that both have answered.

    Args:
        phase: names the second.
        before: samples of the first version, one for each task.
        after: of the second.
    """
    known = {sample.task_id: sample for sample in before}
    pairs = [(known[sample.task_id], sample) for sample in after if sample.task_id in known]
    counts = paired([one.correct for one, _ in pairs], [two.correct for _, two in pairs])
    within = difference_interval(counts)
    return Comparison(
        phase=phase,
        tasks=len(pairs),
        before=score(one for one, _ in pairs),
        after=score(two for _, two in pairs),
        difference=counts.difference,
        low=within.low,
        high=within.high,
        p=mcnemar(counts.gained, counts.lost),
        both=counts.both,
        neither=counts.total - counts.both - counts.gained - counts.lost,
        gained=tuple(_flip(one, two) for one, two in pairs if two.correct and not one.correct),
        lost=tuple(_flip(one, two) for one, two in pairs if one.correct and not two.correct),
    )


def _flip(before: Sample, after: Sample) -> Flip:
    return Flip(
        task_id=before.task_id,
        level=before.level,
        before_run=before.run_id,
        after_run=after.run_id,
        before_verdict=before.verdict,
        after_verdict=after.verdict,
        before_answer=before.answer,
        after_answer=after.answer,
    )
