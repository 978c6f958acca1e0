"""Benchmark runs compared task by task. Pure; docs/metrics.md says what each number means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from agentfly.bench.estimators import Mean, mean_by_task
from agentfly.bench.power import Power, power_of
from agentfly.bench.resampling import PermutationTest, bootstrap_interval, holm, permutation_test
from agentfly.bench.results import NO_LEVEL, BenchmarkRun, Result, Selected
from agentfly.errors import InputError
from agentfly.learning.intervals import Interval, difference_interval, mcnemar, paired

Method = Literal["newcombe", "bootstrap"]
_LISTED = 5
_PLACES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Accuracy in two runs on the same tasks."""

    tasks: int
    before: Mean
    after: Mean
    value: float
    """After minus before."""
    low: float
    """95 % interval of the paired difference."""
    high: float
    method: Method
    """``newcombe`` (method 10) with one attempt a task in both, or where all tasks differ alike, else ``bootstrap`` by task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What one run made of a task."""

    share: float
    """Of its attempts that were right."""
    runs: tuple[str, ...]
    """Ids of the runs of its attempts, in their order, like the following; of attempts without a result, nothing."""
    verdicts: tuple[str, ...]
    answers: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A task that was right more often in one run than in the other."""

    task_id: str
    level: str | None
    before: Side
    after: Side

    @property
    def change(self) -> float:
        """After minus before, in [-1, 1]."""
        return self.after.share - self.before.share


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelDifference:
    """The tasks of one level."""

    level: str
    difference: Difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two benchmark runs on the tasks that both have selected and that can be judged in both."""

    before: str
    """Name of the run that is compared with, like the following."""
    after: str
    accuracy: Difference
    levels: tuple[LevelDifference, ...]
    """In the order of their names; none where no task has a level."""
    mcnemar: float | None
    """p of the exact two-sided test; None where a run has several attempts a task."""
    permutation: PermutationTest
    """Of the accuracies."""
    reward_difference: float
    """Of the mean rewards, after minus before."""
    reward_permutation: PermutationTest
    p: float
    """The one to quote: McNemar's with one attempt a task, else that of the permutation of accuracies."""
    p_holm: float
    """`p` adjusted for the number of comparisons that were made together; `p` itself where it was one."""
    gained: tuple[Flip, ...]
    """Tasks right more often after than before, the largest change first."""
    lost: tuple[Flip, ...]
    """Negative flips: right less often after than before, the largest change first."""
    power: Power
    notices: tuple[str, ...] = field(default=())
    """What a person has to know before believing any of it, in words."""

    @property
    def negative_flip_rate(self) -> float:
        """Share of the tasks that were lost (Yan et al., arXiv 2011.09161, where it is that of one attempt a task)."""
        return len(self.lost) / self.accuracy.tasks


@dataclass(frozen=True, slots=True)
class _Pair:
    """A task and what both runs made of it."""

    task: Selected
    before: Sequence[Result]
    after: Sequence[Result]


def compare(before: BenchmarkRun, after: BenchmarkRun, *, force: bool = False, seed: int = 0) -> Comparison:
    """Compare two runs.

    A task without a result counts as not right, as everywhere; the notices tell of it.

    Args:
        before: what is compared with.
        after: what is of interest.
        force: compare although the datasets are not the same, by the ids of the tasks.
        seed: of everything that is drawn.

    Raises:
        InputError: the datasets differ, or the runs have no task in common that can be judged.
    """
    others = {task.task_id: task for task in after.tasks}
    common = [task for task in before.tasks if task.task_id in others]
    judged = [task for task in common if task.judged and others[task.task_id].judged]
    _require_comparable(before, after, judged, force)
    one, two = before.by_task(), after.by_task()
    pairs = [_Pair(task, one[task.task_id], two[task.task_id]) for task in judged]
    each = (before.attempts, after.attempts)
    differences = [_less(_right(pair.after, each[1]), _right(pair.before, each[0])) for pair in pairs]
    rewards = [_less(_reward(pair.after, each[1]), _reward(pair.before, each[0])) for pair in pairs]
    permutation = permutation_test(differences, seed)
    exact = mcnemar(sum(d > 0 for d in differences), sum(d < 0 for d in differences)) if each == (1, 1) else None
    p = permutation.p if exact is None else exact
    return Comparison(
        before=before.name,
        after=after.name,
        accuracy=_difference(pairs, each, seed),
        levels=_levels(pairs, each, seed),
        mcnemar=exact,
        permutation=permutation,
        reward_difference=round(math.fsum(rewards) / len(rewards), _PLACES),
        reward_permutation=permutation if rewards == differences else permutation_test(rewards, seed),
        p=p,
        p_holm=p,
        gained=_flips(pairs, differences, each, 1),
        lost=_flips(pairs, differences, each, -1),
        power=power_of(differences),
        notices=_notices(before, after, pairs, len(common)),
    )


