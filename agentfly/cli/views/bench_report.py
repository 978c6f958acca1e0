"""The report on a benchmark run, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderableType
from rich.text import Text

from agentfly.bench import words
from agentfly.bench.facts import facts as told
from agentfly.bench.metrics import VERDICTS
from agentfly.bench.reporting import NAMES
from agentfly.cli.views import sparks
from agentfly.cli.views.bench_tables import comparison, facts, row, table, titled
from agentfly.cli.views.console import text

if TYPE_CHECKING:
    from agentfly.bench.calibration import Calibration
    from agentfly.bench.estimators import Mean
    from agentfly.bench.metrics import Score
    from agentfly.bench.reporting import Report

WIDE = 96
"""Columns from which on there are bars."""
_MOST_TOOLS = 12


def report_view(report: Report) -> RenderableType:
    """The whole report; good from 80 columns on."""
    return _View(report)


@dataclass(frozen=True, slots=True)
class _View:
    """Draws itself when the console is known, whose encoding decides about bars."""

    report: Report

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        report = self.report
        yield text(f"Benchmark run {report.recorded.run.name}", "bold cyan")
        yield facts(told(report.recorded))
        for notice in words.notices(report):
            yield text(f"! {notice}", "yellow")
        yield from (Text(), text(words.headline(report), "bold"))
        for part in (_accuracy, _verdicts, _at_k, _scores, _curve, _cost, _tools, _regressions):
            yield from part(console, report)


def _scored(report: Report) -> list[tuple[str | Text, Score]]:
    levels: list[tuple[str | Text, Score]] = [(one.level, one.score) for one in report.metrics.levels]
    return [*(levels if len(levels) > 1 else ()), (Text("all", style="bold"), report.metrics.overall)]


def _accuracy(console: Console, report: Report) -> Iterator[RenderableType]:
    if report.metrics.overall.accuracy is None:
        return
    made = table("level", "right", "of", "accuracy", "95 % interval", *([""] if console.width >= WIDE else []))
    for name, score in _scored(report):
        mean = score.accuracy
        if mean is not None:
            bar = [sparks.bar(console, mean.value)] if console.width >= WIDE else []
            row(
                made, name, f"{score.right:,}", f"{score.attempts:,}", f"{100 * mean.value:.1f} %", _between(mean), *bar
            )
    yield from titled("Accuracy", made)


def _verdicts(console: Console, report: Report) -> Iterator[RenderableType]:
    if not report.metrics.overall.attempts:
        return
    known = [name for name in VERDICTS if report.metrics.overall.verdicts.get(name)]
    made = table("level", "attempts", *(words.VERDICTS[name] for name in known))
    for name, score in _scored(report):
        row(made, name, f"{score.attempts:,}", *(f"{score.verdicts.get(verdict, 0):,}" for verdict in known))
    yield from titled("How every planned attempt ended", made)


def _at_k(console: Console, report: Report) -> Iterator[RenderableType]:
    metrics = report.metrics
    if metrics.attempts < 2 or not metrics.overall.at_k:
        return
    fields = [field for field in NAMES if any(getattr(one, field) is not None for one in metrics.overall.at_k)]
    made = table("k", *(_column(field) for field in fields))
    for one in metrics.overall.at_k:
        row(made, f"{one.k}", *(_cell(getattr(one, field)) for field in fields))
    yield from titled("What k attempts at a task are worth, % of tasks", made)
    yield text("pass@k: one of k is right, if somebody who knows the answer picks; pass^k: all k are right; majority and best-of-k: "
               "what the first k deliver without knowing it.", "dim")  # fmt: skip
    if metrics.seeds is not None:
        yield text(words.seeds(metrics.seeds))


def _column(field: str) -> str:
    return NAMES[field].format(k="k").replace("best-of-k by", "best of k,")


def _cell(mean: Mean | None) -> str:
    return "–" if mean is None else f"{100 * mean.value:.1f} ({100 * mean.low:.0f}–{100 * mean.high:.0f})"


def _scores(console: Console, report: Report) -> Iterator[RenderableType]:
    metrics = report.metrics
    if metrics.scores and metrics.overall.accuracy is not None:
        made = table("score", "mean", "95 % interval")
        named = {"exact match": metrics.overall.accuracy, "reward": metrics.reward, **metrics.scores}
        for name, mean in named.items():
            if mean is not None and (name != "reward" or mean != metrics.overall.accuracy):
                row(made, name.replace("_", " "), f"{mean.value:.3f}", f"{mean.low:.3f} to {mean.high:.3f}")
        yield from titled("Continuous scores beside exact match", made)
    lines = words.rounds(metrics.rounds) if metrics.rounds else []
    lines += [words.calibration(name, one) for name, one in _calibrated(report)]
    if lines:
        yield Text()
        yield from map(text, lines)


def _calibrated(report: Report) -> Iterator[tuple[str, Calibration]]:
    for name, one in (("confidence", report.metrics.confidence), ("critique", report.metrics.critique)):
        if one is not None:
            yield name, one


def _curve(console: Console, report: Report) -> Iterator[RenderableType]:
    if not report.curve:
        return
    made = table("tasks", "right, %", "95 %", "so far, %", "95 %")
    for point in report.curve:
        row(
            made, f"{point.first:,}–{point.last:,}", f"{100 * point.accuracy.value:.1f}", _between(point.accuracy),
            f"{100 * point.running.value:.1f}", _between(point.running),
        )  # fmt: skip
    yield from titled("Learning between tasks", made)
    yield Text.assemble(
        "accuracy of each row  ", sparks.spark(console, [one.accuracy.value for one in report.curve], high=1.0)
    )


def _cost(console: Console, report: Report) -> Iterator[RenderableType]:
    found = report.metrics.spending
    if not found.attempts:
        return
    title = f"What {words.many(found.attempts, 'finished attempt')} cost, right or not"
    made = table("amount", "total", "mean", "median", "95 % below", "most")
    for name, label in words.AMOUNTS.items():
        one = found.amounts[name]
        if one.total or name in ("tokens", "cost_usd", "seconds"):
            values = (one.total, one.mean, one.median, one.p95, one.most)
            row(made, label, *(words.amount(name, value) for value in values))
    yield from titled(title, made)
    if more := words.per_right(found):
        yield text(more, "dim")


def _tools(console: Console, report: Report) -> Iterator[RenderableType]:
    found = report.metrics.spending.tools
    if not found:
        return
    made = table("tool", "calls", "in attempts")
    for one in found[:_MOST_TOOLS]:
        row(made, one.name, f"{one.calls:,}", f"{one.attempts:,}")
    yield from titled("Calls by tool", made)
    if more := found[_MOST_TOOLS:]:
        yield text(f"… {words.many(len(more), 'more tool')}: --json has all of them", "dim")


def _regressions(console: Console, report: Report) -> Iterator[RenderableType]:
    for found in report.against:
        yield from (Text(), text(f"Against {found.before}", "bold cyan"))
        yield from comparison(console, found, len(report.against))


def _between(mean: Mean) -> str:
    return f"{100 * mean.low:.1f} to {100 * mean.high:.1f}"
