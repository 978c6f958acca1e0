"""Strategy `codeact`: each reply is a block of Python, run in a worker that keeps its variables (Wang et al. 2024, CodeAct)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentfly.errors import LimitReached, ProviderError, ProviderTimeout
from agentfly.events import CodeStarted, StepFinished, TextDelta
from agentfly.generators.answers import answer_text, guess
from agentfly.generators.briefing import (
    GUESSED,
    REMINDER,
    Turn,
    asked_on,
    cited,
    conversation,
    error_kind,
    file_previews,
    observed,
    opening,
    reconsider,
    without_repeats,
)
from agentfly.generators.budget import Budget
from agentfly.generators.extract import Action, extract
from agentfly.generators.solution import Ran, distil, written_down
from agentfly.protocols import (
    Brief,
    CallOptions,
    CheckFailure,
    CodeWorker,
    Execution,
    Model,
    Sandbox,
    Tool,
)
from agentfly.types import Attempt, AttemptStatus, Message, Questioned, Reply, Step, Usage

Emit = Callable[[Any], None]


@dataclass(slots=True)
class _State:
    """What one attempt has gathered so far."""

    brief: Brief
    budget: Budget
    start: tuple[Message, Message]
    files: str
    steps: list[Step] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    ran: list[Ran] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    best: str | None = None
    """Best answer so far: what the last block that worked printed, or an answer that a check questioned."""
    solution: str = ""
    """The code that gave it."""
    questioned: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Answers that another look was asked at, with the ids of the checks that did."""
    tools: dict[str, None] = field(default_factory=dict)
    """Names of the tools that were called, in the order of their first call."""
    untrusted: bool = False
    model: str = ""

    def keep(self, answer: str | None) -> None:
        """Take `answer`, just given by the last block, for the best so far."""
        if answer is not None:
            self.best, self.solution = answer, distil(self.ran)


