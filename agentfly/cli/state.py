"""What options decide for the whole process."""

from __future__ import annotations

debug: bool = False
"""Whether errors show their traceback."""


def reset() -> None:
    """Back to the defaults; a process may run several commands (tests do)."""
    global debug
    debug = False


def set_debug(value: bool) -> None:
    """Remember `--debug`, wherever on the command line it stood."""
    global debug
    debug = debug or value
