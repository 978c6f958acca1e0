"""The steps of attempts, as far as a page has room for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agentfly.bench.folder import ResultsFolder
from agentfly.bench.leaderboard import attempt_of, steps_of
from agentfly.bench.results import Result
from agentfly.errors import InputError

BUDGET = 4_000_000
"""Characters of steps in a page, unless all are wanted: a browser opens it at once, and it can be sent by mail."""
LONGEST = 20_000
"""Characters of one text in a page."""
Which = Literal["auto", "all", "wrong", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which tasks' steps a page is to have.

    Args:
        most: tasks; None is all.
        wrong: only those that were not always right.
        budget: characters; None is no limit.
    """

    most: int | None = None
    wrong: bool = False
    budget: int | None = None

    @classmethod
    def of(cls, which: str) -> Wanted:
        """What a word of ``--traces`` means."""
        return cls(
            most=0 if which == "none" else None, wrong=which == "wrong", budget=BUDGET if which == "auto" else None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShown:
    """A step as a page shows it."""

    thought: str
    action: str
    observation: str
    error: bool
    spent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptShown:
    """An attempt with its steps."""

    label: str
    result: Result
    steps: tuple[StepShown, ...]
    helped: tuple[tuple[str, str], ...] = ()
    """Ids of the cases and bullets that it was shown, by kind."""
    note: str = ""
    """Why there are no steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskShown:
    """A task that has a part of the page to itself."""

    anchor: str
    task_id: str
    level: str | None
    question: str
    reference: str | None
    files: tuple[str, ...]
    attempts: tuple[AttemptShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A task that could be shown.

    Args:
        anchor: names its part of the page.
        task_id: of the task.
        level: of the task.
        attempts: label, folder and result of each attempt.
    """

    anchor: str
    task_id: str
    level: str | None
    attempts: Sequence[tuple[str, ResultsFolder, Result]]


def shown(asked: Iterable[Asked], wanted: Wanted) -> dict[str, TaskShown]:
    """The first of the tasks, as many as are wanted and there is room for.

    Returns:
        By anchor, in the order in which they came.
    """
    found: dict[str, TaskShown] = {}
    size = 0
    for one in asked:
        if len(found) == wanted.most:
            break
        task = _task(one)
        size += _size(task)
        if wanted.budget is not None and size > wanted.budget:
            break
        found[one.anchor] = task
    return found


def _task(asked: Asked) -> TaskShown:
    about: Mapping[str, Any] = {}
    attempts = []
    for label, folder, result in asked.attempts:
        try:
            record = folder.trace(result.task_id, result.attempt)
        except InputError as error:
            attempts.append(AttemptShown(label=label, result=result, steps=(), note=str(error)))
            continue
        steps = tuple(_steps(record))
        note = "" if steps else _text(attempt_of(record).get("reason")) or "There is no step on record."
        attempts.append(AttemptShown(label=label, result=result, steps=steps, helped=tuple(_helped(record)), note=note))
        if not about and isinstance(record, Mapping) and isinstance(record.get("task"), Mapping):
            about = record["task"]
    reference, files = about.get("reference"), about.get("files")
    return TaskShown(
        anchor=asked.anchor,
        task_id=asked.task_id,
        level=asked.level,
        question=_text(about.get("question")),
        reference=None if reference is None else _text(reference),
        files=tuple(str(file).rsplit("/", 1)[-1] for file in files) if isinstance(files, list) else (),
        attempts=tuple(attempts),
    )


def _helped(record: object) -> Iterator[tuple[str, str]]:
    attempt = attempt_of(record)
    for field, name in (
        ("shown_cases", "cases shown"),
        ("shown_bullets", "bullets shown"),
        ("checks", "checks"),
        ("cited", "cited"),
    ):
        ids = attempt.get(field)
        if isinstance(ids, list) and ids:
            yield name, _text(", ".join(map(str, ids)))


def _steps(record: object) -> Iterator[StepShown]:
    for step in steps_of(record):
        usage = step.get("usage")
        used = usage if isinstance(usage, Mapping) else {}
        tokens = _number(used.get("prompt_tokens")) + _number(used.get("completion_tokens"))
        seconds = _number(used.get("seconds")) + _number(step.get("seconds"))
        yield StepShown(
            thought=_text(step.get("thought")),
            action=_text(step.get("action")),
            observation=_text(step.get("observation")),
            error=step.get("error") is True,
            spent=f"{tokens:,.0f} tokens, {seconds:.1f} s",
        )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _text(value: object) -> str:
    told = "" if value is None else str(value).strip("\n")
    return (
        told if len(told) <= LONGEST else f"{told[:LONGEST]}\n… {len(told) - LONGEST:,} more characters are on record"
    )


def _size(task: TaskShown) -> int:
    texts = [task.question]
    for attempt in task.attempts:
        texts += [attempt.result.answer or "", attempt.result.error]
        for step in attempt.steps:
            texts += [step.thought, step.action, step.observation]
    return sum(map(len, texts))


def told(number: int, total: int, noun: str, wanted: Wanted) -> str:
    """How many have their steps in the page, and how to have more."""
    if number == total:
        return ""
    if wanted.most == 0:
        return "Steps are not in this page (--traces none); they are on record in traces.db."
    why = "those that were not always right first" if not wanted.wrong else "those that were not always right"
    how = "" if wanted.budget is None else f" More than {wanted.budget / 1e6:.0f} MB would be slow to open;"
    return (
        f"The steps of {number:,} of {total:,} {noun} are in this page, {why}.{how} --traces all puts all of them in."
    )
