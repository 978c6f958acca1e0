"""Strategy `codeact`: each reply is a block of Python, run in a worker that keeps its variables (Wang et al. 2024, CodeAct)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agentfly.events import CodeStarted, StepFinished
from agentfly.generators.answers import answer_text, guess
from agentfly.generators.attempting import Emit, State, ask_model, examine, look, opened, record, work
from agentfly.generators.briefing import (
    REMINDER,
    Turn,
    asked_on,
    conversation,
    error_kind,
    file_previews,
    observed,
    opening,
    without_repeats,
)
from agentfly.generators.budget import Budget
from agentfly.generators.extract import Action, extract
from agentfly.protocols import Brief, CallOptions, CodeWorker, Execution, Model, Sandbox, Tool
from agentfly.types import Attempt, Reply, Step


@dataclass(slots=True, kw_only=True)
class _State(State):
    """What one attempt has gathered so far, with the conversation."""

    turns: list[Turn] = field(default_factory=list)


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
        budget = Budget(brief.limits, brief.journal.clock)
        async with opened(self._sandbox, brief, self._tools) as worker:
            offered = (*self._sandbox.tools, *self._tools)
            start, files = await look(brief, lambda: (opening(brief, offered), file_previews(brief)))
            state = _State(
                brief=brief, budget=budget, start=start, files=files, reminder=REMINDER, model=self._model.name
            )
            ended = await work(
                state, lambda: self._ask(state, emit), lambda reply: self._step(state, reply, worker, emit)
            )
            return record(state, ended, self.name, worker.tier)

    async def _ask(self, state: _State, emit: Emit) -> Reply:
        # A model that opens its block with a bare fence is cut off by a fence as stop sequence: let it speak then.
        options = CallOptions(stop=() if state.steps and not state.steps[-1].action else self._stop)
        messages = conversation(state.start, without_repeats(state.turns), self._context_chars)
        return await ask_model(state, self._model, messages, emit, reply_tokens=self._reply_tokens, options=options)

    async def _step(self, state: _State, reply: Reply, worker: CodeWorker, emit: Emit) -> str | None:
        """Do what a reply says; the answer if that gave one that is accepted."""
        action = extract(reply.text, cut=reply.finish_reason == "length")
        number, answer, final = len(state.steps), None, False
        execution = Execution(error=action.problem)
        if action.code:
            emit(CodeStarted(code=action.code, step=number))
            execution = await worker.run(action.code, state.budget.within(self._code_seconds))
            state.ran_block(action.code, execution)
        if execution.answered:
            answer = answer_text(execution.answer)
            state.keep(answer)
            seen = self._seen(state, execution)
            given = _record(number, action, execution, seen, True, reply)
            told = await examine(state, answer, given, guessed=state.nothing_read())
            observation, final = told or answer, not told
        else:
            observation, told = self._observe(state, action, execution)
        step = _record(number, action, execution, observation, final, reply)
        state.steps.append(step)
        state.said.append(reply.text)
        state.turns.append(Turn(reply.text, told, error_kind(execution.error or "")))
        emit(StepFinished(step=step))
        return answer if final else None

    def _observe(self, state: _State, action: Action, execution: Execution) -> tuple[str, str]:
        """What a block without an answer did: for the record, and as the model reads it."""
        if not action.code:
            state.failed(action.problem)
            return action.problem, f"{action.problem} {REMINDER}"
        if execution.restarted:
            state.ran.clear()  # what came before is gone, and the next blocks cannot rest on it
        repeats = 0
        if execution.error is not None:
            repeats = state.failed(error_kind(execution.error))
        elif not state.questioned:  # what was given as the answer is worth more than what was only printed
            state.keep(guess(execution))
        seen = self._seen(state, execution)
        return seen, asked_on(execution, seen, repeats, state.files)

    @staticmethod
    def _seen(state: _State, execution: Execution) -> str:
        seen = observed(execution, state.brief.limits.output_chars)
        return state.fence.around_output(seen, execution.origins)


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
