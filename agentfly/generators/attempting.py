"""What every strategy keeps of an attempt, and how one goes on and ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar

from agentfly.errors import LimitReached, ProviderError, ProviderTimeout
from agentfly.events import TextDelta
from agentfly.generators.briefing import GUESSED, cited, reconsider
from agentfly.generators.budget import Budget
from agentfly.generators.marking import Fence
from agentfly.generators.solution import Ran, distil, written_down
from agentfly.protocols import OUTSIDE, Brief, CallOptions, CheckFailure, CodeWorker, Execution, Model, Sandbox, Tool
from agentfly.types import Attempt, AttemptStatus, Message, Questioned, Reply, Step, Usage

T = TypeVar("T")
Emit: TypeAlias = Callable[[Any], None]
Ended: TypeAlias = "tuple[str | None, AttemptStatus, str]"
"""How an attempt ended: its answer, its status, and the reason of that."""


@dataclass(slots=True, kw_only=True)
class State:
    """What one attempt has gathered so far."""

    brief: Brief
    budget: Budget
    start: tuple[Message, Message]
    """System prompt and task."""
    files: str
    """Previews of the task's files."""
    reminder: str
    """How to answer, told again with each observation."""
    steps: list[Step] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """What the model wrote, reply by reply."""
    ran: list[Ran] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """Kinds of the errors that came, one entry each time."""
    usage: Usage = field(default_factory=Usage)
    best: str | None = None
    """Best answer so far: what the last block that worked printed, or an answer that a check questioned."""
    solution: str = ""
    """The working part that gave it."""
    questioned: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Answers that another look was asked at, with the ids of the checks that did."""
    tools: dict[str, None] = field(default_factory=dict)
    """Names of the tools that were called, in the order of their first call."""
    origins: dict[str, None] = field(default_factory=dict)
    """Where content that was read came from, see `Attempt.origins`."""
    model: str = ""
    fence: Fence = field(init=False)
    """Marks what tools brought from elsewhere."""

    def __post_init__(self) -> None:
        self.fence = Fence.of(self.brief)

    def keep(self, answer: str | None) -> None:
        """Take `answer`, just given, for the best so far."""
        if answer is not None:
            self.best, self.solution = answer, self.working()

    def working(self) -> str:
        """The working part of what was done so far: its code."""
        return distil(self.ran)

    def took(self, reply: Reply) -> None:
        """Count a reply of the model."""
        self.usage += reply.usage
        self.model = reply.model or self.model

    def ran_block(self, code: str, execution: Execution) -> None:
        """Note a block that was run, and what it called."""
        self.ran.append(Ran(code, execution.error))
        self.tools.update(dict.fromkeys(execution.tools))
        self.origins.update(dict.fromkeys(execution.origins))

    def failed(self, kind: str) -> int:
        """Note an error; how often the same came before."""
        self.errors.append(kind)
        return self.errors.count(kind) - 1

    def temperature(self) -> float:
        """Higher once an error repeats: at the same temperature the model would write the same again."""
        base = self.brief.temperature
        repeats = max((self.errors.count(kind) for kind in self.errors), default=1) - 1
        return min(base + 0.35 * max(repeats, 0), max(base, 1.0))

    def nothing_read(self) -> bool:
        """Whether there are files and nothing but blocks that only state their answer was run."""
        return bool(self.files) and not self.brief.informed and all(written_down(block.code) for block in self.ran)


def opened(sandbox: Sandbox, brief: Brief, tools: Sequence[Tool] = ()) -> AbstractAsyncContextManager[CodeWorker]:
    """A worker for an attempt: its calls go through the journal, and it cannot change the task's files."""
    attached = brief.task.file_names
    return sandbox.open(brief.workspace, tools, call=brief.journal.call, readonly=attached)


async def look(brief: Brief, look_at: Callable[[], T]) -> T:
    """What is made of a task at the start of an attempt: off the event loop where files are read for it."""
    return await asyncio.to_thread(look_at) if brief.task.files else look_at()


