"""What a benchmark run is worth, over all tasks that were selected for it. Pure; docs/metrics.md says what each number means.

One denominator everywhere: a selected task whose attempt failed, hit a limit or was never made counts as not right. Only tasks
whose reference the dataset withholds are counted apart, because nobody can say what they came to.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import get_args

from agentfly.bench.calibration import Calibration, Rounds, calibration, rounds
from agentfly.bench.estimators import Best, Mean, Same, Votes, ks, mean_by_task, pass_at_k, pass_hat_k, same_by
from agentfly.bench.results import NO_LEVEL, BenchmarkRun, Result
from agentfly.bench.spending import Point, Spending, spending
from agentfly.scorers.gaia import gaia_match
from agentfly.store.adaptations import Verdict

NOT_DONE = "not_done"
"""Stands beside the verdicts for attempts that were planned and have no result."""
VERDICTS: tuple[str, ...] = (*get_args(Verdict), NOT_DONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AtK:
    """What k attempts at each task would come to, or came to, as shares of tasks."""

    k: int
    pass_at_k: Mean
    """At least one of k is right, if somebody who knows the answer picks: an upper bound, not what an agent delivers."""
    pass_hat_k: Mean
    """All of k are right: reliability."""
    majority: Mean
    """The answer that most of the first k attempts gave is right."""
    best_by_confidence: Mean | None
    """The answer of the first k of which the agent was surest is right; None where no attempt has a confidence."""
    best_by_critique: Mean | None
    """The answer of the first k that a critic without reference liked best is right; None where there was no critic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How many attempts were right, of those planned at tasks that can be judged."""

    tasks: int
    attempts: int
    """Planned: tasks times attempts at each."""
    done: int
    """Of them finished."""
    right: int
    accuracy: Mean | None
    """Right attempts of all that were planned, with its interval; None where no task can be judged."""
    verdicts: Mapping[str, int]
    """How each planned attempt ended, `NOT_DONE` included; adds up to `attempts`. Ways that did not occur are left out."""
    at_k: tuple[AtK, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelScore:
    """The tasks of one level."""

    level: str
    score: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """The accuracy of each attempt over all tasks, as if each were a benchmark run of its own."""

    accuracies: tuple[float, ...]
    """By number of the attempt."""
    mean: float
    se: float | None
    """Standard error of the mean across attempts: how much another repetition would change, on these very tasks. None of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """All that is told of a benchmark run."""

    name: str
    attempts: int
    """Planned at each task."""
    overall: Score
    levels: tuple[LevelScore, ...]
    """In the order of their names; none where no task has a level."""
    seeds: Seeds | None
    """None where no task can be judged."""
    unjudged_tasks: int
    """Selected tasks whose reference is withheld: in no denominator of accuracy."""
    unjudged_done: int
    """Finished attempts at them."""
    scores: Mapping[str, Mean]
    """Means of the continuous scores; what has none counts 0."""
    reward: Mean | None
    """Mean reward; what has none counts 0."""
    rounds: Rounds | None
    confidence: Calibration | None
    critique: Calibration | None
    spending: Spending

    @property
    def complete(self) -> bool:
        """Whether every planned attempt has a result."""
        return self.overall.done == self.overall.attempts and self.unjudged_done == self.unjudged_tasks * self.attempts

    @property
    def point(self) -> Point | None:
        """Cost against accuracy; None where no task can be judged."""
        accuracy, amounts = self.overall.accuracy, self.spending.amounts
        if accuracy is None:
            return None
        return Point(
            name=self.name,
            accuracy=accuracy.value,
            low=accuracy.low,
            high=accuracy.high,
            cost=amounts["cost_usd"].mean,
            tokens=amounts["tokens"].mean,
            seconds=amounts["seconds"].mean,
        )


def measure(run: BenchmarkRun, same: Same | None = None) -> Metrics:
    """Everything about one benchmark run.

    Args:
        run: what was selected, and the results so far.
        same: whether two answers are one, for majorities; by default by GAIA's rule, see `estimators.same_by`.
    """
    by_task = run.by_task()
    judged = [task for task in run.tasks if task.judged]
    groups = [by_task[task.task_id] for task in judged]
    choices = _Choices(run, same or same_by(gaia_match))
    per_task = [choices.of(group) for group in groups]
    levels: dict[str, list[int]] = {}
    for place, task in enumerate(judged):
        levels.setdefault(task.level or NO_LEVEL, []).append(place)
    named = any(task.level is not None for task in run.tasks)
    withheld = [result for task in run.tasks if not task.judged for result in by_task[task.task_id]]
    results = [result for group in groups for result in group]
    return Metrics(
        name=run.name,
        attempts=run.attempts,
        overall=_score(groups, per_task, run.attempts),
        levels=tuple(
            LevelScore(
                level=level,
                score=_score([groups[i] for i in levels[level]], [per_task[i] for i in levels[level]], run.attempts),
            )
            for level in (sorted(levels) if named else ())
        ),
        seeds=_seeds(groups, run.attempts),
        unjudged_tasks=len(run.tasks) - len(judged),
        unjudged_done=len(withheld),
        scores=_scores(groups, run.attempts),
        reward=mean_by_task([_mean([one.worth for one in group], run.attempts) for group in groups], run.attempts),
        rounds=rounds(results),
        confidence=calibration(results, _confidence),
        critique=calibration(results, _critique),
        spending=spending([*results, *withheld]),
    )


