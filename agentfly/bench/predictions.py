"""Answers in a file: read, judged by the dataset's scorer without a model, and written in the leaderboard's form."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentfly.bench import adapters
from agentfly.bench.datasets import Dataset
from agentfly.bench.rows import DUMMY_ID, read_jsonl
from agentfly.bench.selection import shorted
from agentfly.errors import ConfigError, InputError
from agentfly.memory.files import replaced
from agentfly.protocols import Scorer
from agentfly.scorers import ReferenceScorer, scorer_named
from agentfly.scorers.named import COMPARING
from agentfly.types import Attempt, Task

_ANSWERS = ("model_answer", "answer")
_TEMPLATE = re.compile(r"FINAL ANSWER\s*:", re.IGNORECASE)
_PLACEHOLDER = "[YOUR FINAL ANSWER]"


def final_answer(text: str) -> str | None:
    """The answer in a reply that follows GAIA's prompt, which ends in ``FINAL ANSWER: [YOUR FINAL ANSWER]``.

    The last occurrence counts, in any case of letters; the answer is the first line behind it that is not blank, without the ``**``
    of bold type around it.

    Returns:
        The answer; None where the template is not there or nothing follows it.
    """
    *before, behind = _TEMPLATE.split(text)
    if not before:
        return None
    lines = (line.strip().removeprefix("**").removesuffix("**").strip() for line in behind.splitlines())
    answer = next((line for line in lines if line), None)
    return None if answer == _PLACEHOLDER else answer


# Reading


def read_predictions(path: str | Path, attempt: int | None = None) -> dict[str, str | None]:
    """The answers of a file of JSON lines, by task.

    Args:
        path: lines with ``task_id`` and ``model_answer``, or ``answer`` as a benchmark run's ``results.jsonl`` has it. A number is the
            text that stands there, a flat list its items with commas between; ``null`` is no answer. GAIA's dummy row is passed over.
        attempt: of lines that name one, those of this attempt; needed where a task has several.

    Raises:
        InputError: one line that names the file's line: not JSON, a field missing or of the wrong kind, a task that is there twice.
    """
    source = Path(path).expanduser()
    if not source.is_file():
        raise InputError(f"no file of predictions at {path}: give JSON lines with task_id and model_answer")
    found: dict[str, str | None] = {}
    places: dict[str, tuple[str, str | None]] = {}
    for place, row in read_jsonl(source, numbers_as_text=True):
        task_id, number = _id(row, place), row.get("attempt")
        if task_id == DUMMY_ID or (attempt is not None and number is not None and number != str(attempt)):
            continue
        if task_id in places:
            _refuse_second(task_id, place, number, *places[task_id])
        places[task_id] = place, number
        found[task_id] = _answer(row, place)
    if not found:
        raise InputError(f"{path} holds no predictions" + ("" if attempt is None else f" of attempt {attempt}"))
    return found


def _refuse_second(task_id: str, place: str, number: str | None, first_place: str, first: str | None) -> None:
    if number != first:
        raise InputError(f"{place}: task {task_id!r} has several attempts; choose one with --attempt N")
    raise InputError(f"{place}: task {task_id!r} was already answered in {first_place}")


def _id(row: Mapping[str, Any], place: str) -> str:
    value = row.get("task_id")
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{place}: no 'task_id', which must be text")
    return value.strip()


def _answer(row: Mapping[str, Any], place: str) -> str | None:
    for name in _ANSWERS:
        if name in row:
            return _text(row[name], name, place)
    raise InputError(f"{place}: no 'model_answer' (null where there is none)")


def _text(value: Any, name: str, place: str) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):  # how pandas writes that there is none
        return None
    if isinstance(value, str | bool | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str | bool) for item in value):
        return ", ".join(map(str, value))
    raise InputError(f"{place}: {name!r} must be text, a number, null or a list of these, not {_kind(value)}")


def _kind(value: Any) -> str:
    return "an object" if isinstance(value, dict) else "a list of such" if isinstance(value, list) else "this"


# Scoring


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The verdict on one task."""

    task_id: str
    level: str | None
    correct: bool
    reward: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many were right, of how many."""

    correct: int
    total: int

    @property
    def accuracy(self) -> float:
        """In [0, 1]; 0 of none."""
        return self.correct / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What a file of predictions comes to. Every selected task whose answer is known counts, whether it was answered or not.

    Args:
        scorer: name of what judged.
        tasks: the verdicts, in the dataset's order.
        missing: ids of the judged tasks that have no prediction; they are wrong.
        withheld: ids of the selected tasks whose answer the dataset withholds; they are not judged and in no denominator.
        unselected: how many predictions are of tasks of the dataset that were not selected.
    """

    scorer: str
    tasks: tuple[Judged, ...]
    missing: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    unselected: int = 0

    @property
    def overall(self) -> Share:
        """Over all judged tasks."""
        return _share(self.tasks)

    @property
    def by_level(self) -> dict[str, Share]:
        """By level, in order; ``none`` is the level of tasks without one."""
        grouped: dict[str, list[Judged]] = {}
        for task in self.tasks:
            grouped.setdefault(task.level or "none", []).append(task)
        return {level: _share(grouped[level]) for level in sorted(grouped)}

    def to_data(self) -> dict[str, Any]:
        """As ``agentfly bench score --json`` prints it."""
        return {
            **_data(self.overall),
            "by_level": {level: _data(share) for level, share in self.by_level.items()},
            "tasks": [{"task_id": one.task_id, "correct": one.correct} for one in self.tasks],
            "scorer": self.scorer,
            "mean_reward": sum(one.reward for one in self.tasks) / len(self.tasks) if self.tasks else 0.0,
            "missing": list(self.missing),
            "withheld": list(self.withheld),
            "unselected": self.unselected,
        }


