"""What recorded attempts of any shape become: a task, and attempts with what they earned as far as the trace says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agentfly.learning.traces.shapes import Conversation, Function, Own, Plain, Turn
from agentfly.protocols import OUTSIDE, reads_outside
from agentfly.records import from_json
from agentfly.types import Attempt, Feedback, Step, Task

STRATEGY = "trace"
_CHARS = 4000
"""Longest solution and observation that is kept of a foreign trace."""

_OUTSIDE_CODE = re.compile(
    r"\b(?:requests|httpx|aiohttp|urllib\d?|urlopen|selenium|playwright)\b"
    r"|(?<![.\w])\w*(?:web|brows|fetch|search|crawl|scrap|download)\w*\s*\(",
    re.IGNORECASE,
)
_FAILED = re.compile(
    r"^\s*(?:Traceback \(most recent|error\b|(?:\w+\.)*\w*(?:Error|Exception)\b)", re.MULTILINE | re.IGNORECASE
)
_FENCE = re.compile(r"```[\w-]*[ \t]*\n(.*?)```", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A task, what was tried on it, and what that earned as far as the trace says."""

    task: Task
    trials: tuple[tuple[Attempt, Feedback | None], ...]
    model: str = ""
    run: str = ""
    """The run that it is the record of, where it is our own."""


def recorded(row: Mapping[str, Any], folder: Path | None) -> Recorded:
    """What a row holds.

    Args:
        row: parsed JSON.
        folder: where the row's files are; None where it came from no file.

    Raises:
        ValueError: it has none of the shapes, or misses something; pydantic's errors are among these.
    """
    if "trials" in row and "task" in row:
        return _own(Own.model_validate(row), folder)
    if "messages" in row:
        return _foreign(Conversation.model_validate(row), folder)
    if "question" in row and ("steps" in row or "trace" in row):
        return _foreign(Plain.model_validate(row), folder)
    raise ValueError("no trace: it needs messages, or a question with steps, or to be one of our own runs")


def _own(row: Own, folder: Path | None) -> Recorded:
    task = from_json(Task, json.dumps(row.task))
    if folder is not None:  # a file from elsewhere must not name any file of this machine
        task = replace(task, files=tuple(_beside(file, folder) for file in task.files))
    trials = []
    for trial in row.trials:
        attempt = from_json(Attempt, json.dumps(trial.attempt))
        feedback = from_json(Feedback, json.dumps(trial.feedback)) if trial.feedback else None
        trials.append((_apart(attempt), feedback))
    return Recorded(task=task, trials=tuple(trials), model=row.model, run=row.id)


def _beside(file: Path, folder: Path) -> Path:
    inside = file.resolve().is_relative_to(folder.resolve())
    return file if inside else folder / file.name


def _apart(attempt: Attempt) -> Attempt:
    """An attempt without the ids of the home that it comes from: here they are other cases and bullets, or none."""
    return replace(
        attempt,
        shown_cases=(),
        shown_bullets=(),
        cited=(),
        left_out=(),
        leave_out=0.0,
        checks=(),
        questioned=tuple(replace(questioned, checks=()) for questioned in attempt.questioned),
        untrusted=attempt.untrusted
        or not OUTSIDE.isdisjoint(attempt.origins)
        or _outside(attempt.tools, attempt.steps),
    )


def _foreign(row: Conversation | Plain, folder: Path | None) -> Recorded:
    if isinstance(row, Conversation):
        question, steps, said, tools = _from_messages(row)
    else:
        question, steps, said, tools = row.question, *_from_turns(row)
    if not question.strip():
        raise ValueError("the question is empty")
    if not steps and row.answer is None:
        raise ValueError("nothing was done and nothing answered")
    task = Task(question, files=_files(row.files, folder), reference=row.reference, id=row.id or "")
    answer = row.answer if row.answer is not None else said
    outside = _outside(tools, steps)
    attempt = Attempt(
        task_id=task.id,
        steps=steps,
        answer=answer,
        status="no_answer" if answer is None else "answered",
        solution=_solution(steps),
        model=row.model or "",
        strategy=STRATEGY,
        tools=tools,
        origins=("web",) if outside else (),
        untrusted=outside,
    )
    return Recorded(task=task, trials=((attempt, row.verdict()),), model=row.model or "")


def _from_messages(row: Conversation) -> tuple[str, tuple[Step, ...], str | None, tuple[str, ...]]:
    """Question, steps, the last answer and the tools of a conversation; each turn of the assistant is a step."""
    question = row.question or ""
    steps, tools = list[Step](), dict[str, None]()
    answer: str | None = None
    for message in row.messages:
        content = message.content or ""
        if message.role == "assistant":
            step = _step(len(steps), content, message.calls)
            tools.update(dict.fromkeys(call.name for call in message.calls))
            answer = None if message.calls else content.strip() or None
            steps.append(step)
        elif steps and message.role in {"tool", "function", "user"}:
            steps[-1] = _observed(steps[-1], content)
            answer = None
        elif message.role == "user" and not question:
            question = content
    if answer is not None:
        steps[-1] = replace(steps[-1], final=True)
    return question, tuple(steps), answer, tuple(tools)


def _step(index: int, content: str, calls: Sequence[Function]) -> Step:
    code = _FENCE.findall(content)
    action = "\n".join(f"{call.name}({call.arguments})" for call in calls) or "\n".join(code).strip()
    return Step(index=index, thought=_FENCE.sub("", content).strip(), action=action)


def _observed(step: Step, content: str) -> Step:
    text = f"{step.observation}\n{content}".strip()[:_CHARS]
    return replace(step, observation=text, error=bool(_FAILED.search(text)))


def _from_turns(row: Plain) -> tuple[tuple[Step, ...], None, tuple[str, ...]]:
    turns = row.steps or ((row.trace,) if isinstance(row.trace, str) and row.trace.strip() else row.trace or ())
    steps, tools = list[Step](), dict[str, None]()
    for index, turn in enumerate(turns):
        if not isinstance(turn, Turn):
            steps.append(_step(index, str(turn), ()))
            continue
        action = turn.action or turn.code or ""
        tools.update({turn.tool: None} if turn.tool else {})
        step = Step(index=index, thought=turn.thought or "", action=f"{turn.tool}({action})" if turn.tool else action)
        step = _observed(step, turn.observation or turn.output or turn.result or "")
        if isinstance(turn.error, str) and turn.error:
            step = _observed(step, turn.error)
        steps.append(step if turn.error is None else replace(step, error=bool(turn.error)))
    return tuple(steps), None, tuple(tools)


def _solution(steps: Iterable[Step]) -> str:
    """The last code that worked, or else the tool calls that did, in their order."""
    worked = [step.action for step in steps if step.action and not step.error]
    code = [action for action in worked if "\n" in action or "=" in action or "print" in action]
    return (code[-1] if code else "\n".join(worked))[:_CHARS]


def _outside(tools: Iterable[str], steps: Iterable[Step]) -> bool:
    """Whether content from outside was read on the way, as far as names tell."""
    return any(map(reads_outside, tools)) or any(_OUTSIDE_CODE.search(step.action) for step in steps)


def _files(names: Sequence[str], folder: Path | None) -> tuple[Path, ...]:
    """The row's files, which must lie beside the file of traces."""
    found = []
    for name in names:
        path = ((folder or Path()) / name).resolve()
        if folder is None or not path.is_relative_to(folder.resolve()):
            raise ValueError(f"the file {name!r} does not lie beside the traces")
        found.append(path)
    return tuple(found)
