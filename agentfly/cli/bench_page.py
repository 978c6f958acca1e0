"""Where the pages of `agentfly bench` go, and how much is in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agentfly.errors import InputError

if TYPE_CHECKING:
    from agentfly.pages.traces import Wanted

_WORDS = ("auto", "all", "wrong", "none")


def which(given: str) -> Wanted:
    """What ``--traces`` asks for.

    Raises:
        InputError: it is none of the words and no number.
    """
    from agentfly.pages.traces import Wanted

    if given.isdecimal():
        return Wanted(most=int(given))
    if given not in _WORDS:
        raise InputError(f"--traces {given!r}: give all, wrong, none, or how many tasks")
    return Wanted.of(given)


def write(path: Path, html: str) -> None:
    """Write a page and say where it is."""
    from agentfly.cli.failures import say
    from agentfly.pages.frame import write_page

    write_page(path, html)
    say(f"the page is in {path} ({len(html.encode()) / 1e6:,.1f} MB)")
