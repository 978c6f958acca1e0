"""A progress bar on standard error for work that is counted in items; nothing where there is no terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from agentfly.cli.views import console


@contextlib.contextmanager
def counted(what: str, total: Callable[[], int | None]) -> Iterator[Callable[[int], None]]:
    """A bar that vanishes at the end; the yielded function takes the number of items done.

    Args:
        what: a word or two in front of it.
        total: tells how many there are, None is unknown; asked only where the bar is drawn.
    """
    screen = console.err()
    if not screen.is_terminal or screen.is_dumb_terminal:
        yield lambda done: None
        return
    columns = (
        SpinnerColumn(style="cyan"), TextColumn("{task.description}", markup=False), BarColumn(bar_width=30),
        MofNCompleteColumn(), TimeRemainingColumn(compact=True),
    )  # fmt: skip
    # Not as wide as the terminal: the ^C that it echoes would wrap, and a line be left behind.
    with Progress(*columns, console=screen, transient=True) as progress:
        task = progress.add_task(what, total=total())
        yield lambda done: progress.update(task, completed=done)
