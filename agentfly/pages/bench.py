"""The page on a benchmark run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentfly.bench import words
from agentfly.bench.facts import facts, settings
from agentfly.bench.folder import ResultsFolder
from agentfly.bench.metrics import VERDICTS, Score
from agentfly.bench.reporting import NAMES, Report, TaskReport
from agentfly.bench.results import Result
from agentfly.bench.spending import Point, frontier
from agentfly.learning.words import percent, points, within
from agentfly.pages import plots, spreads, traces
from agentfly.pages.frame import page

if TYPE_CHECKING:
    from markupsafe import Markup


MOST_FLIPS = 200
"""Flipped tasks of each kind that are listed for an earlier run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table of tasks."""

    task_id: str
    anchor: str
    level: str
    right: int
    of: int
    ended: tuple[str, ...]
    """In words, each once."""
    counts: str
    """How often each."""
    question: str
    answer: str
    tokens: int
    cost: float
    seconds: float


def bench_page(report: Report, wanted: traces.Wanted | None = None) -> str:
    """A self-contained HTML page.

    Args:
        report: what to tell.
        wanted: which tasks' steps are in it; by default as many as there is room for.

    Raises:
        ConfigError: matplotlib is not installed.
        InputError: the records cannot be read.
    """
    choice = wanted or traces.Wanted.of("auto")
    shown = _shown(report, choice)
    rows = [_row(number, one, shown) for number, one in enumerate(report.tasks)]
    levels = [(one.level, one.score) for one in report.metrics.levels]
    scored = [*(levels if len(levels) > 1 else ()), ("all", report.metrics.overall)]
    asked = len(report.tasks) if not choice.wrong else sum(one.right < len(one.results) for one in report.tasks)
    return page(
        "bench.html",
        f"Benchmark run {report.recorded.run.name}",
        report=report,
        metrics=report.metrics,
        words=words,
        percent=percent,
        points=points,
        cards=list(_cards(report)),
        scored=scored,
        verdicts=[name for name in VERDICTS if report.metrics.overall.verdicts.get(name)],
        names={field: NAMES[field].format(k="k") for field in _named(report)},
        notices=words.notices(report),
        facts=list(facts(report.recorded)),
        settings=list(settings(report.recorded)),
        most_flips=MOST_FLIPS,
        rows=rows,
        anchors={row.task_id: row.anchor for row in rows},
        asked=any(row.question for row in rows),
        levels=sorted({row.level for row in rows}),
        ended=[words.VERDICTS[name] for name in VERDICTS if any(words.VERDICTS[name] in row.ended for row in rows)],
        paid=any(row.cost for row in rows),
        shown=_in_order(report, shown),
        traces_note=traces.told(len(shown), asked, "tasks", choice),
        plots=_plots(report),
    )


def _named(report: Report) -> list[str]:
    return [name for name in NAMES if any(getattr(one, name) is not None for one in report.metrics.overall.at_k)]


def _cards(report: Report) -> Iterator[tuple[str, str, str]]:
    metrics, overall = report.metrics, report.metrics.overall
    if overall.accuracy is not None:
        between = f"95 %: {within(overall.accuracy.low, overall.accuracy.high)}"
        yield "accuracy", percent(overall.accuracy.value), between
        yield "right", f"{overall.right:,}", f"of {words.many(overall.attempts, 'attempt')} planned"
    yield "done", f"{report.recorded.done:,}", f"of {report.recorded.planned:,}, {report.recorded.state}"
    if overall.at_k and metrics.attempts > 1:
        last = overall.at_k[-1]
        yield f"pass@{last.k}", percent(last.pass_at_k.value), "one of them is right"
        yield f"pass^{last.k}", percent(last.pass_hat_k.value), "all of them are right"
        yield f"majority@{last.k}", percent(last.majority.value), "what most of them say"
    amounts = metrics.spending.amounts
    yield "tokens", f"{amounts['tokens'].total:,.0f}", f"{amounts['tokens'].mean:,.0f} an attempt"
    if amounts["cost_usd"].total:
        yield "cost", f"${amounts['cost_usd'].total:,.2f}", f"${amounts['cost_usd'].mean:.4f} an attempt"
    yield "seconds an attempt", f"{amounts['seconds'].mean:,.1f}", f"median {amounts['seconds'].median:,.1f}"
    for found in report.against:
        yield f"against {found.before}", points(found.accuracy.value), f"points, {len(found.lost)} lost"


def _row(number: int, one: TaskReport, shown: dict[str, traces.TaskShown]) -> Row:
    made, ended = one.made, [words.VERDICTS[verdict] for verdict in one.verdicts]
    anchor = f"task-{number}"
    kinds = tuple(dict.fromkeys(ended))
    return Row(
        task_id=one.task.task_id,
        anchor=anchor if anchor in shown else "",
        level=one.task.level or "none",
        right=one.right,
        of=len(one.results),
        ended=kinds,
        counts=", ".join(f"{ended.count(kind)} {kind}" for kind in kinds) if len(ended) > 1 else kinds[0],
        question=shown[anchor].question if anchor in shown else "",
        answer=next((result.answer for result in made if result.answer is not None), ""),
        tokens=sum(result.usage.tokens for result in made),
        cost=sum(result.usage.cost_usd for result in made),
        seconds=sum(result.seconds for result in made),
    )


def _shown(report: Report, wanted: traces.Wanted) -> dict[str, traces.TaskShown]:
    if wanted.most == 0:
        return {}
    several = report.recorded.run.attempts > 1
    with ResultsFolder(report.recorded.path) as folder:

        def asked() -> Iterator[traces.Asked]:
            order = sorted(enumerate(report.tasks), key=lambda pair: pair[1].right == len(pair[1].results))
            for number, one in order:
                if wanted.wrong and one.right == len(one.results):
                    return
                yield traces.Asked(
                    anchor=f"task-{number}",
                    task_id=one.task.task_id,
                    level=one.task.level,
                    attempts=[(_label(result, several), folder, result) for result in one.made],
                )

        return traces.shown(asked(), wanted)


def _label(result: Result, several: bool) -> str:
    return f"Attempt {result.attempt}" if several else "The attempt"


def _in_order(report: Report, shown: dict[str, traces.TaskShown]) -> list[traces.TaskShown]:
    anchors = (f"task-{number}" for number in range(len(report.tasks)))
    return [shown[anchor] for anchor in anchors if anchor in shown]


def _plots(report: Report) -> dict[str, Markup | None]:
    from markupsafe import Markup

    judged, done = report.metrics.overall.accuracy is not None, report.metrics.spending.attempts > 0
    drawn = {
        "levels": _levels(report) if judged else None,
        "curve": _curve(report) if report.curve else None,
        "cost": cost_plot(report.points) if report.points and done else None,
        "seconds": _spread(report, "seconds", "seconds of an attempt") if done else None,
        "tokens": _spread(report, "tokens", "tokens of an attempt") if done else None,
    }
    return {name: None if svg is None else Markup(svg) for name, svg in drawn.items()}  # noqa: S704  drawn by plots


def _levels(report: Report) -> str:
    found: list[tuple[str, Score]] = [("all", report.metrics.overall)]
    if len(report.metrics.levels) > 1:
        found += [(f"level {one.level}", one.score) for one in report.metrics.levels]
    drawn = [
        plots.Share(name=name, value=score.accuracy.value, low=score.accuracy.low, high=score.accuracy.high)
        for name, score in found
        if score.accuracy is not None
    ]
    told = "; ".join(f"{one.name}: {percent(one.value)} ({within(one.low, one.high)})" for one in drawn)
    return plots.shares(plots.Plot(name="levels", alt=f"Accuracy with its interval. {told}"), drawn)


def _curve(report: Report) -> str:
    found = report.curve
    middle = [(point.first + point.last) / 2 for point in found]
    so_far = plots.Curve(
        name="all tasks so far",
        x=[float(point.last) for point in found],
        y=[point.running.value for point in found],
        low=[point.running.low for point in found],
        high=[point.running.high for point in found],
    )
    blocks = plots.Curve(
        name="tasks in a row",
        x=middle,
        y=[point.accuracy.value for point in found],
        low=[point.accuracy.low for point in found],
        high=[point.accuracy.high for point in found],
        line=False,
    )
    alt = f"Accuracy while learning between tasks: {words.interval(found[-1].running)} over all {found[-1].last} tasks."
    return plots.curves(plots.Plot(name="curve", alt=alt), [so_far, blocks], "tasks worked on")


def cost_plot(found: tuple[Point, ...]) -> str:
    """What runs cost, against their accuracy."""
    # A local model costs no money: tokens tell what it does.
    dollars = any(point.cost for point in found)
    unit = "US dollars an attempt" if dollars else "tokens an attempt"
    best = frontier(found, lambda point: point.cost if dollars else point.tokens)
    paid = [
        spreads.Paid(
            name=point.name, x=point.cost if dollars else point.tokens, y=point.accuracy, low=point.low, high=point.high,
            best=point.name in best,
        )
        for point in found
    ]  # fmt: skip
    alt = "; ".join(f"{one.name}: {percent(one.y)} for {one.x:,.4g} {unit}" for one in paid)
    return spreads.scatter(plots.Plot(name="cost", alt=f"Cost against accuracy. {alt}"), paid, f"{unit}, mean")


def _spread(report: Report, name: str, xlabel: str) -> str:
    groups: dict[str, list[float]] = {"right": [], "not right": []}
    for result in report.recorded.run.results:
        value = result.seconds if name == "seconds" else float(result.usage.tokens)
        groups["right" if result.correct else "not right"].append(value)
    one = report.metrics.spending.amounts[name]
    alt = f"Distribution of {xlabel}: median {one.median:,.1f}, mean {one.mean:,.1f}, 95 % below {one.p95:,.1f}, most {one.most:,.1f}."
    return spreads.histogram(plots.Plot(name=name, alt=alt), groups, xlabel)
