"""One subtask of a plan: what its executor is told, what it may use, and what is noted of it."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentfly.errors import ToolError
from agentfly.events import CodeStarted, StepFinished, TextDelta
from agentfly.generators.attempting import Emit
from agentfly.generators.marking import Fence
from agentfly.generators.plans import Part
from agentfly.prompts import render
from agentfly.protocols import OUTSIDE, Brief, Journal, Tool, accept
from agentfly.types import Attempt, Limits, Recalled, Reply, Step, Subtask, Task, Usage

FEWEST_STEPS = 2
"""Steps that a subtask gets where there are as many: one to look, one to answer."""
KEPT_BACK = 0.1
"""Share of the tokens, the cost and the seconds that are left for the planner's answer."""
CALLS_SHOWN = 12
_ARGUMENTS, _RESULT, _ANSWER = 160, 200, 1500


class Noting:
    """A `Journal` that notes the calls that pass through it, a line each: the tool memory of an attempt.

    Args:
        journal: where they go on to.
        notes: takes the lines.
    """

    def __init__(self, journal: Journal, notes: list[str]) -> None:
        self._journal = journal
        self._notes = notes

    async def reply(self, ask: Callable[[], Awaitable[Reply]]) -> Reply:
        return await self._journal.reply(ask)

    async def call(self, tool: Tool, arguments: Mapping[str, Any]) -> Any:
        asked = f"{tool.name}({_short(arguments, _ARGUMENTS)})"
        try:
            result = await self._journal.call(tool, arguments)
        except ToolError as error:
            self._notes.append(f"{asked} failed: {_short(str(error), _RESULT)}")
            raise
        self._notes.append(f"{asked} gave: {_short(result, _RESULT)}")
        return result

    def clock(self) -> float:
        return self._journal.clock()


def briefed(
    brief: Brief,
    part: Part,
    known: Sequence[Subtask],
    earlier: Sequence[Subtask],
    *,
    cases: Sequence[Recalled],
    notes: list[str],
    limits: Limits,
) -> Brief:
    """What the executor of a subtask is told: the same workspace, playbook and journal, and no checks.

    Args:
        brief: of the whole task.
        part: the subtask.
        known: the subtasks that it needs.
        earlier: all that were worked on before; their calls need not be made again.
        cases: recalled for it.
        notes: takes those of its own calls.
        limits: its share.
    """
    fence = Fence.of(brief)
    calls = [line for one in earlier for line in one.calls][-CALLS_SHOWN:]
    question = render(
        "plan_subtask",
        question=brief.task.question.strip(),
        results=[f'Result of "{one.task}": {_result(one, fence, _ANSWER)}' for one in known],
        calls=fence.around("\n".join(calls), _all_origins(earlier)),
        task=part.task,
    )
    task = Task(
        question, files=brief.task.files, id=brief.task.id, level=brief.task.level, instructions=brief.task.instructions
    )
    journal = Noting(brief.journal, notes)
    return replace(
        brief,
        task=task,
        cases=tuple(cases),
        examine=accept,
        journal=journal,
        informed=bool(known),
        lesson="",
        limits=limits,
    )


def noted(part: Part, attempt: Attempt, plan: int, calls: Sequence[str], origins: Iterable[str]) -> Subtask:
    """What is kept of a subtask.

    Args:
        part: as planned.
        attempt: of its executor.
        plan: number of its plan.
        calls: notes of its calls.
        origins: of what it was told.
    """
    return Subtask(
        id=part.id,
        task=part.task,
        plan=plan,
        needs=part.needs,
        answer=attempt.answer,
        status=attempt.status,
        reason=attempt.reason,
        solution=attempt.solution,
        tools=attempt.tools,
        calls=tuple(calls),
        origins=tuple(dict.fromkeys(one for one in (*origins, *attempt.origins) if one in OUTSIDE)),
    )


def fair_share(
    limits: Limits, *, steps: int, usage: Usage, seconds_left: float | None, waiting: int, answerable: bool
) -> Limits | None:
    """What one subtask may use of what an attempt has left; what it leaves goes to those after it.

    Args:
        limits: of the attempt.
        steps: done so far.
        usage: so far.
        seconds_left: None where there is no limit.
        waiting: subtasks that are still to be done, this one among them.
        answerable: whether the planner has a result that it could answer with: then the last step is its own.

    Returns:
        None where nothing is left for it.
    """
    left = limits.steps - steps
    if left > 1 or answerable:
        left -= 1
    if left < 1:
        return None
    tokens = None if limits.tokens is None else int((limits.tokens - usage.tokens) * (1 - KEPT_BACK)) // waiting
    cost = None if limits.cost_usd is None else (limits.cost_usd - usage.cost_usd) * (1 - KEPT_BACK) / waiting
    seconds = None if seconds_left is None else seconds_left * (1 - KEPT_BACK) / waiting
    if (tokens is not None and tokens < 1) or (cost is not None and cost <= 0):
        return None
    share = min(left, max(math.ceil(left / waiting), FEWEST_STEPS))
    return replace(limits, steps=share, tokens=tokens, cost_usd=cost, seconds=seconds)


def report(part: Part, subtask: Subtask | None, fence: Fence, chars: int, *, again: bool) -> str:
    """What the planner reads of a subtask.

    Args:
        part: as planned.
        subtask: what came of it; None where it was not begun.
        fence: marks what rests on content from outside.
        chars: about how long it may be, the subtask itself not counted.
        again: whether it had been done before, and was not done once more.
    """
    head = f"{part.id}. {part.task}"
    if subtask is None:
        return f"{head}\nnot begun"
    result = _result(subtask, fence, min(_ANSWER, chars * 2 // 3))
    if subtask.worked:
        said = f"done{' before' if again else ''}, result: {result}"
    else:
        why = f"it hit its limit of {subtask.reason}" if subtask.status == "limit" else subtask.reason or "no answer"
        said = f"not done ({why})" + (f", best so far: {result}" if subtask.answer else "")
    calls = [] if again else _latest([f"called {line}" for line in subtask.calls], chars - len(said))
    return "\n".join([head, said, *filter(None, [fence.around("\n".join(calls), subtask.origins)])])


def _latest(lines: Sequence[str], chars: int) -> list[str]:
    """As many of the last lines as fit, in their order."""
    kept: list[str] = []
    for line in reversed(lines[-CALLS_SHOWN:]):
        chars -= len(line) + 1
        if chars < 0:
            break
        kept.insert(0, line)
    return kept


def in_place(step: Step, first: int) -> Step:
    """A step of an executor as one of the whole attempt: its answer is not the answer."""
    return replace(step, index=first + step.index, final=False)


def counted_from(first: int, emit: Emit) -> Emit:
    """Passes events of an executor on, its steps counted from `first`."""

    def onward(event: Any) -> None:
        if isinstance(event, (TextDelta, CodeStarted)):
            event = replace(event, step=first + event.step)
        elif isinstance(event, StepFinished):
            event = StepFinished(step=in_place(event.step, first))
        emit(event)

    return onward


def _result(subtask: Subtask, fence: Fence, chars: int) -> str:
    answer = _short(subtask.answer or "", chars, lines=True)
    return f"\n{fence.around(answer, subtask.origins)}" if subtask.origins else answer


def _all_origins(subtasks: Iterable[Subtask]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(origin for one in subtasks for origin in one.origins))


def _short(value: object, chars: int, *, lines: bool = False) -> str:
    """A value in a line of at most `chars` characters, unless its `lines` are kept."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = text.strip() if lines else " ".join(text.split())
    return text if len(text) <= chars else f"{text[: chars - 2]} …"
