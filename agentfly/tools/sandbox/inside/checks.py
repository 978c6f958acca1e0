"""The loop of a worker for checks: they run in forks of this process, which itself stays as it was."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import sys
import types
from time import monotonic
from typing import Any, NoReturn

from .channel import Channel
from .report import LONGEST, STOPPED, Report, Row, one_line, verdicts
from .verdict import Check, Refused, World, compiled, judge
from .watch import builtins_for, modules

PATIENCE = 1.0
"""Seconds after which a check that its alarms did not end is killed."""
TOTAL = 30.0
"""Seconds that one check may take on all answers of a request."""
_AT_A_TIME = min(os.cpu_count() or 1, 4)
_LIBRARY = "library"


def serve(channel: Channel) -> NoReturn:
    """Serve a host until it goes away. The first frame holds the library's source."""
    try:
        world = _load(channel)
        null = os.open(os.devnull, os.O_RDWR)
        subjects: list[dict[str, Any]] = []
        while True:
            request = channel.receive()
            if request.get("op") == "subjects":
                subjects = request["subjects"]
            elif request.get("op") == "checks":
                _Round(channel, null, world, subjects, request).run()
    except (EOFError, OSError):  # the host is gone
        os._exit(0)


def _load(channel: Channel) -> World:
    source = channel.receive()["source"]
    module = types.ModuleType(_LIBRARY)
    sys.modules[_LIBRARY] = module
    problem, report = "", Report()
    names = builtins_for(modules(), report.stop)
    try:
        exec(compile(source, f"<{_LIBRARY}>", "exec", dont_inherit=True), module.__dict__)  # noqa: S102  # the host's own
    except Exception as error:  # noqa: BLE001  # whatever it is, the host is told
        problem = one_line(f"{type(error).__name__}: {error}")
    library = {
        name: value
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == _LIBRARY and not name.startswith("_")
    }
    compiled("None", frozenset())  # the compiler makes what it needs
    gc.collect()
    gc.freeze()  # memory that no collection touches stays shared with the forks
    channel.send({"op": "ready", "problem": problem})
    return World({**names, **library}, frozenset(library), report)


class _Fork:
    """Checks that run in a process of their own."""

    def __init__(self, checks: dict[int, Check], pid: int, reading: int) -> None:
        self.checks = checks
        self.pid = pid
        self.reading = reading
        self.data = bytearray()
        self.begun = self.heard = monotonic()

    def due(self, patience: float) -> float:
        """When it must be done, or heard of."""
        return min(self.begun + TOTAL * len(self.checks), self.heard + patience)


class _Round:
    """Checks put to the same answers, in several processes at a time. Each is told of when its process is done.

    A check that was written runs alone. Those that only call the library have nothing to leave behind and share a process,
    as a fork takes longer than all of them; where one of them breaks it, the others are run again.
    """

    def __init__(
        self, channel: Channel, null: int, world: World, subjects: list[dict[str, Any]], request: dict[str, Any]
    ) -> None:
        self._channel = channel
        self._null = null
        self._world = world
        self._subjects = subjects
        self._number = request["id"]
        self._texts: list[str] = request["texts"]
        self._seconds, self._waiting = request["seconds"], request["waiting"]
        self._waiting_for: list[dict[int, Check]] = []
        self._running: dict[int, _Fork] = {}

    def run(self) -> None:
        """Run all of them."""
        self._waiting_for = self._parted()
        while self._waiting_for or self._running:
            if self._waiting_for and len(self._running) < _AT_A_TIME:
                self._start(self._waiting_for.pop(0))
            else:
                self._listen()

    def _parted(self) -> list[dict[int, Check]]:
        """What shares a process."""
        together: dict[int, Check] = {}
        alone: list[dict[int, Check]] = []
        for index, text in enumerate(self._texts):
            try:
                check = compiled(text, self._world.library)
            except Refused as error:
                self._tell(index, [("", one_line(str(error)), 0.0)] * len(self._subjects))
                continue
            if check.calls_only:
                together[index] = check
            else:
                alone.append({index: check})
        return [*([together] if together else []), *alone]

    def _start(self, checks: dict[int, Check]) -> None:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(self._channel.fileno())
                os.dup2(self._null, 1)
                os.dup2(self._null, 2)
                for fd in (reading, *self._running):
                    os.close(fd)
                self._world.report.open(writing)
                judge(checks, self._subjects, self._seconds, self._waiting, self._world)
            finally:
                os._exit(0)
        os.close(writing)
        self._running[reading] = _Fork(checks, pid, reading)

    def _listen(self) -> None:
        """Wait for something from a process, or until one is overdue."""
        patience = self._waiting + PATIENCE
        due = min(fork.due(patience) for fork in self._running.values())
        ready = select.select(list(self._running), [], [], max(due - monotonic(), 0))[0]
        for fork in list(self._running.values()):
            if fork.reading in ready:
                piece = os.read(fork.reading, 1 << 16)
                fork.data += piece
                fork.heard = monotonic()
                if not piece:
                    self._done(fork)
                    continue
            flood = len(fork.data) > len(fork.checks) * len(self._subjects) * 5 * LONGEST
            if flood or monotonic() >= fork.due(patience):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(fork.pid, signal.SIGKILL)
                self._done(fork, stopped=True)

    def _done(self, fork: _Fork, stopped: bool = False) -> None:
        os.close(fork.reading)
        del self._running[fork.reading]
        status = os.waitstatus_to_exitcode(os.waitpid(fork.pid, 0)[1])
        count = len(self._subjects)
        told = verdicts(bytes(fork.data), list(fork.checks), count)
        last = list(told)[-1] if told and status == STOPPED else None
        rest = dict(fork.checks)
        for index in fork.checks:
            rows = told.get(index, [])
            problem = rows[-1][1] if rows else ""
            cut = len(rows) < count and not problem
            if cut:
                problem = _ending(status, stopped, self._seconds, self._waiting)
            self._tell(index, rows + [("", problem, 0.0)] * (count - len(rows)))
            del rest[index]
            if cut or index == last:  # this one ended the process: the next ones were not tried
                break
        if rest:
            self._waiting_for.insert(0, rest)

    def _tell(self, index: int, rows: list[Row]) -> None:
        self._channel.send({"op": "verdicts", "id": self._number, "index": index, "rows": rows})


def _ending(status: int, stopped: bool, seconds: float, waiting: float) -> str:
    """Why a check stopped without a word."""
    if status == -signal.SIGPROF:
        return f"it took longer than {1000 * seconds:g} ms"
    if status == -signal.SIGALRM:
        return f"it was not done after {1000 * waiting:g} ms"
    if stopped:
        return "it did not come to an end and was stopped"
    return "it ended its process" if status >= 0 else f"it broke its process (signal {-status})"
