"""A benchmark run's answers for a leaderboard: one attempt at each selected task, with its steps as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentfly.bench.folder import ResultsFolder
from agentfly.bench.predictions import export_gaia
from agentfly.bench.recorded import recorded
from agentfly.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written."""

    lines: int
    attempts: int
    """Planned at each task."""
    chosen: bool
    """Whether somebody chose the attempt."""
    empty: tuple[str, ...]
    """Ids of tasks without an answer."""
    untraced: tuple[str, ...]
    """Ids of tasks that have a result whose record cannot be read."""


def export_run(folder: str | Path, path: str | Path, attempt: int | None = None, *, force: bool = False) -> Exported:
    """Write the answers of one attempt at each selected task in GAIA's form.

    The attempt is chosen by its number alone, never by what came of it.

    Args:
        folder: of the benchmark run.
        path: of the file.
        attempt: counted from 0; None is the first.
        force: whether a file that is there is replaced.

    Raises:
        InputError: the folder cannot be read, there is no such attempt, or the file is there or cannot be written.
    """
    found = recorded(folder)
    run, number = found.run, attempt or 0
    if number >= run.attempts:
        last = f"0 to {run.attempts - 1}" if run.attempts > 1 else "only 0"
        raise InputError(f"there is no attempt {number} in {found.path}: there is {last}")
    answers = {one.task_id: one.answer for one in run.results if one.attempt == number}
    empty = tuple(task.task_id for task in run.tasks if not answers.get(task.task_id))
    untraced: list[str] = []
    with ResultsFolder(found.path) as source:

        def lines() -> Iterator[tuple[str, str | None, str]]:
            for task in run.tasks:
                trace = _trace(source, task.task_id, number) if task.task_id in answers else ""
                if trace is None:
                    untraced.append(task.task_id)
                yield task.task_id, answers.get(task.task_id), trace or ""

        written = export_gaia(lines(), path, force=force)
    return Exported(
        lines=written, attempts=run.attempts, chosen=attempt is not None, empty=empty, untraced=tuple(untraced)
    )


def _trace(source: ResultsFolder, task_id: str, attempt: int) -> str | None:
    try:
        return reasoning_trace(source.trace(task_id, attempt))
    except InputError:
        return None


def reasoning_trace(record: object) -> str:
    """The steps of an attempt as text: what was thought, done and seen."""
    parts = []
    for number, step in enumerate(steps_of(record), start=1):
        parts.append(f"Step {number}")
        for field, title in (("thought", "Thought"), ("action", "Action"), ("observation", "Observation")):
            value = str(step.get(field) or "").strip()
            if value:
                parts.append(f"{title}: {value}")
    return "\n\n".join(parts)


def steps_of(record: object) -> Sequence[Mapping[str, Any]]:
    """The steps in the record of a run or of an attempt, as plain data; none where it has another shape."""
    steps = attempt_of(record).get("steps")
    return [step for step in steps if isinstance(step, Mapping)] if isinstance(steps, list) else []


def attempt_of(record: object) -> Mapping[str, Any]:
    """The attempt in the record of a run, or the record itself."""
    if not isinstance(record, Mapping):
        return {}
    attempt = record.get("attempt")
    return attempt if isinstance(attempt, Mapping) else record
