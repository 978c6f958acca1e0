"""The report on a benchmark run: results and metrics in one object, and as JSON. docs/metrics.md says what each number means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentfly.bench.comparing import Comparison, compare
from agentfly.bench.comparisons import comparison_data
from agentfly.bench.estimators import Mean, mean_by_task
from agentfly.bench.metrics import NOT_DONE, AtK, LevelScore, Metrics, Score, measure
from agentfly.bench.recorded import Recorded
from agentfly.bench.resampling import holm
from agentfly.bench.results import NO_LEVEL, BenchmarkRun, Result, Selected
from agentfly.bench.spending import Point, spending
from agentfly.learning.curves import block_size
from agentfly.records import to_data

NAMES: Mapping[str, str] = {
    "pass_at_k": "pass@{k}",
    "pass_hat_k": "pass^{k}",
    "majority": "majority@{k}",
    "best_by_confidence": "best-of-{k} by confidence",
    "best_by_critique": "best-of-{k} by critique",
}
"""What the ways to make one answer of k attempts are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReport:
    """A selected task and the results of the attempts at it."""

    task: Selected
    results: tuple[Result | None, ...]
    """By number of the attempt; None where there is no result (yet)."""

    @property
    def right(self) -> int:
        """Attempts that were right."""
        return sum(result is not None and result.correct for result in self.results)

    @property
    def verdicts(self) -> tuple[str, ...]:
        """How each attempt ended."""
        return tuple(NOT_DONE if result is None else result.verdict for result in self.results)

    @property
    def made(self) -> tuple[Result, ...]:
        """The results that there are."""
        return tuple(result for result in self.results if result is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """Some tasks in a row, as they were worked on while the agent learned between them."""

    first: int
    """Place of the first of them in the order, from 1."""
    last: int
    accuracy: Mean
    """Of these."""
    running: Mean
    """Of all up to the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that is told of a benchmark run."""

    recorded: Recorded
    metrics: Metrics
    tasks: tuple[TaskReport, ...]
    """In the order in which they were selected."""
    curve: tuple[CurvePoint, ...] = ()
    """Of a run that learned between tasks."""
    against: tuple[Comparison, ...] = ()
    """This run compared with earlier ones, which are ``before``."""
    points: tuple[Point, ...] = ()
    """Cost and accuracy of this run and of those it is compared with."""


def report(recorded: Recorded, against: Sequence[Recorded] = (), *, force: bool = False) -> Report:
    """Make the report.

    Args:
        recorded: the benchmark run.
        against: earlier ones on the same dataset.
        force: compare although the datasets differ.

    Raises:
        InputError: it cannot be compared with one of the earlier runs.
    """
    run, metrics = recorded.run, measure(recorded.run)
    compared = [compare(earlier.run, run, force=force) for earlier in against]
    adjusted = holm([one.p for one in compared])
    points = [metrics.point, *(point_of(earlier.run) for earlier in against)]
    return Report(
        recorded=recorded,
        metrics=metrics,
        tasks=tuple(_tasks(run)),
        curve=learning_curve(run) if recorded.find("decides.mode") == "online" else (),
        against=tuple(replace(one, p_holm=p) for one, p in zip(compared, adjusted, strict=True)),
        points=tuple(one for one in points if one is not None),
    )


def point_of(run: BenchmarkRun) -> Point | None:
    """Cost and accuracy alone, in a fraction of the time that all metrics take; None where no task can be judged."""
    by_task = run.by_task()
    shares = [sum(one.correct for one in by_task[task.task_id]) / run.attempts for task in run.tasks if task.judged]
    accuracy, cost = mean_by_task(shares, run.attempts), spending(run.results).amounts
    if accuracy is None:
        return None
    return Point(
        name=run.name,
        accuracy=accuracy.value,
        low=accuracy.low,
        high=accuracy.high,
        cost=cost["cost_usd"].mean,
        tokens=cost["tokens"].mean,
        seconds=cost["seconds"].mean,
    )


def _tasks(run: BenchmarkRun) -> Iterable[TaskReport]:
    by_task = run.by_task()
    for task in run.tasks:
        made = {result.attempt: result for result in by_task[task.task_id]}
        yield TaskReport(task=task, results=tuple(made.get(number) for number in range(run.attempts)))


def learning_curve(run: BenchmarkRun) -> tuple[CurvePoint, ...]:
    """Accuracy over the order in which tasks were worked on; several attempts are as many passes, taken together by place.

    Tasks that nobody can judge, and those that have no result yet, are no part of it.
    """
    judged = {task.task_id for task in run.tasks if task.judged}
    order = sorted((one for one in run.results if one.task_id in judged), key=lambda one: (one.started, one.task_id))
    places: list[list[bool]] = []
    reached: dict[int, int] = {}
    for result in order:
        place = reached.get(result.attempt, 0)
        reached[result.attempt] = place + 1
        if place == len(places):
            places.append([])
        places[place].append(result.correct)
    shares = [sum(right) / len(right) for right in places]
    if not shares:
        return ()
    size = block_size(len(shares))
    starts = list(range(0, len(shares), size))
    if len(starts) > 1 and 2 * (len(shares) - starts[-1]) < size:
        starts.pop()  # too few for a block of their own
    ends = [*starts[1:], len(shares)]
    return tuple(
        CurvePoint(
            first=start + 1,
            last=end,
            accuracy=_mean(shares[start:end], len(reached)),
            running=_mean(shares[:end], len(reached)),
        )
        for start, end in zip(starts, ends, strict=True)
    )


def _mean(shares: Sequence[float], attempts: int) -> Mean:
    found = mean_by_task(shares, attempts)
    if found is None:
        raise ValueError("there is no task to take a mean over")
    return found


# As JSON


def report_data(found: Report) -> dict[str, Any]:
    """The report as ``agentfly bench report --json`` prints it: the keys of ``bench score --json`` and more."""
    run, metrics = found.recorded.run, found.metrics
    overall = metrics.overall
    return {
        **_share(overall),
        "by_level": {one.level: _share(one.score) for one in metrics.levels or _one_level(metrics)},
        "tasks": [_task(one) for one in found.tasks if one.task.judged],
        "withheld": [one.task.task_id for one in found.tasks if not one.task.judged],
        "name": run.name,
        "path": str(found.recorded.path),
        "state": found.recorded.state,
        "done": found.recorded.done,
        "planned": found.recorded.planned,
        "attempts": run.attempts,
        "started": found.recorded.started,
        "ended": found.recorded.ended,
        "worked_seconds": found.recorded.worked,
        **at_k_values(overall.at_k),
        "metrics": to_data(metrics),
        "curve": [to_data(point) for point in found.curve],
        "points": [to_data(point) for point in found.points],
        "against": [comparison_data(one) for one in found.against],
        "config": _without_tasks(found.recorded.config),
        "events": [to_data(event) for event in found.recorded.events],
    }


def at_k_values(found: Iterable[AtK]) -> dict[str, float]:
    """The metrics of k attempts by the names they have in the literature, such as ``pass@3``."""
    values: dict[str, float] = {}
    for one in found:
        for field, name in NAMES.items():
            mean: Mean | None = getattr(one, field)
            if mean is not None:
                values[name.format(k=one.k)] = mean.value
    return values


def _one_level(metrics: Metrics) -> Sequence[LevelScore]:
    """What scoring a file says of tasks that have no level."""
    return [LevelScore(level=NO_LEVEL, score=metrics.overall)] if metrics.overall.tasks else []


def _share(score: Score) -> dict[str, Any]:
    accuracy = score.accuracy
    return {
        "accuracy": None if accuracy is None else accuracy.value,
        "correct": score.right,
        "total": score.attempts,
        "low": None if accuracy is None else accuracy.low,
        "high": None if accuracy is None else accuracy.high,
        "verdicts": dict(score.verdicts),
    }


def _task(one: TaskReport) -> dict[str, Any]:
    first = one.results[0]
    made = one.made
    return {
        "task_id": one.task.task_id,
        "correct": first is not None and first.correct,
        "level": one.task.level,
        "right": one.right,
        "verdicts": list(one.verdicts),
        "answers": [None if result is None else result.answer for result in one.results],
        "runs": [None if result is None else result.run_id for result in one.results],
        "tokens": sum(result.usage.tokens for result in made),
        "cost_usd": sum(result.usage.cost_usd for result in made),
        "seconds": sum(result.seconds for result in made),
    }


def _without_tasks(config: Mapping[str, Any]) -> dict[str, Any]:
    decides = {name: value for name, value in config["decides"].items() if name != "tasks"}
    return {**config, "decides": decides}
