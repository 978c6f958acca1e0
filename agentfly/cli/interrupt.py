"""Ctrl-C and termination: cancel first, then make sure.

The first signal cancels the running task, or raises `KeyboardInterrupt` where none runs. A watching thread is woken by
the signal itself (`signal.set_wakeup_fd`, written by the C handler), so that it also acts while the main thread is
inside a library call that never returns to Python: when the grace is over it kills what children are left and ends the
process.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Coroutine
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:  # this module is loaded before anything else, to leave no moment in which Ctrl-C is not ours
    import asyncio

T = TypeVar("T")

GRACE_SECONDS = 1.4
ECHO_SECONDS = 0.3
"""A second signal within this time is the same key press, delivered to process and group."""
NUDGE_SECONDS = 0.1
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Guard:
    """Ends the process in good time once it was told to stop.

    Args:
        grace: seconds between the signal and the hard end.
    """

    def __init__(self, grace: float = GRACE_SECONDS) -> None:
        self._grace = grace
        self._lock = threading.Lock()
        self._deadline: float | None = None
        self._first = 0.0
        self._received: int | None = None
        self._task: asyncio.Task[Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pipe: tuple[int, int] | None = None
        self._terminal: list[Any] | None = None
        self._main, self._number = 0, int(signal.SIGINT)

    def install(self) -> None:
        """Take over SIGINT and SIGTERM; does nothing outside the main thread or when called again."""
        if self._pipe is not None or threading.current_thread() is not threading.main_thread():
            return
        self._pipe = os.pipe()
        for end in self._pipe:
            os.set_blocking(end, False)
        self._terminal = _terminal_state()
        signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        self._main = threading.get_ident()
        for number in SIGNALS:
            signal.signal(number, self._on_signal)
        threading.Thread(target=self._watch, args=(self._pipe[0],), name="interrupt-watch", daemon=True).start()

    @property
    def stopping(self) -> bool:
        """Whether a signal came that nobody dealt with."""
        return self._received is not None

    def disarm(self) -> None:
        """The interrupt was dealt with and the program goes on (chat returns to its prompt)."""
        with self._lock:
            self._drain()
            self._deadline = None
            self._received = None

    def run(self, runner: asyncio.Runner, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine; a signal cancels it.

        Raises:
            KeyboardInterrupt: interrupted, also when the work ended all the same.
            SystemExit: terminated (143).
        """
        import asyncio

        async def watched() -> T:
            self._task, self._loop = asyncio.current_task(), asyncio.get_running_loop()
            try:
                return await work
            finally:
                self._task = None

        try:
            result = runner.run(watched())
        except asyncio.CancelledError:
            if self._received is None:
                raise
            self._stop()
        if self._received is not None:
            self._stop()
        return result

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        again, self._received = self._received is not None, number
        if self._task is not None and self._loop is not None:
            if not again:
                self._loop.call_soon_threadsafe(self._task.cancel)
        elif not again:
            self._stop()

    def _stop(self) -> NoReturn:
        if self._received == signal.SIGTERM:
            raise SystemExit(128 + signal.SIGTERM)
        raise KeyboardInterrupt

    def _watch(self, fd: int) -> None:
        while True:
            ready, _, _ = select.select([fd], [], [], self._patience())
            with self._lock:
                if ready:
                    self._note(self._drain())
                elif self._deadline is not None and time.monotonic() >= self._deadline:
                    self._leave()
                elif self._unheard():
                    signal.pthread_kill(self._main, self._number)

    def _patience(self) -> float | None:
        """Seconds to wait for the next signal."""
        deadline = self._deadline
        if deadline is None:
            return None
        return NUDGE_SECONDS if self._unheard() else max(0.0, deadline - time.monotonic())

    def _unheard(self) -> bool:
        """Whether the main thread has not handled the signal yet. One that came just before readline began to wait for
        keys is not seen until the next one: hence the nudge, while it still counts as the same key press."""
        waited = time.monotonic() - self._first
        return self._deadline is not None and self._received is None and waited < ECHO_SECONDS - NUDGE_SECONDS

    def _drain(self) -> bytes:
        if self._pipe is None:
            return b""
        with contextlib.suppress(BlockingIOError):
            return os.read(self._pipe[0], 64)
        return b""

    def _note(self, received: bytes) -> None:
        """Arm, or leave at once on a second press."""
        told = [number for number in SIGNALS if number in received]
        if not told:
            return
        now = time.monotonic()
        if self._deadline is None:
            self._first, self._deadline, self._number = now, now + self._grace, told[0]
        elif now - self._first > ECHO_SECONDS:
            self._leave()

    def leave(self) -> NoReturn:
        """End now, all being closed: taking the interpreter apart can take seconds, and nobody could interrupt that."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        self._leave()

    def _leave(self) -> NoReturn:
        from agentfly.cli.processes import kill_descendants

        kill_descendants()
        _restore_terminal(self._terminal)
        os._exit(128 + (self._received or self._number))


def _terminal_state() -> list[Any] | None:
    if not os.isatty(0):
        return None
    import termios

    with contextlib.suppress(termios.error):
        return termios.tcgetattr(0)
    return None


def _restore_terminal(state: list[Any] | None) -> None:
    """Echo and cursor back, as a live view or line editor may have left them."""
    if state is not None:
        import termios

        with contextlib.suppress(termios.error):
            termios.tcsetattr(0, termios.TCSANOW, state)
    for fd in (1, 2):
        if os.isatty(fd):
            with contextlib.suppress(OSError):
                os.write(fd, b"\x1b[?25h\x1b[0m")
            break


guard = Guard()
"""The one of this process."""