async def ask_model(
    state: State, model: Model, messages: Sequence[Message], emit: Emit, *, reply_tokens: int, options: CallOptions
) -> Reply:
    """The next reply of the model, within what is left of the limits.

    Args:
        state: of the attempt.
        model: who replies.
        messages: the conversation so far.
        emit: takes the text as it comes.
        reply_tokens: longest reply.
        options: what else the strategy asks for; temperature, seed and time are the attempt's.
    """
    number = len(state.steps)
    within = replace(
        options,
        temperature=state.temperature(),
        seed=state.brief.seed,
        max_tokens=state.budget.reply_tokens(reply_tokens, state.usage),
        timeout=state.budget.seconds_left(),
    )
    reply = await state.brief.journal.reply(
        lambda: model.complete(messages, within, lambda text: emit(TextDelta(text=text, step=number)))
    )
    state.took(reply)
    return reply


async def work(
    state: State, ask: Callable[[], Awaitable[Reply]], step: Callable[[Reply], Awaitable[str | None]]
) -> Ended:
    """Step until there is an answer or something ends the attempt.

    Args:
        state: of the attempt; limits are checked before each call.
        ask: calls the model.
        step: does what a reply says; the answer if that gave one that is accepted.
    """
    while True:
        try:
            state.budget.check(len(state.steps), state.usage)
            reply = await ask()
        except LimitReached as limit:
            return state.best, "limit", limit.limit
        except ProviderError as error:
            state.usage += error.usage
            if isinstance(error, ProviderTimeout) and _out_of_time(state.budget):
                return state.best, "limit", "seconds"
            return state.best, "error", str(error)
        answer = await step(reply)
        if answer is not None:
            return answer, "answered", ""


async def examine(state: State, answer: str, given: Step, guessed: bool) -> str:
    """Put an answer to the checks; they may ask for another look, once for each answer.

    Args:
        state: of the attempt.
        answer: as text.
        given: the step that gave it.
        guessed: whether it was given with nothing read.

    Returns:
        What the model is told where another look is asked for; empty where the answer is accepted.
    """
    if answer in state.questioned:
        return ""
    failures: Sequence[CheckFailure]
    if guessed:  # small models guess from the previews
        failures = [CheckFailure(bullet_id="", message=GUESSED)]
    else:
        failures = await state.brief.examine(answer, (*state.steps, given))
    if not failures:
        return ""
    state.questioned[answer] = tuple(failure.bullet_id for failure in failures if failure.bullet_id)
    shown = state.fence.around_output(answer, ())  # an answer may hold what was read
    return reconsider(shown, failures, state.reminder)


def record(state: State, ended: Ended, strategy: str, tier: str) -> Attempt:
    """The attempt as it is kept.

    Args:
        state: of the attempt.
        ended: how it ended.
        strategy: name of the strategy.
        tier: sandbox tier that code ran in, empty when none ran.
    """
    answer, status, reason = ended
    shown_cases = tuple(recalled.case.id for recalled in state.brief.cases)
    shown_bullets = tuple(bullet.id for bullet in state.brief.bullets)
    return Attempt(
        task_id=state.brief.task.id,
        steps=tuple(state.steps),
        answer=answer,
        status=status,
        reason=reason,
        solution=state.solution,
        shown_cases=shown_cases,
        shown_bullets=shown_bullets,
        cited=cited((*shown_cases, *shown_bullets), state.said),
        questioned=tuple(Questioned(answer=said, checks=ids) for said, ids in state.questioned.items() if ids),
        usage=state.usage,
        model=state.model,
        strategy=strategy,
        sandbox=tier,
        tools=tuple(state.tools),
        origins=tuple(dict.fromkeys([*(["file"] if state.brief.task.files else []), *state.origins])),
        untrusted=any(origin in OUTSIDE for origin in state.origins),
    )


def _out_of_time(budget: Budget) -> bool:
    left = budget.seconds_left()
    return left is not None and left < 0.05
