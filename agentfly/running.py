"""The two ends of a run: what a caller gives becomes a task, what the graph came to becomes a result."""

from __future__ import annotations

import asyncio
import inspect
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from agentfly.errors import InputError
from agentfly.events import Event, RunFinished
from agentfly.nodes.state import State
from agentfly.types import Attempt, Decision, Feedback, Learned, Pending, Reply, RunResult, Task

T = TypeVar("T")
OnEvent = Callable[[Event], None]
Approve = Callable[[Pending], "Decision | Awaitable[Decision]"]
"""Decides on a call that needs permission: True, False, or ``always`` for this tool for the rest of the run."""


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


def as_waiting(task: Task, state: State, calls: tuple[Pending, ...], replies: Sequence[Reply]) -> RunResult:
    """What there is to say of a run that waits for a person.

    Args:
        task: with its reference.
        state: after the last node that was finished.
        calls: that it waits for permission to make.
        replies: of the model since then.
    """
    attempt = Attempt(task_id=task.id, reason="a person must permit its calls first")
    known = state if state.get("trials") else State(**{**state, "attempt": attempt})
    result = as_result(task, known)
    usage = sum((reply.usage for reply in replies), result.usage)
    return replace(result, status="waiting", usage=usage, pending=calls, steps=result.steps or len(replies))


async def decided(
    approve: Approve, calls: Sequence[Pending], known: Mapping[str, Decision] | None = None
) -> dict[str, Decision]:
    """Verdicts on calls that need permission: those that are known, and what a caller's function says of the others.

    It is asked about one after the other, and not about those of a tool that ``always`` may be called.

    A plain function runs in a thread, so that other runs go on while it asks somebody.

    Raises:
        InputError: it says something else than True, False or ``always``.
    """
    verdicts = dict(known or {})
    always = {call.tool for call in calls if verdicts.get(call.id) == "always"}
    for call in calls:
        if call.id in verdicts or call.tool in always:
            continue
        said = approve(call) if inspect.iscoroutinefunction(approve) else await asyncio.to_thread(approve, call)
        verdict = await said if inspect.isawaitable(said) else said
        if not (isinstance(verdict, bool) or verdict == "always"):
            raise InputError(f"approve returned {verdict!r}; it must return True, False or 'always'")
        verdicts[call.id] = verdict
        if verdict == "always":
            always.add(call.tool)
    return verdicts


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
