"""The two ends of a run: what a caller gives becomes a task, what the graph came to becomes a result."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from agentfly.errors import InputError
from agentfly.events import Event, RunFinished
from agentfly.nodes.state import State
from agentfly.types import Feedback, Learned, RunResult, Task

T = TypeVar("T")
OnEvent = Callable[[Event], None]


def as_task(question: str | Task, files: Sequence[str | Path] = (), reference: str | None = None) -> Task:
    """A checked task from what a caller gave.

    Raises:
        InputError: empty question, or a file that is missing, no file, unreadable, or named as another one is.
    """
    if isinstance(question, Task):
        task = question
    else:
        task = Task(question, files=tuple(map(Path, files)), reference=reference)
    if not task.question.strip():
        raise InputError("the question is empty")
    names: set[str] = set()
    for file in task.files:
        if not file.exists():
            raise InputError(f"there is no file {file}")
        if not file.is_file():
            raise InputError(f"{file} is not a file")
        try:
            file.open("rb").close()
        except OSError as error:
            raise InputError(f"cannot read the file {file}: {error.strerror}") from None
        if file.name in names:
            raise InputError(f"two attached files are named {file.name!r}: rename one of them")
        names.add(file.name)
    return task


def as_result(task: Task, state: State) -> RunResult:
    """What a run came to: the answer is its first attempt's, whatever was tried afterwards to learn from."""
    trials = state.get("trials", ())
    attempt = trials[0].attempt if trials else state["attempt"]
    feedback = trials[0].feedback if trials else None
    return RunResult(
        run_id=state["run_id"],
        status=attempt.status,
        answer=attempt.answer,
        reward=feedback.reward if feedback else None,
        steps=len(attempt.steps),
        usage=state["usage"],
        recalled=tuple(recalled.case.id for recalled in state.get("recalled", ())),
        bullets=tuple(bullet.id for bullet in state.get("bullets", ())),
        learned=state.get("learned", Learned()),
        task=task,
        attempt=attempt,
        feedback=feedback,
    )


def scored(result: RunResult, feedback: Feedback | None) -> RunResult:
    """The result with the feedback that is reported, where that is not what was learned from."""
    return replace(result, reward=feedback.reward, feedback=feedback) if feedback else result


def new_run_id() -> str:
    """A run id that sorts by time."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


async def last(events: AsyncIterator[Event], on_event: OnEvent | None) -> RunResult:
    """Pass events on and return the result that the last one carries."""
    result: RunResult | None = None
    async for event in events:
        if on_event is not None:
            on_event(event)
        if isinstance(event, RunFinished):
            result = event.result
    assert result is not None  # a stream ends with RunFinished or raises
    return result


def wait(work: Coroutine[Any, Any, T]) -> T:
    """Wait for a coroutine; also from inside a running event loop (a notebook), then in a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
