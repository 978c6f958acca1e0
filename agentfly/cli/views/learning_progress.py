"""A course of learning as a person watches it: a live region at a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from agentfly.cli.text import count, money, one_line, seconds, shorten
from agentfly.cli.views.region import CountingRegion
from agentfly.learning.intervals import wilson

if TYPE_CHECKING:
    from agentfly.learning.adaptation.course import Progress

NAMES = {"base": "base", "learn": "learning", "validate": "validation", "test": "test"}
LABEL = 15
"""Columns of a phase's name."""


class CourseView(CountingRegion):
    """Draws the progress of a course.

    Args:
        console: where to draw; standard error, so that the output stays clean.
        still: draw nothing that moves, also at a terminal.
    """

    def __init__(self, console: Console, *, still: bool = False) -> None:
        super().__init__(console, still=still)
        self._now: Progress | None = None
        self._learned: Progress | None = None

    def begin(self, model: str, why: str) -> None:
        """Say who works."""
        if self._moving:
            self._print(Text(f"model {one_line(model)} ({one_line(why)})", style="dim"))

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
            if over and not (begins and progress.resumed):
                self._print(self._line(progress))
            elif begins:
                self._told_at = time.monotonic()
            elif self._silent:
                self._print(self._line(progress, left=True))

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

    def _line(self, progress: Progress, *, left: bool = False) -> Text:
        done = f"{progress.done}/{progress.total}"
        parts = [f"{_name(progress.phase):{LABEL}} {done:>9}", *_figures(progress)]
        return Text("  ".join(parts + ([f"{seconds(progress.left)} left"] if left and progress.left else [])))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        now, width = self._now, options.max_width
        if now is None:
            yield self._idle(width)
            return
        name, told = f" {shorten(_name(now.phase), LABEL):{LABEL}} ", f" {now.done}/{now.total} {self._left(now)}"
        yield self._bar(name, now.done, now.total, told, ", ".join(_figures(now)), width)

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