def _share(tasks: Sequence[Judged]) -> Share:
    return Share(correct=sum(one.correct for one in tasks), total=len(tasks))


def _data(share: Share) -> dict[str, Any]:
    return {"accuracy": share.accuracy, "correct": share.correct, "total": share.total}


def scorer_for(dataset: Dataset, name: str | None = None) -> Scorer:
    """What judges predictions: the dataset's own scorer, or one by its name.

    Args:
        dataset: whose answers are judged.
        name: of a scorer that compares with the reference, or of an adapter, whose rule it is then; None or ``auto`` is the dataset's.

    Raises:
        ConfigError: there is none of that name.
    """
    if name in (None, "auto"):
        return dataset.scorer
    if (adapter := adapters.adapter_named(str(name))) is not None:
        return ReferenceScorer(adapter.name, adapter.match)
    if name not in COMPARING:
        known = ", ".join(["auto", *COMPARING, *adapters.names()])
        raise ConfigError(
            f"predictions are judged without a model, so {name!r} cannot score them; choose one of: {known}"
        )
    return scorer_named(str(name))


def score(dataset: Dataset, predictions: Mapping[str, str | None], scorer: Scorer | None = None) -> Scores:
    """Judge predictions.

    Args:
        dataset: the selected tasks.
        predictions: the answer to each task; None is none.
        scorer: by default the dataset's.

    Raises:
        InputError: a prediction is of no task of the dataset, no selected task has a known answer, or a reference is not of the form
            that the scorer compares.
    """
    known = dataset.ids | {task.id for task in dataset.tasks}
    if unknown := sorted(predictions.keys() - known):
        verb = "is" if len(unknown) == 1 else "are"
        raise InputError(
            f"{len(unknown):,} of the predicted tasks {verb} not in the dataset {dataset.name}: {shorted(unknown)}"
        )
    tasks = [task for task in dataset.tasks if task.reference is not None]
    if not tasks:
        raise InputError(
            f"the dataset withholds the answers of all {len(dataset.tasks):,} selected tasks: nothing can be scored here"
        )
    judge = scorer or dataset.scorer
    verdicts = asyncio.run(_judge(tasks, predictions, judge))
    selected = {task.id for task in dataset.tasks}
    return Scores(
        scorer=judge.name,
        tasks=tuple(verdicts),
        missing=tuple(task.id for task in tasks if predictions.get(task.id) is None),
        withheld=tuple(task.id for task in dataset.tasks if task.reference is None),
        unselected=len(predictions.keys() - selected),
    )


async def _judge(tasks: Iterable[Task], predictions: Mapping[str, str | None], scorer: Scorer) -> list[Judged]:
    nowhere, found = Path(), []
    for task in tasks:
        attempt = Attempt(task_id=task.id, answer=predictions.get(task.id))
        feedback = await scorer.score(task, attempt, nowhere)
        reward = 0.0 if feedback is None else feedback.reward
        # A part of an answer is no right answer: only a full reward counts, whatever counts as solved elsewhere.
        found.append(Judged(task_id=task.id, level=task.level, correct=reward == 1.0, reward=reward))
    return found


# Writing


def export_gaia(results: Iterable[tuple[str, str | None, str]], path: str | Path, *, force: bool = False) -> int:
    """Write answers as GAIA's leaderboard takes them: a line of ``task_id``, ``model_answer`` and ``reasoning_trace`` for each task.

    The file is there whole or not at all.

    Args:
        results: id, answer and trace of each task; no answer becomes an empty one, which is wrong there too.
        path: the file.
        force: whether a file that is there is replaced.

    Returns:
        How many lines were written.

    Raises:
        InputError: the file is there, cannot be written, or a task comes twice.
    """
    target, seen = Path(path).expanduser(), set[str]()
    _refuse_overwriting(target, force)
    try:
        with replaced(target) as stream:
            for task_id, answer, trace in results:
                if task_id in seen:
                    raise InputError(f"task {task_id!r} comes twice: the leaderboard takes one answer to each")
                seen.add(task_id)
                row = {"task_id": task_id, "model_answer": answer or "", "reasoning_trace": trace}
                stream.write(json.dumps(row, allow_nan=False).encode() + b"\n")
            _refuse_overwriting(target, force)  # another process may have been quicker
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None
    return len(seen)


def _refuse_overwriting(target: Path, force: bool) -> None:
    if not force and target.exists():
        raise InputError(f"{target} is there already; --force replaces it")