class CodeActGenerator:
    """Acts by writing code.

    Args:
        model: writes the blocks.
        sandbox: runs them.
        tools: offered as functions in the code, besides the sandbox's own.
        code_seconds: longest time of one block.
        reply_tokens: longest reply.
        context_chars: longest conversation that is sent, in characters (about 3.5 to a token).
        stop: sequences at which the model should stop writing.
    """

    name = "codeact"

    def __init__(
        self,
        model: Model,
        sandbox: Sandbox,
        tools: Sequence[Tool] = (),
        *,
        code_seconds: float = 30.0,
        reply_tokens: int = 1024,
        context_chars: int = 20_000,
        stop: tuple[str, ...] = (),
    ) -> None:
        self._model = model
        self._sandbox = sandbox
        self._tools = tuple(tools)
        self._code_seconds = code_seconds
        self._reply_tokens = reply_tokens
        self._context_chars = context_chars
        self._stop = stop

    async def attempt(self, brief: Brief, emit: Emit = lambda event: None) -> Attempt:
        """As `agentfly.protocols.Generator.attempt`."""
        budget = Budget(brief.limits)
        async with self._sandbox.open(brief.workspace, self._tools) as worker:
            offered = (*self._sandbox.tools, *self._tools)
            start = await asyncio.to_thread(opening, brief, offered)
            files = await asyncio.to_thread(file_previews, brief)
            state = _State(brief=brief, budget=budget, start=start, files=files, model=self._model.name)
            answer, status, reason = await self._work(state, worker, emit)
            return _attempt(state, answer, status, reason, worker.tier)

    async def _work(self, state: _State, worker: CodeWorker, emit: Emit) -> tuple[str | None, AttemptStatus, str]:
        """Step until there is an answer or something ends the attempt."""
        while True:
            try:
                state.budget.check(len(state.steps), state.usage)
                reply = await self._ask(state, emit)
            except LimitReached as limit:
                return state.best, "limit", limit.limit
            except ProviderError as error:
                state.usage += error.usage
                if isinstance(error, ProviderTimeout) and _out_of_time(state):
                    return state.best, "limit", "seconds"
                return state.best, "error", str(error)
            answer = await self._step(state, reply, worker, emit)
            if answer is not None:
                return answer, "answered", ""

    async def _ask(self, state: _State, emit: Emit) -> Reply:
        number, brief = len(state.steps), state.brief
        options = CallOptions(
            temperature=_temperature(brief.temperature, state.errors),
            seed=brief.seed,
            max_tokens=state.budget.reply_tokens(self._reply_tokens, state.usage),
            # A model that opens its block with a bare fence is cut off by a fence as stop sequence: let it speak then.
            stop=() if state.steps and not state.steps[-1].action else self._stop,
            timeout=state.budget.seconds_left(),
        )
        messages = conversation(state.start, without_repeats(state.turns), self._context_chars)
        reply = await self._model.complete(messages, options, lambda text: emit(TextDelta(text=text, step=number)))
        state.usage += reply.usage
        state.model = reply.model or state.model
        return reply

    async def _step(self, state: _State, reply: Reply, worker: CodeWorker, emit: Emit) -> str | None:
        """Do what a reply says; the answer if that gave one that is accepted."""
        action = extract(reply.text, cut=reply.finish_reason == "length")
        number, answer, final = len(state.steps), None, False
        execution = Execution(error=action.problem)
        if action.code:
            emit(CodeStarted(code=action.code, step=number))
            execution = await worker.run(action.code, state.budget.within(self._code_seconds))
            state.ran.append(Ran(action.code, execution.error))
            state.tools.update(dict.fromkeys(execution.tools))
            state.untrusted = state.untrusted or execution.untrusted
        if execution.answered:
            answer = answer_text(execution.answer)
            state.keep(answer)
            seen = observed(execution, state.brief.limits.output_chars)
            given = _record(number, action, execution, seen, True, reply)
            observation, told, final = await self._examine(state, answer, given)
        else:
            observation, told = self._observe(state, action, execution)
        step = _record(number, action, execution, observation, final, reply)
        state.steps.append(step)
        state.turns.append(Turn(reply.text, told, error_kind(execution.error or "")))
        emit(StepFinished(step=step))
        return answer if final else None

    async def _examine(self, state: _State, answer: str, given: Step) -> tuple[str, str, bool]:
        """Whether an answer is accepted; the checks may ask for another look, once for each answer.

        Args:
            state: of the attempt.
            answer: as text.
            given: the step that gave it.
        """
        if answer in state.questioned:
            return answer, "", True
        failures: Sequence[CheckFailure]
        if state.files and all(written_down(block.code) for block in state.ran):  # small models guess from the previews
            failures = [CheckFailure(bullet_id="", message=GUESSED)]
        else:
            failures = await state.brief.examine(answer, (*state.steps, given))
        if not failures:
            return answer, "", True
        state.questioned[answer] = tuple(failure.bullet_id for failure in failures if failure.bullet_id)
        told = reconsider(answer, failures)
        return told, told, False

    def _observe(self, state: _State, action: Action, execution: Execution) -> tuple[str, str]:
        """What a block without an answer did: for the record, and as the model reads it."""
        chars = state.brief.limits.output_chars
        if not action.code:
            state.errors.append(action.problem)
            return action.problem, f"{action.problem} {REMINDER}"
        if execution.restarted:
            state.ran.clear()  # what came before is gone, and the next blocks cannot rest on it
        repeats = 0
        if execution.error is not None:
            kind = error_kind(execution.error)
            repeats = state.errors.count(kind)
            state.errors.append(kind)
        elif not state.questioned:  # what was given as the answer is worth more than what was only printed
            state.keep(guess(execution))
        return observed(execution, chars), asked_on(execution, chars, repeats, state.files)


def _temperature(base: float, errors: Sequence[str]) -> float:
    """Higher once an error repeats: at the same temperature the model would write the same code again."""
    repeats = max((errors.count(kind) for kind in errors), default=1) - 1
    return min(base + 0.35 * max(repeats, 0), max(base, 1.0))


def _out_of_time(state: _State) -> bool:
    left = state.budget.seconds_left()
    return left is not None and left < 0.05


def _record(number: int, action: Action, execution: Execution, observation: str, final: bool, reply: Reply) -> Step:
    return Step(
        index=number,
        thought=action.thought,
        action=action.code,
        observation=observation,
        error=execution.error is not None or (execution.answered and not final),
        final=final,
        usage=reply.usage,
        seconds=execution.seconds,
    )


def _attempt(state: _State, answer: str | None, status: AttemptStatus, reason: str, tier: str) -> Attempt:
    brief = state.brief
    shown_cases = tuple(recalled.case.id for recalled in brief.cases)
    shown_bullets = tuple(bullet.id for bullet in brief.bullets)
    return Attempt(
        task_id=brief.task.id,
        steps=tuple(state.steps),
        answer=answer,
        status=status,
        reason=reason,
        solution=state.solution,
        shown_cases=shown_cases,
        shown_bullets=shown_bullets,
        cited=cited((*shown_cases, *shown_bullets), [turn.reply for turn in state.turns]),
        questioned=tuple(Questioned(answer=said, checks=ids) for said, ids in state.questioned.items() if ids),
        usage=state.usage,
        model=state.model,
        strategy="codeact",
        sandbox=tier,
        tools=tuple(state.tools),
        untrusted=state.untrusted,
    )
