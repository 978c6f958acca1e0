"""Asking the person at the terminal for a line, so that the wait can be ended at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from agentfly.errors import ConfigError

_TURN = threading.Lock()
_PATIENCE = 0.2  # seconds between two looks at whether the wait for one's turn is over
_CHUNK = 65_536


class Terminal:
    """Asks on standard error and reads from standard input, one question at a time in the whole process.

    Args:
        pausing: gives what is held while a question is on the screen, such as one that takes a progress display away.
    """

    def __init__(self, pausing: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext) -> None:
        self._pausing = pausing

    def check(self) -> None:
        """Raise `ConfigError` where nobody can be asked."""
        try:
            there = os.isatty(sys.stdin.fileno())
        except (AttributeError, OSError, ValueError):  # none, closed, or replaced by something else
            there = False
        if not there:
            raise ConfigError(
                "the human scorer asks a person at the terminal, and standard input is none; run it in a terminal, or give "
                "HumanScorer(ask=...) a function that asks"
            )

    async def __call__(self, prompt: str) -> str | None:
        """The line that is typed; None at the end of input (Ctrl-D).

        Raises:
            ConfigError: standard input is no terminal.
        """
        self.check()
        source = sys.stdin.fileno()
        waking, wake = os.pipe()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str | None] = loop.create_future()
        over = threading.Event()

        def give(line: str | None) -> None:
            if not answer.done():
                answer.set_result(line)

        def work() -> None:
            # A thread that waits in `input` holds a lock of standard input, and the interpreter cannot end then.
            line = _ask(prompt, source, waking, over)
            os.close(waking)
            with contextlib.suppress(RuntimeError):  # the loop was closed, nobody waits
                loop.call_soon_threadsafe(give, line)

        try:
            with self._pausing():
                threading.Thread(target=work, daemon=True, name="agentfly-asking").start()
                return await answer
        finally:
            over.set()
            os.close(wake)


def _ask(prompt: str, source: int, waking: int, over: threading.Event) -> str | None:
    while not _TURN.acquire(timeout=_PATIENCE):
        if over.is_set():
            return None
    try:
        if over.is_set():
            return None
        _forget_typed(source)
        _say(prompt, source)
        return _line(source, waking)
    except OSError:  # the terminal is gone
        return None
    finally:
        _TURN.release()


def _say(prompt: str, source: int) -> None:
    """On standard error, or on the terminal itself where that goes elsewhere.

    What is typed gets a line of its own: a display of one line that is not paused then leaves the question readable.
    """
    prompt = f"{prompt.rstrip()}\n> "
    if sys.stderr.isatty():
        sys.stderr.write(prompt)
        sys.stderr.flush()
        return
    with Path(os.ttyname(source)).open("w", encoding="utf-8", errors="replace") as screen:
        screen.write(prompt)


def _line(source: int, waking: int) -> str | None:
    """One line of a terminal, which gives whole lines; None at its end, or when the other end of `waking` is closed."""
    ready, _, _ = select.select([source, waking], [], [])
    if waking in ready:
        return None
    typed = os.read(source, _CHUNK)
    return typed.decode("utf-8", "replace").rstrip("\r\n") if typed else None


def _forget_typed(source: int) -> None:
    """What was typed before the question was there is no answer to it."""
    import termios

    with contextlib.suppress(termios.error):
        termios.tcflush(source, termios.TCIFLUSH)
