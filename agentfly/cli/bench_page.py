"""Where the pages of `agentfly bench` go, and how much is in them."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from agentfly.errors import ConfigError, InputError

if TYPE_CHECKING:
    from agentfly.pages.traces import Wanted

_WORDS = ("auto", "all", "wrong", "none")


def page_path(given: Path | None) -> Path | None:
    """Where the page goes; known to be possible before anything is read.

    Raises:
        InputError: it cannot be written there.
        ConfigError: what draws its plots is not installed.
    """
    if given is None:
        return None
    if find_spec("matplotlib") is None:
        raise ConfigError("the plots of --html need matplotlib: pip install 'agentfly-framework[report]'")
    path = given.expanduser().absolute()
    if path.is_dir():
        raise InputError(f"--html {given} is a folder; give the name of a file in it")
    if not path.parent.is_dir():
        raise InputError(f"--html {given}: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"--html {given} cannot be written")
    return path


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
