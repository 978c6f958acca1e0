"""Consoles: colours and widths that suit a terminal, and plain text where there is none."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from rich.console import Console
from rich.text import Text

from agentfly.cli.text import plain

MAX_WIDTH = 110
"""Lines longer than this are hard to read; wider terminals keep a margin."""
PIPE_WIDTH = 100
"""Columns where there is no terminal and ``COLUMNS`` says nothing."""
ROW_WIDTH = 400
"""The same for tables: one line a row, nothing cut."""


def out() -> Console:
    """Standard output."""
    return make_console(sys.stdout)


def err() -> Console:
    """Standard error, for notices and progress."""
    return make_console(sys.stderr)


def make_console(stream: TextIO) -> Console:
    """A console on a stream; markup, emoji codes and automatic highlighting are off, since most text is not ours."""
    console = Console(file=stream, markup=False, emoji=False, highlight=False, soft_wrap=False)
    if not console.is_terminal:
        width = given_width() or PIPE_WIDTH
        return Console(file=stream, markup=False, emoji=False, highlight=False, width=width, no_color=True)
    if console.width > MAX_WIDTH:
        console.width = MAX_WIDTH
    return console


def given_width() -> int | None:
    """Columns that the environment asks for, where that makes sense."""
    given = os.environ.get("COLUMNS", "")
    return int(given) if given.isdecimal() and int(given) >= 20 else None


def text(value: str, style: str = "") -> Text:
    """Text that is not ours: control characters shown, markup taken literally."""
    return Text(plain(value), style=style)
