"""A folder of results as one benchmark run: what was selected, what came of it so far, and whether somebody is at it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from agentfly.bench.folder import LOCK, Event, ResultsFolder, worked
from agentfly.bench.results import BenchmarkRun, Selected
from agentfly.errors import InputError

State = Literal["done", "running", "stopped"]
"""``done``: everything has a result; ``running``: a process is writing; ``stopped``: neither, a resume would go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a folder holds, read at one moment."""

    path: Path
    config: Mapping[str, Any]
    """See `agentfly.bench.configuration.configuration`."""
    run: BenchmarkRun
    state: State
    events: Sequence[Event]

    @property
    def done(self) -> int:
        """Attempts that have a result."""
        return len(self.run.results)

    @property
    def planned(self) -> int:
        """All selected tasks times the attempts at each."""
        return len(self.run.tasks) * self.run.attempts

    @property
    def started(self) -> float | None:
        """Seconds since the epoch, as the following."""
        return self.events[0].time if self.events else None

    @property
    def ended(self) -> float | None:
        """When it ended or was last interrupted; None while somebody is at it."""
        return self.events[-1].time if self.events and self.state != "running" else None

    @property
    def worked(self) -> float:
        """Seconds in which somebody was at it, pauses left out."""
        events = list(self.events)
        if events and events[-1].event in ("start", "resume") and self.run.results:
            # It runs or was killed: what is known of it reaches to its last result.
            last = max(result.started + result.seconds for result in self.run.results)
            events.append(Event(event="interruption", time=last))
        return worked(events)

    def find(self, *names: str) -> Any:
        """The first of some dotted names in the configuration that is there and not empty; None where none is.

        Args:
            names: such as ``decides.model``.
        """
        for name in names:
            place: Any = self.config
            for part in name.split("."):
                place = place.get(part) if isinstance(place, Mapping) else None
            if place not in (None, "", [], {}):
                return place
        return None


def recorded(path: str | Path) -> Recorded:
    """Read a folder; somebody may be writing to it meanwhile.

    Raises:
        InputError: it is no folder of results, or something in it is damaged.
    """
    with ResultsFolder(path) as folder:
        config = folder.config
        # Whether somebody writes is asked first: what is finished in between is then told as it is.
        writing = _writing(folder.path / LOCK)
        try:
            run = BenchmarkRun(
                name=folder.path.name,
                tasks=tuple(_selected(config["decides"].get("tasks"))),
                results=tuple(folder.results()),
                attempts=_attempts(config["decides"].get("attempts", 1)),
                dataset=_dataset(config["decides"]),
            )
        except _NotReadableError as error:
            raise InputError(f"{folder.path / 'config.json'} does not say {error}") from None
        except InputError as error:
            said = str(error)
            raise InputError(said if said.startswith(str(folder.path)) else f"{folder.path}: {said}") from None
        events = folder.events()
    found = Recorded(path=folder.path, config=config, run=run, state="stopped", events=events)
    return replace(found, state="done" if found.done == found.planned else "running" if writing else "stopped")


def all_recorded(paths: Iterable[str | Path]) -> list[Recorded]:
    """Read several folders and give each run a name of its own, the shortest end of its path that no other has.

    Raises:
        InputError: a folder is there twice, or cannot be read.
    """
    found = [recorded(path) for path in paths]
    places = [one.path.resolve() for one in found]
    if len(set(places)) < len(places):
        twice = next(place for number, place in enumerate(places) if place in places[:number])
        raise InputError(f"{twice} is given twice: a benchmark run is compared with another one")
    return [replace(one, run=replace(one.run, name=_name(one.path, [each.path for each in found]))) for one in found]


class _NotReadableError(Exception):
    """What a configuration ought to say."""


def _selected(tasks: object) -> Iterator[Selected]:
    """The selected tasks as a configuration holds them: objects with ``task_id``, ``level`` and ``judged``, or bare ids."""
    if not isinstance(tasks, list) or not tasks:
        raise _NotReadableError("which tasks were selected (decides.tasks)")
    for task in tasks:
        about = task if isinstance(task, dict) else {"task_id": task}
        name, level = about.get("task_id"), about.get("level")
        if not isinstance(name, str) or not name:
            raise _NotReadableError("the ids of the tasks that were selected (decides.tasks)")
        yield Selected(
            task_id=name, level=None if level is None else str(level), judged=about.get("judged", True) is not False
        )


def _attempts(number: object) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise _NotReadableError("how many attempts were planned (decides.attempts)")
    return number


def _dataset(decides: Mapping[str, Any]) -> str:
    dataset = decides.get("dataset")
    known = dataset.get("hash") if isinstance(dataset, Mapping) else None
    return known if isinstance(known, str) else ""


def _writing(lock: Path) -> bool:
    """Whether a process holds the lock of a folder."""
    try:
        handle = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        with contextlib.suppress(OSError):
            os.close(handle)
    return False


def _name(path: Path, paths: Sequence[Path]) -> str:
    for length in range(1, len(path.parts)):
        end = path.parts[-length:]
        if sum(other.parts[-length:] == end for other in paths) == 1:
            return "/".join(end)
    return str(path)