def compare_all(
    runs: Sequence[BenchmarkRun], *, every_pair: bool = False, force: bool = False, seed: int = 0
) -> tuple[Comparison, ...]:
    """Compare several runs with the first, or each with each, and adjust the p-values for their number.

    Args:
        runs: at least two.
        every_pair: each with each one after it.
        force: see `compare`.
        seed: see `compare`.

    Raises:
        InputError: fewer than two runs, or two of them cannot be compared.
    """
    if len(runs) < 2:
        raise InputError("comparing takes at least two benchmark runs")
    bases = range(len(runs) - 1) if every_pair else range(1)
    made = [compare(runs[i], after, force=force, seed=seed) for i in bases for after in runs[i + 1 :]]
    return tuple(
        replace(one, p_holm=adjusted) for one, adjusted in zip(made, holm([one.p for one in made]), strict=True)
    )


def _require_comparable(before: BenchmarkRun, after: BenchmarkRun, judged: Sequence[Selected], force: bool) -> None:
    if before.dataset and after.dataset and before.dataset != after.dataset and not force:
        raise InputError(
            f"{before.name or 'the first'} and {after.name or 'the second'} are of different datasets "
            f"({before.dataset[:12]} and {after.dataset[:12]}); force the comparison to pair their tasks by id all the same"
        )
    if not judged:
        raise InputError(
            f"{before.name or 'the first'} and {after.name or 'the second'} have no task in common that can be judged"
        )


def _difference(pairs: Sequence[_Pair], each: tuple[int, int], seed: int) -> Difference:
    before = [_right(pair.before, each[0]) for pair in pairs]
    after = [_right(pair.after, each[1]) for pair in pairs]
    differences = [_less(two, one) for one, two in zip(before, after, strict=True)]
    # Tasks that all differ alike, such as a single one, tell nothing of how tasks vary: drawn anew they are the same again.
    counted = each == (1, 1) or len(set(differences)) == 1
    within = _newcombe(before, after) if counted else bootstrap_interval(differences, seed)
    value = round(math.fsum(differences) / len(differences), _PLACES)
    return Difference(
        tasks=len(pairs),
        before=_sure(mean_by_task(before, each[0])),
        after=_sure(mean_by_task(after, each[1])),
        value=value,
        low=min(within.low, value),
        high=max(within.high, value),
        method="newcombe" if counted else "bootstrap",
    )


def _less(two: float, one: float) -> float:
    """A difference of shares, such as of thirds, without the noise that makes sums of them anything but zero."""
    return round(two - one, _PLACES)


def _newcombe(before: Sequence[float], after: Sequence[float]) -> Interval:
    return difference_interval(paired([share >= 0.5 for share in before], [share >= 0.5 for share in after]))


def _levels(pairs: Sequence[_Pair], each: tuple[int, int], seed: int) -> tuple[LevelDifference, ...]:
    groups: dict[str, list[_Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.task.level or NO_LEVEL, []).append(pair)
    if set(groups) == {NO_LEVEL}:
        return ()
    return tuple(
        LevelDifference(level=level, difference=_difference(groups[level], each, seed)) for level in sorted(groups)
    )


def _flips(pairs: Sequence[_Pair], differences: Sequence[float], each: tuple[int, int], sign: int) -> tuple[Flip, ...]:
    flips = [
        Flip(
            task_id=pair.task.task_id,
            level=pair.task.level,
            before=_side(pair.before, each[0]),
            after=_side(pair.after, each[1]),
        )
        for pair, difference in zip(pairs, differences, strict=True)
        if difference * sign > 0
    ]
    return tuple(sorted(flips, key=lambda flip: -abs(flip.change)))


def _side(results: Sequence[Result], attempts: int) -> Side:
    return Side(
        share=_right(results, attempts),
        runs=tuple(result.run_id for result in results),
        verdicts=tuple(result.verdict for result in results),
        answers=tuple(result.answer for result in results),
    )


def _notices(before: BenchmarkRun, after: BenchmarkRun, pairs: Sequence[_Pair], common: int) -> tuple[str, ...]:
    told: list[str] = []
    if before.dataset != after.dataset or not before.dataset:
        known = before.dataset and after.dataset
        told.append("the datasets differ" if known else "whether the datasets are the same is not known")
    for run, other in ((before, after), (after, before)):
        there = {task.task_id for task in other.tasks}
        if alone := [task.task_id for task in run.tasks if task.task_id not in there]:
            names = ", ".join(alone[:_LISTED]) + (", …" if len(alone) > _LISTED else "")
            told.append(
                f"{len(alone)} of {len(run.tasks)} tasks of {run.name or 'one run'} are not in the other: {names}"
            )
    if withheld := common - len(pairs):
        told.append(f"{withheld} tasks are left out: their answers cannot be judged")
    for run, results in ((before, [pair.before for pair in pairs]), (after, [pair.after for pair in pairs])):
        if missing := run.attempts * len(pairs) - sum(map(len, results)):
            told.append(f"{missing} attempts of {run.name or 'one run'} have no result and count as not right")
    if before.attempts != after.attempts:
        told.append(f"the first has {_attempts(before)} a task, the second {_attempts(after)}")
    return tuple(told)


def _right(results: Sequence[Result], attempts: int) -> float:
    return sum(result.correct for result in results) / attempts


def _reward(results: Sequence[Result], attempts: int) -> float:
    return sum(result.worth for result in results) / attempts


def _sure(mean: Mean | None) -> Mean:
    if mean is None:
        raise ValueError("there is no task to take a mean over")
    return mean


def _attempts(run: BenchmarkRun) -> str:
    return f"{run.attempts} attempt{'' if run.attempts == 1 else 's'}"
