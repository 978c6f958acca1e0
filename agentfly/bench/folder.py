"""The folder of a benchmark run: written once or appended to, never overwritten; whoever is killed loses nothing that was told."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from agentfly.bench.appending import AppendedFile
from agentfly.bench.configuration import checked, differences, told
from agentfly.bench.results import Key, Result, read_lines, to_line
from agentfly.bench.traces import Traces
from agentfly.errors import InputError
from agentfly.memory.lock import FileLock

CONFIG, RESULTS, EVENTS, TRACES, LOCK = "config.json", "results.jsonl", "events.jsonl", "traces.db", "lock"
_DRAFT = CONFIG + ".new"
EventKind = Literal["start", "resume", "interruption", "end"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to the benchmark run as a whole."""

    event: EventKind
    time: float
    """Seconds since the epoch."""
    about: Mapping[str, Any] = field(default_factory=dict)


class ResultsFolder:
    """A benchmark run's folder, to read: nothing is locked or written, and somebody may be writing to it meanwhile.

    ==================  ==========================================================================
    ``config.json``     what the results depend on, written once, see `agentfly.bench.configuration`
    ``results.jsonl``   a line for each finished attempt, appended to
    ``traces.db``       the full record of each of them
    ``events.jsonl``    when it was started, interrupted, resumed and ended
    ``lock``            held by the process that writes
    ==================  ==========================================================================

    Args:
        path: the folder.

    Raises:
        InputError: it is no such folder, or its configuration is damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().absolute()
        self.config = _read_config(self.path)
        self._traces: Traces | None = None

    @property
    def identity(self) -> str:
        """Hash of all that the results depend on."""
        return str(self.config["identity"])

    def results(self) -> Iterator[Result]:
        """The results in the order in which they were finished, one at a time, see `agentfly.bench.results.read_lines`."""
        return read_lines(self.path / RESULTS)

    def trace(self, task_id: str, attempt: int = 0) -> Any:
        """The record of an attempt as plain data.

        Raises:
            InputError: there is none, or it cannot be read.
        """
        if self._traces is None:
            self._traces = Traces(self.path / TRACES)
        return self._traces.get(task_id, attempt)

    def events(self) -> list[Event]:
        """What happened, in its order.

        Raises:
            InputError: a line is damaged.
        """
        return _read_events(self.path / EVENTS)[0]

    def close(self) -> None:
        """Close what is open. May be called twice."""
        if self._traces is not None:
            self._traces.close()
            self._traces = None

    def __enter__(self) -> ResultsFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ResultsWriter:
    """A benchmark run's folder, to go on with: held by one process, made where there is none yet.

    Use as a context manager: leaving it with an exception puts the interruption on record.

    Args:
        path: the folder: new, empty, or of this very configuration.
        config: see `agentfly.bench.configuration.configuration`.

    Raises:
        InputError: another process writes to it, it is of another configuration, holds something else, is damaged, or
            cannot be written to. Nothing in it was changed then.
    """

    def __init__(self, path: str | Path, config: Mapping[str, Any]) -> None:
        self.path = Path(path).expanduser().absolute()
        self.config = checked(dict(config), "the configuration")
        self._turn = threading.Lock()
        self._parts: list[Traces | AppendedFile] = []
        _make(self.path)
        self._lock = FileLock(self.path / LOCK)
        try:
            if not self._lock.take():
                raise InputError(f"{self.path} is being written to by another process; wait for it to end, or stop it")
            self._open()
        except OSError as error:
            self.close()
            raise InputError(f"{self.path} cannot be used: {error.strerror or error}") from None
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        if (self.path / CONFIG).exists():
            self._refuse_others()
        else:
            _write_once(self.path / CONFIG, self.config)
        torn: list[int] = []
        self.done: set[Key] = {result.key for result in read_lines(self.path / RESULTS, torn.append)}
        """What has a result."""
        events, events_end = _read_events(self.path / EVENTS)
        self._results = AppendedFile(self.path / RESULTS, torn[0] if torn else None)
        self._events = AppendedFile(self.path / EVENTS, events_end)
        self._parts += [self._results, self._events]
        self._traces = Traces(self.path / TRACES, write=True)
        self._parts.append(self._traces)
        self._finished = False
        _sync_folder(self.path)
        if events and events[-1].event in ("start", "resume"):
            # Whoever wrote it was killed: the last that is known of it is its last result.
            last = max(events[-1].time, (self.path / RESULTS).stat().st_mtime)
            self._note("interruption", last, {"reason": "killed"})
        self._note("resume" if events else "start", time.time(), {"results": len(self.done)})

    @property
    def resumed(self) -> bool:
        """Whether there were results before."""
        return bool(self.done)

    def add(self, finished: Iterable[tuple[Result, object]]) -> None:
        """Put finished attempts on disk: when this returns, they stay. Several at once cost hardly more than one.

        Args:
            finished: each result with the record of its attempt, a record of `agentfly.types` or plain data.

        Raises:
            InputError: one has a result already (nothing is written then), or the disk refuses.
        """
        batch = list(finished)
        with self._turn:
            keys: set[Key] = set()
            for result, _ in batch:
                if result.key in self.done or result.key in keys:
                    raise InputError(f"attempt {result.attempt} at {result.task_id!r} has a result already")
                keys.add(result.key)
            # The record first, so that there is no result without one; a record without its result is replaced later.
            self._traces.add((result.key, record) for result, record in batch)
            self._results.append(b"".join(to_line(result) for result, _ in batch))
            self.done |= keys

    def finish(self, **about: Any) -> None:
        """Put on record that everything has a result."""
        self._note("end", time.time(), about)
        self._finished = True

    def interrupt(self, reason: str) -> None:
        """Put on record that it stops before everything has a result."""
        self._note("interruption", time.time(), {"reason": reason})
        self._finished = True

    def close(self) -> None:
        """Let the folder go. May be called twice."""
        for part in self._parts:
            part.close()
        self._lock.release()

    def __enter__(self) -> ResultsWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self._finished:
                self.interrupt(kind.__name__ if kind else "stopped")
        finally:
            self.close()

    def _refuse_others(self) -> None:
        there = _read_config(self.path)
        if there["identity"] != self.config["identity"]:
            differing = told(differences(there["decides"], self.config["decides"]))
            raise InputError(
                f"{self.path} holds the results of another configuration: {differing}; use the same settings or another folder"
            )

    def _note(self, event: EventKind, when: float, about: Mapping[str, Any]) -> None:
        line = json.dumps({"event": event, "time": when, "about": about}, default=str)
        self._events.append(line.encode() + b"\n")


def worked(events: Iterable[Event]) -> float:
    """Seconds in which somebody worked on the benchmark run, as far as its events tell: pauses are left out."""
    total, since = 0.0, None
    for event in events:
        if event.event in ("start", "resume"):
            since = event.time
        elif since is not None:
            total, since = total + max(0.0, event.time - since), None
    return total


def _make(path: Path) -> None:
    """Make the folder; refuse what is no folder of results."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        there = {entry.name for entry in path.iterdir()}
    except FileExistsError:
        raise InputError(f"{path} is a file; give a folder for the results") from None
    except OSError as error:
        raise InputError(f"{path} cannot be used: {error.strerror or error}") from None
    if CONFIG not in there and (strange := sorted(there - {LOCK, _DRAFT})):
        raise InputError(
            f"{path} holds no results but something else ({strange[0]}); give a new or an empty folder, nothing was changed"
        )


def _read_config(path: Path) -> dict[str, Any]:
    file = path / CONFIG
    try:
        return checked(json.loads(file.read_bytes()), str(file))
    except FileNotFoundError:
        raise InputError(f"{path} holds no results of a benchmark run (there is no {CONFIG} in it)") from None
    except NotADirectoryError:
        raise InputError(f"{path} is a file; give the folder of a benchmark run") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{file} is damaged: it is not JSON") from None


def _write_once(path: Path, config: Mapping[str, Any]) -> None:
    draft = path.with_name(_DRAFT)
    with draft.open("w", encoding="utf-8") as file:
        json.dump(config, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    """New names in a folder are on disk when this returns."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read_events(path: Path) -> tuple[list[Event], int | None]:
    """The events, and where the last line begins if it is torn."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return [], None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    events: list[Event] = []
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"\n"):
            return events, sum(map(len, lines[: number - 1]))
        try:
            read = json.loads(line)
            events.append(Event(event=read["event"], time=float(read["time"]), about=read.get("about", {})))
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{path} line {number} is damaged: it is not an event") from None
    return events, None
