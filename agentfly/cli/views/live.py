"""The moving part of a run at the bottom of a terminal: what is going on, the reply as it grows, a progress bar."""

from __future__ import annotations

import time

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from agentfly.cli.text import plain, seconds, shorten
from agentfly.cli.views.region import Region

TAIL_LINES = 10
BYTES_FROM = 100_000
"""Totals from here on are bytes; smaller ones are items."""


class Pulse(Region):
    """What goes on in a run, and the reply as it grows.

    Args:
        console: where to draw.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console, rate=10)
        self._phase, self._since = "", 0.0
        self._reply = ""
        self._progress: Progress | None = None
        self._bar: TaskID | None = None

    def phase(self, what: str) -> None:
        """Say what is going on; the clock starts again."""
        self._phase, self._since, self._reply = what, time.monotonic(), ""
        self._progress = None

    def grow(self, piece: str) -> None:
        """Add a piece of the model's reply."""
        self._reply = (self._reply + piece)[-8000:]

    def show(self, whole: str) -> None:
        """Show this text in place of the reply."""
        self._reply = whole

    def progress(self, what: str, done: int, total: int) -> None:
        """Move the bar; a total of 0 is unknown."""
        if self._progress is None:
            amount = DownloadColumn() if total >= BYTES_FROM else TextColumn("{task.completed:.0f}/{task.total:.0f}")
            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=None),
                amount,
                TimeRemainingColumn(compact=True),
                console=self._console,
                expand=True,
            )
            self._bar = self._progress.add_task("", total=total or None)
        if self._bar is not None:
            label = shorten(what, max(12, self._console.width // 3))
            self._progress.update(self._bar, completed=done, total=total or None, description=label)
        if total and done >= total:
            self._progress = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Group(*self._parts(options.max_width))

    def _parts(self, width: int) -> list[RenderableType]:
        parts: list[RenderableType] = []
        if self._reply.strip():
            parts.append(_tail(self._reply, width))
        if self._progress is not None:
            parts.append(self._progress)
        elif self._phase:
            waited = time.monotonic() - self._since
            self._spinner.text = Text(self._phase + (f"  {seconds(waited)}" if waited >= 1 else ""), style="dim")
            parts.append(self._spinner)
        return parts


def _tail(reply: str, width: int) -> Text:
    """The last lines, each cut to the width so that the region's height is known."""
    lines = plain(reply).replace("\t", "    ").rstrip("\n").split("\n")
    room = max(8, width - 4)
    cut = [line if len(line) <= room else "…" + line[-(room - 1) :] for line in lines[-TAIL_LINES:]]
    return Text("\n".join("  " + line for line in cut), style="dim", no_wrap=True, overflow="crop")
