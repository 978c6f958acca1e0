"""What one attempt at a task came to, as one line of JSON; and all results of a benchmark run with what was selected for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from agentfly.errors import InputError
from agentfly.records import from_json, to_json
from agentfly.store.adaptations import Verdict
from agentfly.types import Task, Usage

Key = tuple[str, int]
"""Task id and number of the attempt."""
NO_LEVEL = "none"
"""Stands for the level of a task that has none, as it does where levels are selected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One finished attempt at a task.

    Raises:
        ValueError: a negative count, a share outside [0, 1], or a number that is not finite.
    """

    task_id: str
    attempt: int = 0
    """Which of the attempts at this task, from 0."""
    verdict: Verdict
    level: str | None = None
    answer: str | None = None
    reward: float | None = None
    """Of the answer, in [0, 1]; None where nobody judged it."""
    source: str = ""
    """Who judged, see `agentfly.types.FeedbackSource`."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Continuous scores beside the verdict, each in [0, 1], see `agentfly.bench.estimators.continuous_scores`."""
    confidence: float | None = None
    """How sure the agent was of its answer, in [0, 1]; never made with the reference."""
    critique: float | None = None
    """What a critic that had no reference gave the answer, in [0, 1]."""
    rounds: int = 1
    """Answers that were given within this attempt: 1 and one for each round of reflection."""
    first_reward: float | None = None
    """What the answer before the first round of reflection would have earned; None where there was no such round."""
    last_reward: float | None = None
    """What the answer after the last round earned."""
    run_id: str = ""
    usage: Usage = field(default_factory=Usage)
    """Of all model calls made for it, those of tries that failed included."""
    seconds: float = 0.0
    """From its beginning to its end."""
    steps: int = 0
    calls: Mapping[str, int] = field(default_factory=dict)
    """How often each tool was called, by its name."""
    retries: int = 0
    """Tries before this one that ended in an error of a provider."""
    started: float = 0.0
    """Seconds since the epoch."""
    error: str = ""
    """What ended it, where it ended in an error or at a limit."""

    def __post_init__(self) -> None:
        shares = (
            self.reward,
            self.confidence,
            self.critique,
            self.first_reward,
            self.last_reward,
            *self.scores.values(),
        )
        if not all(share is None or 0.0 <= share <= 1.0 for share in shares):  # NaN fails too
            raise ValueError("rewards, scores and confidences must be in [0, 1]")
        spent = self.usage
        amounts = (
            self.attempt,
            self.rounds,
            self.seconds,
            self.steps,
            self.retries,
            self.started,
            *self.calls.values(),
        )
        billed = (spent.calls, spent.prompt_tokens, spent.completion_tokens, spent.cost_usd, spent.seconds)
        if not all(math.isfinite(amount) and amount >= 0 for amount in (*amounts, *billed)):
            raise ValueError("counts, seconds and costs must be finite and not negative")
        if not self.task_id:
            raise ValueError("a result needs the id of its task")

    @property
    def key(self) -> Key:
        """What there is one result of."""
        return self.task_id, self.attempt

    @property
    def correct(self) -> bool:
        """Whether the answer was right."""
        return self.verdict == "correct"

    @property
    def gave_answer(self) -> bool:
        """Whether there is an answer, be it an empty text."""
        return self.answer is not None and self.verdict != "no_answer"

    @property
    def worth(self) -> float:
        """Its reward; without one, 1 if it is right and else 0."""
        return float(self.correct) if self.reward is None else self.reward


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """A task that was selected: it is in every denominator, whatever became of it."""

    task_id: str
    level: str | None = None
    judged: bool = True
    """Whether its answer can be judged; false where the dataset withholds the reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRun:
    """One configuration over one selection of one dataset, and what came of it so far.

    Args:
        name: names it in reports.
        tasks: those that were selected, in their order.
        results: at most one of each task and attempt, in any order.
        attempts: how many were planned of each task.
        dataset: hash of the dataset; empty where it is not known.

    Raises:
        InputError: nothing is selected, a task is selected twice, or a result is of no selected task, of an attempt that was not
            planned, or there twice.
    """

    name: str = ""
    tasks: Sequence[Selected]
    results: Sequence[Result] = field(repr=False)
    attempts: int = 1
    dataset: str = ""

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise InputError(f"there must be at least 1 attempt at each task, not {self.attempts}")
        known = {task.task_id for task in self.tasks}
        if not known:
            raise InputError("no task is selected: there is nothing to measure")
        if len(known) != len(self.tasks):
            raise InputError("a task is selected twice")
        seen: set[Key] = set()
        for result in self.results:
            if result.task_id not in known:
                raise InputError(f"there is a result of {result.task_id!r}, which is not among the selected tasks")
            if result.attempt >= self.attempts:
                raise InputError(
                    f"there is a result of attempt {result.attempt} at {result.task_id!r}, and {self.attempts} were planned, from 0"
                )
            if result.key in seen:
                raise InputError(f"there are two results of attempt {result.attempt} at {result.task_id!r}")
            seen.add(result.key)

    def by_task(self) -> dict[str, list[Result]]:
        """The results of each selected task in the order of the attempts; empty lists included."""
        groups: dict[str, list[Result]] = {task.task_id: [] for task in self.tasks}
        for result in self.results:
            groups[result.task_id].append(result)
        for group in groups.values():
            group.sort(key=_number)
        return groups


def selected(tasks: Iterable[Task]) -> tuple[Selected, ...]:
    """What a report needs to know of the tasks that were selected."""
    return tuple(Selected(task_id=task.id, level=task.level, judged=task.reference is not None) for task in tasks)


def to_line(result: Result) -> bytes:
    """The result as one line of JSON, its end included."""
    return to_json(result).encode() + b"\n"


def from_line(line: str | bytes, place: str) -> Result:
    """Read a result back; keys that this version does not know are passed over.

    Args:
        line: of JSON.
        place: names the line in messages.

    Raises:
        InputError: the line is damaged.
    """
    try:
        return from_json(Result, line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{place} is damaged: {where + ': ' if where else ''}{' '.join(first['msg'].split())}"
        ) from None


def read_lines(path: Path, torn: Callable[[int], None] = lambda offset: None) -> Iterator[Result]:
    """The results of a file, one after the other; what a killed process left of its last line is passed over.

    Args:
        path: a file of results; one that is not there holds none.
        torn: told where the last line begins if it is torn.

    Raises:
        InputError: a line is damaged, names the same attempt as an earlier one, or the file cannot be read.
    """
    seen: dict[Key, int] = {}
    offset = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    torn(offset)
                    return
                offset += len(line)
                place = f"{path} line {number}"
                result = from_line(line, place)
                if (first := seen.setdefault(result.key, number)) != number:
                    raise InputError(
                        f"{place}: a second result of attempt {result.attempt} at {result.task_id!r}; the first is in line {first}"
                    )
                yield result
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None


def _number(result: Result) -> int:
    return result.attempt
