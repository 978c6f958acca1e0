"""A benchmark run as a person watches it: a live region at a terminal, a line now and then elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from agentfly.cli.text import count, money, seconds
from agentfly.cli.views.region import CountingRegion
from agentfly.learning.intervals import wilson

if TYPE_CHECKING:
    from agentfly.bench.running.progress import Progress


class BenchView(CountingRegion):
    """Draws the progress of a benchmark run.

    Args:
        console: where to draw; standard error, so that the output stays clean.
        folder: of the results.
        still: draw nothing that moves, also at a terminal.
    """

    def __init__(self, console: Console, folder: Path, *, still: bool = False) -> None:
        super().__init__(console, still=still)
        self._folder = folder
        self._now: Progress | None = None

    def progress(self, progress: Progress) -> None:
        """Draw how far it is."""
        with self._lock:
            before, self._now = self._now, progress
            if before is None and progress.resumed and progress.done < progress.total:
                self._print(Text(f"agentfly: going on, {progress.done} of {progress.total} are done"))
            if before is not None and progress.done >= progress.total:
                self._print(self._line(progress))
            elif self._silent:
                self._print(self._line(progress, left=True))

    def interrupted(self) -> None:
        """Say how far it came; the region goes first."""
        self.stop()
        now = self._now
        if now is None:
            self._print(Text("agentfly: interrupted before the first attempt; the same command begins again"))
            return
        far = f"interrupted: {now.done} of {count(now.total, 'attempt')} done"
        self._print(Text(f"agentfly: {far}; what is done is kept, and the same command goes on there ({self._folder})"))

    def _line(self, now: Progress, *, left: bool = False) -> Text:
        parts = [f"{now.done}/{now.total}", *figures(now)]
        return Text("  ".join(parts + ([f"{seconds(now.left)} left"] if left and now.left else [])))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        now, width = self._now, options.max_width
        if now is None:
            yield self._idle(width)
            return
        yield self._bar(
            " ", now.done, now.total, f" {now.done}/{now.total} {_left(now)}", ", ".join(figures(now)), width
        )


def figures(now: Progress) -> list[str]:
    """Accuracy so far with its interval, tokens, cost and errors."""
    if not now.done:
        return []
    parts = []
    if now.judged:
        share = now.correct / now.judged
        within = wilson(share * now.tasks, now.tasks)
        parts.append(f"{share:.1%} right ({within.low:.0%} to {within.high:.0%})")
    parts.append(count(now.usage.tokens, "token"))
    if now.usage.cost_usd > 0:
        parts.append(money(now.usage.cost_usd))
    if now.errors:
        parts.append(count(now.errors, "error"))
    return parts


def _left(now: Progress) -> str:
    if now.left is None:
        return ""
    return f"{seconds(max(10.0, now.left))} left" if now.left >= 10 else "a few seconds left"
