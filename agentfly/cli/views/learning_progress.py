"""A course of learning as a person watches it: a live region at a terminal, a line now and then elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from agentfly import events
from agentfly.cli.text import count, money, one_line, seconds, shorten
from agentfly.cli.views.console import text
from agentfly.learning.intervals import wilson

if TYPE_CHECKING:
    from agentfly.learning.adaptation.course import Progress

NAMES = {"base": "base", "learn": "learning", "validate": "validation", "test": "test"}
LABEL = 15
"""Columns of a phase's name."""
BAR = 36
"""Most columns of the bar."""
QUIET_SECONDS = 30.0
"""Between two lines about the same phase, where there is no terminal."""


class CourseView:
    """Draws the progress of a course.

    Args:
        console: where to draw; standard error, so that the output stays clean.
        still: draw nothing that moves, also at a terminal.
    """

    def __init__(self, console: Console, *, still: bool = False) -> None:
        self._console = console
        self._moving = console.is_terminal and not console.is_dumb_terminal and not still
        self._live: Live | None = None
        self._spinner = Spinner("dots", style="cyan")
        self._lock = threading.RLock()
        self._now: Progress | None = None
        self._learned: Progress | None = None
        self._told_at = 0.0
        self._waiting, self._said = "", set[str]()

    def __enter__(self) -> Self:
        if self._moving:
            self._live = Live(
                self, console=self._console, refresh_per_second=8, transient=True, redirect_stdout=False,
                redirect_stderr=False,
            )  # fmt: skip
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the region away. May be called twice."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def begin(self, model: str, why: str) -> None:
        """Say who works."""
        if self._moving:
            self._print(Text(f"model {one_line(model)} ({one_line(why)})", style="dim"))

    def event(self, event: events.Event) -> None:
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

    def progress(self, progress: Progress) -> None:
        """Draw how far it is."""
        with self._lock:
            before, self._now = self._now, progress
            begins = before is None or before.phase != progress.phase or before.done > progress.done
            if before is None and progress.resumed:
                self._print(Text(f"agentfly: going on with {progress.id}"))
            if progress.phase == "learn":
                self._learned = progress
            over = progress.done >= progress.total
            moved = time.monotonic()
            if over and not (begins and progress.resumed):
                self._print(self._line(progress))
            elif not self._moving and not begins and moved - self._told_at >= QUIET_SECONDS:
                self._print(self._line(progress, left=True))
            else:
                self._told_at = moved if begins else self._told_at

    def interrupted(self) -> None:
        """Say how far it came; the region goes first."""
        self.stop()
        self._print(Text(f"agentfly: {self._how_far()}"))

    def _how_far(self) -> str:
        if self._now is None:
            return "interrupted before the first sample; the same command begins again"
        learned = self._learned
        far = f"{learned.done} of {count(learned.total, 'sample')} learned from" if learned else "nothing learned yet"
        phase = "" if self._now.phase == "learn" else f", {_name(self._now.phase)} {self._now.done}/{self._now.total}"
        return f"interrupted: {far}{phase}; what is done is kept, and the same command goes on there ({self._now.id})"

    def _print(self, line: Text) -> None:
        self._told_at = time.monotonic()
        self._console.print(line, soft_wrap=not self._moving)

    def _line(self, progress: Progress, *, left: bool = False) -> Text:
        done = f"{progress.done}/{progress.total}"
        parts = [f"{_name(progress.phase):{LABEL}} {done:>9}", *_figures(progress)]
        return Text("  ".join(parts + ([f"{seconds(progress.left)} left"] if left and progress.left else [])))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # Without the lock: who prints holds it and waits for the region, which is drawn by a thread of its own.
        now = self._now
        yield self._idle(options.max_width) if now is None else self._region(now, options.max_width)

    def _idle(self, width: int) -> Spinner:
        self._spinner.text = Text(shorten(self._waiting or "starting", max(8, width - 4)), style="dim")
        return self._spinner

    def _region(self, now: Progress, width: int) -> Group:
        """Two lines that are narrower than the terminal: the ^C that it echoes would wrap them."""
        self._spinner.text = ""
        frame = self._spinner.render(self._console.get_time())
        name, told = f" {shorten(_name(now.phase), LABEL):{LABEL}} ", f" {now.done}/{now.total} {self._left(now)}"
        room = min(BAR, width - LABEL - len(told) - 5)
        done = room * now.done // max(1, now.total)
        bar = (("━" * done, "cyan"), ("━" * (room - done), "dim")) if room >= 4 else ("",)
        first = Text.assemble(frame if isinstance(frame, Text) else "", name, *bar, (told, "dim"))
        first.truncate(max(8, width - 2))
        figures = self._waiting or ", ".join(_figures(now))
        return Group(first, Text("  " + shorten(figures, max(8, width - 4)), style="dim"))

    def _left(self, now: Progress) -> str:
        if now.left is None:
            return ""
        return f"{seconds(max(10.0, now.left))} left" if now.left >= 10 else "a few seconds left"


def _name(phase: str) -> str:
    """A phase in words."""
    _, _, shown = phase.partition(":")
    return (
        f"only {shown.replace('+', ', ')}".replace("only nothing", "nothing shown")
        if shown
        else NAMES.get(phase, phase)
    )


def _figures(progress: Progress) -> list[str]:
    """Accuracy with its interval, tokens and cost."""
    if not progress.done:
        return []
    within = wilson(progress.correct, progress.done)
    share = f"{progress.correct / progress.done:.1%} right ({within.low:.0%} to {within.high:.0%})"
    parts = [share, count(progress.usage.tokens, "token")]
    return parts if progress.usage.cost_usd <= 0 else [*parts, money(progress.usage.cost_usd)]
