"""Tables that reports on benchmark runs share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from agentfly.bench import words
from agentfly.cli.text import shorten
from agentfly.cli.views.console import text
from agentfly.learning.words import p_value, points

if TYPE_CHECKING:
    from agentfly.bench.comparing import Comparison, Difference, Flip, Side

MOST_FLIPS = 10
"""Flipped tasks that are listed, of each kind."""


def table(*columns: str, left: Sequence[str] = ()) -> Table:
    """An empty table; columns are aligned to the right, but for the first and those named."""
    made = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        start = number == 0 or column in left
        made.add_column(column, justify="left" if start else "right", no_wrap=not start, overflow="fold")
    return made


def titled(title: str, made: Table, style: str = "cyan") -> Iterator[RenderableType]:
    """A table under its title, which may be longer than the table is wide."""
    yield from (Text(), text(title, f"bold {style}"), made)


def row(made: Table, *cells: str | Text) -> None:
    """Add a row; what is not ours is shown as text."""
    made.add_row(*(text(cell) if isinstance(cell, str) else cell for cell in cells))


def facts(pairs: Iterator[tuple[str, str]]) -> Table:
    """Names and values."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for name, value in pairs:
        grid.add_row(name, text(value))
    return grid


def comparison(console: Console, found: Comparison, number: int = 1) -> Iterator[RenderableType]:
    """Two runs compared: what differs, how sure that is, and which tasks flipped.

    Args:
        console: where it is drawn.
        found: the comparison.
        number: of comparisons that were made together.
    """
    accuracy = found.accuracy
    style = "bold green" if accuracy.low > 0 else "bold red" if accuracy.high < 0 else "bold"
    yield text(words.compared(found), style)
    for notice in found.notices:
        yield text(f"! {notice}", "yellow")
    yield text(f"{words.flips(found)}; {words.p_values(found, number)}.")
    yield text(words.power(found.power), "dim")
    made = table("level", "tasks", "before %", "after %", "points", "95 %")
    for one in found.levels:
        _difference(made, one.level, one.difference)
    _difference(made, Text("all", style="bold"), accuracy)
    yield from (Text(), made)
    yield from _flips(console, "Lost: right less often after", "red", found.lost)
    yield from _flips(console, "Gained: right more often after", "green", found.gained)


def _difference(made: Table, name: str | Text, one: Difference) -> None:
    row(
        made, name, f"{one.tasks:,}", f"{100 * one.before.value:.1f}", f"{100 * one.after.value:.1f}", points(one.value),
        f"{points(one.low)} to {points(one.high)}",
    )  # fmt: skip


def _flips(console: Console, title: str, style: str, found: Sequence[Flip]) -> Iterator[RenderableType]:
    if not found:
        return
    made = table("task", "level", "before", "after", left=("before", "after"))
    room = max(14, (min(console.width, 110) - 46) // 2)
    for flip in found[:MOST_FLIPS]:
        row(made, shorten(flip.task_id, 36), flip.level or "–", _side(flip.before, room), _side(flip.after, room))
    yield from titled(f"{title}: {len(found):,}", made, style)
    if (more := len(found) - MOST_FLIPS) > 0:
        yield text(f"… {more:,} more: --json or --html FILE has all of them", "dim")


def _side(side: Side, room: int) -> str:
    """What a run made of a task: its answer, or how it ended; of several attempts, how many were right."""
    if len(side.verdicts) > 1:
        return f"{sum(verdict == 'correct' for verdict in side.verdicts)} right of {len(side.verdicts)}"
    if not side.verdicts:
        return words.VERDICTS["not_done"]
    answer = side.answers[0]
    return words.VERDICTS[side.verdicts[0]] if answer is None else shorten(answer, room)


def overview(found: Sequence[Comparison]) -> Iterator[RenderableType]:
    """Several comparisons, one a line."""
    made = table("before", "after", "tasks", "points", "95 %", "p", "Holm", "gained", "lost", left=("after",))
    for one in found:
        accuracy = one.accuracy
        row(
            made, shorten(one.before, 20), shorten(one.after, 20), f"{accuracy.tasks:,}", points(accuracy.value),
            f"{points(accuracy.low, 0)} to {points(accuracy.high, 0)}", p_value(one.p), p_value(one.p_holm),
            f"{len(one.gained):,}", f"{len(one.lost):,}",
        )  # fmt: skip
    yield from titled("All comparisons", made)
