"""The entry point: exit status and errors in one line.

0 done; 1 the task failed; 2 the person must change something; 130 interrupted.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from agentfly.cli import state
from agentfly.cli.interrupt import guard


def main() -> NoReturn:
    """The console script. Signals are taken over first, then the heavier imports are made."""
    guard.install()
    # Imports make objects by the hundred thousand that live to the end: looking through them for garbage again and
    # again costs a quarter of the start, and once more at the end several times what the rest of the exit takes.
    gc.set_threshold(50_000, 20, 20)
    try:
        code = run_cli()
    finally:
        if guard.stopping:
            guard.leave()
    gc.freeze()
    sys.exit(code)


def run_cli(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: arguments without the program's name, by default this process's.

    Returns:
        The exit status.
    """
    state.reset()
    _lenient_streams()
    try:
        code = _dispatch(argv)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return _reader_gone()
    except Exception as error:  # noqa: BLE001 - the outermost boundary: every error becomes one line and a status
        from agentfly.cli.failures import report

        return report(error)


def _dispatch(argv: Sequence[str] | None) -> int:
    from agentfly.cli.app import app

    code = app(args=None if argv is None else list(argv), prog_name="agentfly", standalone_mode=False)
    return code if isinstance(code, int) else 0


def _lenient_streams() -> None:
    """A character that the terminal's encoding lacks must not end a run."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _reader_gone() -> int:
    """Whoever read our output has closed it (`| head`): end quietly, and keep Python's own flush at exit quiet too."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
