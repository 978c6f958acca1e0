"""Tables and cards of what a home holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from agentfly.cli.text import count, plain
from agentfly.cli.views import blocks
from agentfly.cli.views.console import ROW_WIDTH, given_width, text

if TYPE_CHECKING:
    from agentfly.playbooks.playbook import Playbook
    from agentfly.types import Bullet


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Args:
        title: its head.
        wide: least console width at which it is shown; less important columns give way first.
        flexible: whether it takes what room is left, and is cut with an ellipsis.
        right: whether it is aligned to the right.
    """

    title: str
    wide: int = 0
    flexible: bool = False
    right: bool = False


def draw(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Text | str]]) -> None:
    """Print a table that fits the console."""
    limited = console.is_terminal or given_width() is not None
    if not limited:
        console.width = ROW_WIDTH
    shown = [number for number, column in enumerate(columns) if console.width >= column.wide]
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False, expand=False)
    for number in shown:
        column = columns[number]
        table.add_column(
            column.title,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if column.right else "left",
            ratio=1 if column.flexible and limited else None,
            min_width=12 if column.flexible else None,
        )
    table.expand = limited and any(columns[number].flexible for number in shown)
    for row in rows:
        table.add_row(*(_cell(row[number]) for number in shown))
    console.print(table)


def _cell(value: Text | str) -> Text:
    return value if isinstance(value, Text) else text(value)


def card(console: Console, pairs: Sequence[tuple[str, RenderableType | str | None]]) -> None:
    """Print names and values, one pair a line; pairs without a value are left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column()
    for name, value in pairs:
        if value is not None and value != "":
            grid.add_row(name, text(value) if isinstance(value, str) else value)
    console.print(grid)


def when(moment: float | None) -> str:
    """A time of day for people, in local time."""
    if not moment:
        return "-"
    then = time.localtime(moment)
    now = time.localtime()
    return time.strftime("%H:%M" if then[:3] == now[:3] else "%Y-%m-%d %H:%M", then)


def short(value: str | None, width: int) -> str:
    """A cell's text."""
    from agentfly.cli.text import shorten

    return shorten(value, width) if value else "-"


def playbook(
    book: Playbook, kind: str | None = None, each: Callable[[Bullet], RenderableType] | None = None
) -> Iterator[RenderableType]:
    """The bullets, section by section; all, or those of one kind.

    Args:
        book: the playbook.
        kind: of the bullets to draw; None for all.
        each: draws one bullet; by default they are lines of one table.
    """
    shown = [bullet for bullet in book.bullets if kind in (None, bullet.kind)]
    of_kind = f" of kind {kind}" if kind else ""
    head = f"playbook version {book.version} · {count(len(shown), 'bullet')}{of_kind} · {book.tokens:,} tokens"
    yield Text(head, style="dim")
    if not len(book):
        yield Text("no bullets yet: run tasks with feedback, or /teach one in `agentfly chat`", style="dim")
    for section in book.sections:
        members = [bullet for bullet in shown if bullet.section == section]
        if members:
            yield Text(plain(section), style="bold cyan")
            yield from map(each, members) if each else [blocks.bullets(members)]
