"""The scores of a file of predictions, as a person reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from agentfly.cli.text import count
from agentfly.cli.views import sparks, tables
from agentfly.cli.views.console import text
from agentfly.learning.intervals import wilson

if TYPE_CHECKING:
    from agentfly.bench.predictions import Scores, Share

_NAMED = 3


def scores(screen: Console, name: str, found: Scores) -> None:
    """A line for each level and one for all, then what was not scored.

    Args:
        screen: where to draw.
        name: of the dataset.
        found: the verdicts.
    """
    screen.print(text(f"{name} · {count(found.overall.total, 'task')} · scorer {found.scorer}", "dim"))
    columns = (
        tables.Column("level"), tables.Column("correct", right=True), tables.Column("of", right=True),
        tables.Column("accuracy", right=True), tables.Column("95 % interval", 60, right=True), tables.Column("", 80),
    )  # fmt: skip
    levels = found.by_level
    rows = [_row(screen, level, share) for level, share in levels.items()] if len(levels) > 1 else []
    tables.draw(screen, columns, [*rows, _row(screen, Text("all", style="bold"), found.overall)])
    for note in _notes(found):
        screen.print(text(note, "yellow"))


def _row(screen: Console, level: Text | str, share: Share) -> tuple[Text | str, ...]:
    interval = wilson(share.correct, share.total)
    return (
        level, f"{share.correct:,}", f"{share.total:,}", f"{100 * share.accuracy:.1f} %",
        f"{100 * interval.low:.1f} to {100 * interval.high:.1f}", sparks.bar(screen, share.accuracy),
    )  # fmt: skip


def _notes(found: Scores) -> list[str]:
    notes = []
    if found.missing:
        notes.append(
            f"{count(len(found.missing), 'task')} without a prediction, counted as wrong: {_few(found.missing)}"
        )
    if found.withheld:
        notes.append(f"{count(len(found.withheld), 'task')} not scored: the dataset withholds the answer")
    if found.unselected:
        notes.append(f"{count(found.unselected, 'prediction')} left out: of tasks that were not selected")
    return notes


def _few(ids: tuple[str, ...]) -> str:
    return ", ".join(ids[:_NAMED]) + (" …" if len(ids) > _NAMED else "")
