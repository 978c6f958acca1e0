"""What moving regions at the bottom of a terminal have in common."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from agentfly import events
from agentfly.cli.text import one_line, shorten
from agentfly.cli.views.console import text

BAR = 36
"""Most columns of a bar."""
QUIET_SECONDS = 30.0
"""Between two lines about the same work, where there is no terminal."""


class Region(ABC):
    """A live region that vanishes when it stops. Nothing moves where the console is no terminal.

    Args:
        console: where to draw.
        still: draw nothing that moves, also at a terminal.
        rate: how often it is drawn, per second.
    """

    def __init__(self, console: Console, *, still: bool = False, rate: int = 8) -> None:
        self._console, self._rate = console, rate
        self._moving = console.is_terminal and not console.is_dumb_terminal and not still
        self._live: Live | None = None
        self._spinner = Spinner("dots", style="cyan")

    def __enter__(self) -> Self:
        if self._moving:
            self._live = Live(
                self, console=self._console, refresh_per_second=self._rate, transient=True, redirect_stdout=False,
                redirect_stderr=False,
            )  # fmt: skip
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    @abstractmethod
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """What the region shows now."""

    def stop(self) -> None:
        """Take the region away. May be called twice."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()


class CountingRegion(Region):
    """A region about work on many things: notices above it, a bar and figures in it, and a line now and then where nothing moves.

    Drawn without the lock: who prints holds it and waits for the region, which is drawn by a thread of its own.
    """

    def __init__(self, console: Console, *, still: bool = False) -> None:
        super().__init__(console, still=still)
        self._lock = threading.RLock()
        self._told_at = time.monotonic()
        self._waiting, self._said = "", set[str]()

    def event(self, event: object) -> None:
        """Draw one event; may be called from several threads."""
        if not isinstance(event, events.Notice):
            return
        with self._lock:
            if event.progress is not None:
                done, total = event.progress
                self._waiting = "" if done >= total else f"{one_line(event.text)} {done / total:.0%}"
            elif event.level == "warning" and event.text not in self._said:
                self._said.add(event.text)
                self._print(text(f"agentfly: {one_line(event.text)}", "yellow"))

    @property
    def _silent(self) -> bool:
        """Whether nothing moves and it is time for a line."""
        return not self._moving and time.monotonic() - self._told_at >= QUIET_SECONDS

    def _print(self, line: Text) -> None:
        self._told_at = time.monotonic()
        self._console.print(line, soft_wrap=not self._moving)

    def _idle(self, width: int) -> Spinner:
        self._spinner.text = Text(shorten(self._waiting or "starting", max(8, width - 4)), style="dim")
        return self._spinner

    def _bar(self, name: str, done: int, total: int, told: str, figures: str, width: int) -> Group:
        """Two lines that are narrower than the terminal: the ^C that it echoes would wrap them.

        Args:
            name: stands before the bar.
            done: of the total.
            total: of all.
            told: stands after the bar.
            figures: the second line, unless something is waited for.
            width: of the terminal.
        """
        self._spinner.text = ""
        frame = self._spinner.render(self._console.get_time())
        room = min(BAR, width - len(name) - len(told) - 4)
        full = room * done // max(1, total)
        bar = (("━" * full, "cyan"), ("━" * (room - full), "dim")) if room >= 4 else ("",)
        first = Text.assemble(frame if isinstance(frame, Text) else "", name, *bar, (told, "dim"))
        first.truncate(max(8, width - 2))
        return Group(first, Text("  " + shorten(self._waiting or figures, max(8, width - 4)), style="dim"))