_Chosen = dict[str, tuple[float, ...]]
"""For each way to choose among the first k attempts at a task: whether the choice is right (1 or 0), by k."""


class _Choices:
    """Chooses an answer among the first k attempts at a task, for each k, in each way that the run's results allow."""

    def __init__(self, run: BenchmarkRun, same: Same) -> None:
        self._ks = ks(run.attempts)
        self._ways: dict[str, Callable[[], Votes | Best]] = {"majority": lambda: Votes(same)}
        if any(result.confidence is not None for result in run.results):
            self._ways["confidence"] = lambda: Best(_confidence)
        if any(result.critique is not None for result in run.results):
            self._ways["critique"] = lambda: Best(_critique)

    def of(self, attempts: Sequence[Result]) -> _Chosen:
        """For one task.

        Args:
            attempts: in the order of their numbers, some of which may be missing.
        """
        return {name: tuple(self._prefixes(attempts, way())) for name, way in self._ways.items()}

    def _prefixes(self, attempts: Sequence[Result], found: Votes | Best) -> Iterator[float]:
        place = 0
        for k in self._ks:
            while place < len(attempts) and attempts[place].attempt < k:
                found.add(attempts[place])
                place += 1
            yield float(found.leader is not None and found.leader.correct)


def _score(groups: Sequence[Sequence[Result]], per_task: Sequence[_Chosen], attempts: int) -> Score:
    verdicts: Counter[str] = Counter(result.verdict for group in groups for result in group)
    planned = len(groups) * attempts
    verdicts[NOT_DONE] = planned - verdicts.total()
    right = [sum(result.correct for result in group) for group in groups]
    return Score(
        tasks=len(groups),
        attempts=planned,
        done=planned - verdicts[NOT_DONE],
        right=sum(right),
        accuracy=mean_by_task([count / attempts for count in right], attempts),
        verdicts={verdict: verdicts[verdict] for verdict in VERDICTS if verdicts[verdict]},
        at_k=tuple(
            AtK(
                k=k,
                pass_at_k=_sure([pass_at_k(attempts, count, k) for count in right], attempts),
                pass_hat_k=_sure([pass_hat_k(attempts, count, k) for count in right], attempts),
                majority=_sure([chosen["majority"][place] for chosen in per_task]),
                best_by_confidence=_chosen_by("confidence", per_task, place),
                best_by_critique=_chosen_by("critique", per_task, place),
            )
            for place, k in enumerate(ks(attempts) if groups else ())
        ),
    )


def _chosen_by(name: str, per_task: Sequence[_Chosen], place: int) -> Mean | None:
    return _sure([chosen[name][place] for chosen in per_task]) if name in per_task[0] else None


def _sure(shares: Sequence[float], attempts: int = 1) -> Mean:
    found = mean_by_task(shares, attempts)
    if found is None:
        raise ValueError("there is no task to take a mean over")
    return found


def _seeds(groups: Sequence[Sequence[Result]], attempts: int) -> Seeds | None:
    if not groups:
        return None
    right = Counter(result.attempt for group in groups for result in group if result.correct)
    accuracies = tuple(right[number] / len(groups) for number in range(attempts))
    se = stdev(accuracies) / math.sqrt(attempts) if attempts > 1 else None
    return Seeds(accuracies=accuracies, mean=fmean(accuracies), se=se)


def _scores(groups: Sequence[Sequence[Result]], attempts: int) -> dict[str, Mean]:
    if not groups:
        return {}
    names = sorted({name for group in groups for result in group for name in result.scores})
    return {
        name: _sure([_mean([one.scores.get(name, 0.0) for one in group], attempts) for group in groups], attempts)
        for name in names
    }


def _mean(values: Sequence[float], attempts: int) -> float:
    """Over all attempts that were planned: one without a value counts 0."""
    return min(1.0, math.fsum(values) / attempts)


def _confidence(result: Result) -> float | None:
    return result.confidence


def _critique(result: Result) -> float | None:
    return result.critique
