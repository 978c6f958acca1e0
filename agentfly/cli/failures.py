"""Errors as one line on stderr, and the exit status that goes with each."""

from __future__ import annotations

import sys
import traceback

import typer

from agentfly.cli import state
from agentfly.cli.text import one_line
from agentfly.errors import AgentflyError, UserError

# typer brings its own copy of click in some versions; the base classes are reached through what it exports.
UsageError, ClickException = typer.BadParameter.__mro__[1:3]


def report(error: BaseException) -> int:
    """Write an error for a person; with ``--debug`` its traceback too.

    Returns:
        The exit status.
    """
    if state.debug:
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, ClickException):
        return _usage(error)
    say(describe(error))
    return 2 if isinstance(error, UserError) else 1


def describe(error: BaseException) -> str:
    """An error in one line."""
    if isinstance(error, AgentflyError):
        return one_line(str(error)) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return one_line(f"{error.strerror}{where}")
    detail = one_line(str(error))
    what = f"{type(error).__name__}: {detail}" if detail else type(error).__name__
    return f"internal error: {what} (run again with --debug for the traceback)"


def say(line: str) -> None:
    """One line on stderr, in the program's name."""
    print(f"agentfly: {line}", file=sys.stderr)  # noqa: T201


def _usage(error: BaseException) -> int:
    message = str(error.format_message())  # type: ignore[attr-defined]
    if type(error).__name__ == "NoArgsIsHelpError":
        print(message, file=sys.stderr)  # noqa: T201
        return 2
    context = getattr(error, "ctx", None)
    say(one_line(message).rstrip(".") + (f"; see `{context.command_path} --help`" if context else ""))
    return 2
