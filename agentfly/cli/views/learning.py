"""What came of learning over a dataset, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from agentfly.cli.text import count, money, shorten
from agentfly.cli.views import sparks
from agentfly.cli.views.console import text
from agentfly.learning import words
from agentfly.types import Usage

if TYPE_CHECKING:
    from agentfly.learning.curves import Validation
    from agentfly.learning.report import Growth, Report
    from agentfly.learning.tallies import Comparison, Flip, Score

MOST_FLIPS = 12
"""Flipped tasks that are listed, of each kind."""
MOST_POINTS = 20
"""Validations."""
WIDE = 96
"""Columns from which on the table of costs has totals."""
MOST_STAGES = 10
"""Lines on growth."""


def learning_view(report: Report) -> RenderableType:
    """The whole report; good from 80 columns on."""
    return _View(report)


@dataclass(frozen=True, slots=True)
class _View:
    """Draws itself when the console is known, whose encoding decides about bars."""

    report: Report

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        report = self.report
        yield _title(f"Learning {report.id}")
        yield _facts(report)
        for notice in report.notices:
            yield text(f"! {notice}", "yellow")
        yield Text()
        yield _headline(report)
        for part in (_compared, _flips, _curve, _cost, _growth):
            yield from part(console, report)


def _title(told: str) -> Text:
    return text(told, "bold cyan")


def _facts(report: Report) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column()
    for name, value in words.facts(report):
        if name != "course":
            grid.add_row(name, text(value))
    return grid


def _headline(report: Report) -> Text:
    found = report.comparison
    style = "" if found is None else "bold green" if found.low > 0 else "bold red" if found.high < 0 else "bold"
    return text(words.headline(report), style)


def _table(title: str, *columns: str, left: Sequence[str] = ()) -> Table:
    """An empty table; columns are aligned to the right, but for the first and those named."""
    table = Table(
        box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold cyan", header_style="bold", pad_edge=False,
        show_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    for number, column in enumerate(columns):
        start = number == 0 or column in left
        table.add_column(column, justify="left" if start else "right", no_wrap=not start, overflow="fold")
    return table


def _row(table: Table, *cells: str | Text) -> None:
    table.add_row(*(text(cell) if isinstance(cell, str) else cell for cell in cells))


# Before and after


def _compared(console: Console, report: Report) -> Iterator[RenderableType]:
    if not report.base.total:
        return
    table = _table(
        "Before and after, on the same tasks", "accuracy", "right", "%", "95 %", "points", "95 %", "p", "gained", "lost"
    )
    _row(table, "base", *_scored(report.base), "", "", "", "", "")
    for found in (report.comparison, *report.ablations):
        if found is not None:
            lost = Text(str(len(found.lost)), style="red" if found.lost else "")
            _row(
                table, words.phase(found.phase), *_scored(found.after), words.points(found.difference), _between(found),
                words.p_value(found.p), str(len(found.gained)), lost,
            )  # fmt: skip
    yield from (Text(), table)


def _scored(score: Score) -> tuple[str, str, str]:
    return f"{score.correct}/{score.total}", f"{100 * score.accuracy:.1f}", _range(score)


def _range(score: Score) -> str:
    return f"{100 * score.low:.0f}–{100 * score.high:.0f}"


def _between(found: Comparison) -> str:
    return f"{words.points(found.low, 0)} to {words.points(found.high, 0)}"


def _flips(console: Console, report: Report) -> Iterator[RenderableType]:
    if report.comparison is None:
        return
    for title, style, flips in (
        ("Lost: right before, not after", "red", report.comparison.lost),
        ("Gained: right after, not before", "green", report.comparison.gained),
    ):
        if flips:
            yield from (Text(), text(f"{title} ({len(flips)})", f"bold {style}"))
            yield from (_flip(flip) for flip in flips[:MOST_FLIPS])
            if len(flips) > MOST_FLIPS:
                yield text(f"  and {len(flips) - MOST_FLIPS} more", "dim")


def _flip(flip: Flip) -> Text:
    before = shorten(flip.before_answer, 24) if flip.before_answer is not None else flip.before_verdict
    after = shorten(flip.after_answer, 24) if flip.after_answer is not None else flip.after_verdict
    line = text(f"  {shorten(flip.task_id, 32)}  ").append(before).append(" → ", style="dim").append(after)
    if flip.reference is not None:
        line.append(f"  (right: {shorten(flip.reference, 24)})")
    line.append(f"  run {shorten(flip.after_run, 60)}", style="dim")
    return line.append(f"\n    {shorten(flip.question, 72)}", style="dim") if flip.question else line


# Curves


def _curve(console: Console, report: Report) -> Iterator[RenderableType]:
    if report.validations:
        table = _table(
            "Validation, by samples learned from",
            "samples",
            "right",
            "%",
            "",
            "95 %",
            "version",
            left=("", "version"),
        )
        for one in _some(report.validations):
            kept = Text("kept", style="green") if one.kept else ""
            _row(table, f"{one.samples:,}", *_bar(console, one.score), kept)
        yield from (Text(), table)
    if report.blocks:
        table = _table(
            "First answers while learning",
            "samples",
            "right",
            "%",
            "",
            "95 %",
            "epoch so far",
            left=("",),
        )
        ends = {block.epoch: block.last for block in report.blocks}
        for block in report.blocks:
            _row(
                table,
                f"{block.first:,}–{block.last:,}",
                *_bar(console, block.score),
                f"{100 * block.running.accuracy:.1f} ({_range(block.running)})",
            )
            if block.last == ends[block.epoch]:
                table.add_section()
        yield from (Text(), table)


def _some(found: Sequence[Validation]) -> list[Validation]:
    """Some validations from the first to the last, the one that was kept among them."""
    picked = set(_spread(len(found), MOST_POINTS))
    return [one for number, one in enumerate(found) if number in picked or one.kept]


def _spread(total: int, most: int) -> list[int]:
    """Positions from the first to the last, at most so many."""
    many = min(most, total)
    return sorted({round(number * (total - 1) / max(1, many - 1)) for number in range(many)})


def _bar(console: Console, score: Score) -> tuple[str, str, Text, str]:
    right, accuracy, between = _scored(score)
    return right, accuracy, sparks.bar(console, score.accuracy, 16), between


# Cost and growth


def _cost(console: Console, report: Report) -> Iterator[RenderableType]:
    if not report.phases:
        return
    wide = console.width >= WIDE
    table = _table(
        "Per sample: mean (median)",
        "",
        "samples",
        "tokens",
        "seconds",
        "calls",
        *(("tokens in all", "cost") if wide else ()),
    )
    for phase in report.phases:
        cost = phase.cost
        many = f"{phase.score.total:,}"
        if phase.planned is not None and phase.planned != phase.score.total:
            many += f"/{phase.planned:,}"
        _row(
            table, words.phase(phase.name), many, f"{cost.tokens_mean:,.0f} ({cost.tokens_median:,.0f})",
            f"{cost.seconds_mean:.1f} ({cost.seconds_median:.1f})", f"{cost.calls_mean:.1f} ({cost.calls_median:g})",
            *((f"{cost.tokens:,}", money(cost.usage.cost_usd)) if wide else ()),
        )  # fmt: skip
    yield from (Text(), table)
    spent = sum((phase.cost.usage for phase in report.phases), Usage())
    price = f", {money(spent.cost_usd)}" if spent.cost_usd else ""
    yield text(f"in all {count(spent.tokens, 'token')}, {count(spent.calls, 'call')}{price}", "dim")


def _growth(console: Console, report: Report) -> Iterator[RenderableType]:
    for phase in report.phases:
        if odd := words.verdicts(phase.score):
            yield text(f"{words.phase(phase.name)}: {odd}", "dim")
    if report.growth:
        table = _table(
            "What the home held", "samples", "cases", "bullets", "checks", "playbook version", "changes kept", "dropped"
        )
        for one, kept, dropped in _thinned(report.growth):
            _row(
                table,
                f"{one.samples:,}",
                f"{one.cases:,}",
                f"{one.bullets:,}",
                f"{one.checks:,}",
                f"{one.version:,}",
                f"{kept:,}",
                f"{dropped:,}",
            )
        yield from (Text(), table)
        yield from (Text(), text(words.learned(report)))


def _thinned(growth: Sequence[Growth]) -> Iterator[tuple[Growth, int, int]]:
    """Some stages from the first to the last, with the changes that were kept and dropped since the one before."""
    before = 0
    for at in _spread(len(growth), MOST_STAGES):
        window = growth[before : at + 1]
        yield growth[at], sum(one.kept for one in window), sum(one.dropped for one in window)
        before = at + 1
