"""Strategy `tools`: the model calls functions natively and reads what they give (Yao et al. 2023, ReAct)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from time import monotonic

from agentfly.errors import ConfigError
from agentfly.events import CodeStarted, StepFinished
from agentfly.generators.answers import LONGEST_GUESS, guess
from agentfly.generators.attempting import Emit, State, ask_model, examine, look, opened, record, work
from agentfly.generators.briefing import corrected, error_kind, file_previews, standing, task_message, without_repeats
from agentfly.generators.budget import Budget
from agentfly.generators.calls import Requests, echoed, requests
from agentfly.generators.exchanges import CUT, NUDGE, REMINDER, Exchange, conversation
from agentfly.generators.marking import rule_for
from agentfly.generators.performing import ANSWER, PYTHON, Offer, Performer, Result
from agentfly.generators.solution import distil
from agentfly.prompts import render
from agentfly.protocols import Brief, CallOptions, CodeWorker, Execution, Model, Sandbox, Tool, origin_of
from agentfly.types import Attempt, Message, Reply, Step, ToolCall


@dataclass(slots=True, kw_only=True)
class _State(State):
    """What one attempt has gathered so far, with the conversation."""

    offer: Offer
    exchanges: list[Exchange] = field(default_factory=list)
    worked: list[Result] = field(default_factory=list)
    """Calls that gave something, in their order."""
    ids: set[str] = field(default_factory=set)
    nudged: bool = False
    """Whether the last reply called nothing, and was told to."""
    tier: str = ""

    def working(self) -> str:
        """The code where only code was run, else the calls that worked, as a numbered plan."""
        if not any(result.execution is None for result in self.worked):
            return distil(self.ran)
        return "\n".join(f"{number}. {_planned(result)}" for number, result in enumerate(self.worked, start=1))

    def guessed(self) -> bool:
        """Whether nothing was read though there are files that could have been."""
        can = bool(self.offer.tools) or PYTHON in self.offer.schemas
        called = any(result.execution is None for result in self.worked)
        return can and not called and self.nothing_read()


class ToolCallingGenerator:
    """Acts by calling functions: the caller's tools, ``python`` where there is a sandbox, and ``final_answer``.

    Args:
        model: makes the calls.
        sandbox: runs the code of ``python``; None offers none. Its tools are offered too.
        tools: what may be called, besides the sandbox's own.
        code_seconds: longest time of one block.
        tool_seconds: longest time of one call of a tool.
        reply_tokens: longest reply.
        context_chars: longest conversation that is sent, in characters (about 3.5 to a token).

    Raises:
        ConfigError: a tool has a name that the strategy needs for itself.
    """

    name = "tools"

    def __init__(
        self,
        model: Model,
        sandbox: Sandbox | None = None,
        tools: Sequence[Tool] = (),
        *,
        code_seconds: float = 30.0,
        tool_seconds: float = 60.0,
        reply_tokens: int = 2048,
        context_chars: int = 40_000,
    ) -> None:
        self._model = model
        self._sandbox = sandbox
        self._tools = tuple(tools)
        offered = (*(sandbox.tools if sandbox is not None else ()), *self._tools)
        self._offer = Offer(offered, python=sandbox is not None)
        taken = [tool.name for name, tool in self._offer.tools.items() if name in (PYTHON, ANSWER)]
        if taken:
            raise ConfigError(f"a tool cannot be named {taken[0]!r} with the strategy 'tools': give it another name")
        self._seconds = {PYTHON: code_seconds}
        self._tool_seconds = tool_seconds
        self._reply_tokens = reply_tokens
        self._context_chars = context_chars

    async def attempt(self, brief: Brief, emit: Emit = lambda event: None) -> Attempt:
        """As `agentfly.protocols.Generator.attempt`."""
        budget = Budget(brief.limits, brief.journal.clock)
        async with AsyncExitStack() as stack:
            worker: CodeWorker | None = None
            if self._sandbox is not None:
                worker = await stack.enter_async_context(opened(self._sandbox, brief, self._tools))
            start, files = await look(brief, lambda: self._opening(brief))
            state = _State(
                brief=brief,
                budget=budget,
                start=start,
                files=files,
                reminder=REMINDER,
                model=self._model.name,
                offer=self._offer.at(brief.workspace),
            )
            ended = await work(
                state, lambda: self._ask(state, emit), lambda reply: self._step(state, reply, worker, emit)
            )
            return record(state, ended, self.name, state.tier)

    def _opening(self, brief: Brief) -> tuple[tuple[Message, Message], str]:
        python = self._sandbox is not None
        told = rule_for(self._offer.tools.values())
        system = Message("system", render("tools", python=python, marking=told, **standing(brief)))
        return (system, task_message(brief, REMINDER)), file_previews(brief)

    async def _ask(self, state: _State, emit: Emit) -> Reply:
        options = CallOptions(tools=state.offer.descriptions)
        messages = conversation(state.start, without_repeats(state.exchanges), self._context_chars)
        return await ask_model(state, self._model, messages, emit, reply_tokens=self._reply_tokens, options=options)

    async def _step(self, state: _State, reply: Reply, worker: CodeWorker | None, emit: Emit) -> str | None:
        """Do what a reply says; the answer if that gave one that is accepted."""
        asked, begun = requests(reply), monotonic()
        results = await self._performer(state, worker, emit).perform(asked.calls)
        _note(state, results, worker)
        given = next((result.answer for result in results if result.answer is not None), None)
        if given is None and not results:
            given = _in_words(state, asked, reply)
        step = Step(
            index=len(state.steps),
            thought=asked.thought,
            action="\n".join(result.action for result in results),
            observation="\n".join(result.text for result in results if result.text) or given or "",
            error=any(result.error for result in results),
            final=given is not None,
            usage=reply.usage,
            seconds=monotonic() - begun,
        )
        told = ""
        if given is not None:
            state.keep(given)
            told = await examine(state, given, step, guessed=state.guessed())
        exchange, seen = _answered(state, asked, reply, results, told)
        if given is None or told:
            step = replace(step, observation=seen, error=bool(told) or step.error or not results, final=False)
        state.steps.append(step)
        state.said.append("\n".join([reply.text, *(_words(result) for result in results)]))
        state.exchanges.append(exchange)
        emit(StepFinished(step=step))
        return given if step.final else None

    def _performer(self, state: _State, worker: CodeWorker | None, emit: Emit) -> Performer:
        number = len(state.steps)

        def begin(result: Result) -> None:
            emit(CodeStarted(code=result.action, step=number))
            if tool := state.offer.tools.get(result.request.name):
                state.tools[tool.name] = None
                if origin := origin_of(tool):
                    state.origins[origin] = None

        return Performer(
            offer=state.offer,
            worker=worker,
            chars=state.brief.limits.output_chars,
            fence=state.fence,
            call=state.brief.journal.call,
            begin=begin,
            seconds=lambda name: state.budget.within(self._seconds.get(name, self._tool_seconds)),
        )


def _note(state: _State, results: Sequence[Result], worker: CodeWorker | None) -> None:
    """Take what calls gave into the attempt: what ran, what worked, and what a block seems to have found."""
    for result in results:
        if result.execution is not None and worker is not None:
            state.tier = worker.tier
            state.ran_block(result.action, result.execution)
            if result.execution.restarted:  # what came before is gone, and the next blocks cannot rest on it
                state.ran.clear()
                state.worked = [earlier for earlier in state.worked if earlier.execution is None]
        if not result.error and result.request.name != ANSWER:
            state.worked.append(result)
        if result.execution is not None and not state.questioned and result.answer is None:
            state.keep(guess(result.execution))
    if results:
        state.nudged = False


def _in_words(state: _State, asked: Requests, reply: Reply) -> str | None:
    """The answer in a reply that calls nothing: taken once the model was told to call `final_answer` and still did not."""
    text = reply.text.strip()
    if asked.problem or reply.finish_reason == "length" or not 0 < len(text) <= LONGEST_GUESS:
        return None
    said = text if "\n" in text else guess(Execution(output=text)) or text
    if state.nudged:
        return said
    if state.best is None:
        state.keep(said)
    return None


def _answered(
    state: _State, asked: Requests, reply: Reply, results: Sequence[Result], told: str
) -> tuple[Exchange, str]:
    """The exchange as the conversation keeps it, and what was observed, for the record.

    Args:
        state: of the attempt.
        asked: what the reply asked for.
        reply: as it came.
        results: of its calls.
        told: why the answer needs another look; empty where it does not.
    """
    if not results:
        problem = asked.problem or (CUT if reply.finish_reason == "length" else NUDGE)
        state.nudged = True
        if not told:
            state.failed(problem)
        exchange = Exchange(Message("assistant", reply.text or "(empty)"), (Message("user", told or problem),))
        return exchange, told or problem
    texts, seen = _texts(state, results, told)
    failed = [error_kind(result.error) for result in results if result.error]
    kind = "; ".join(failed) if len(failed) == len(results) else ""
    if not asked.native:
        joined = "\n\n".join(f"{result.request.name}: {text}" for result, text in zip(results, texts, strict=True))
        return Exchange(Message("assistant", reply.text), (Message("user", joined),), kind), seen
    calls = _echoes(state, results)
    messages = tuple(Message("tool", text, tool_call_id=call.id) for call, text in zip(calls, texts, strict=True))
    return Exchange(Message("assistant", reply.text, tool_calls=calls), messages, kind), seen


def _texts(state: _State, results: Sequence[Result], told: str) -> tuple[list[str], str]:
    """What the model reads of each call, and what is recorded of all of them."""
    texts, seen, kinds = [], [], dict[str, int]()
    answers = 0
    for result in results:
        text = result.text or "(nothing was printed)"
        if result.answer is not None:
            answers += 1
            text = (told or "Accepted.") if answers == 1 else "Not taken: the first answer counts."
            seen.append(text)
        else:
            seen.append(result.text)
        if result.error:
            kind = error_kind(result.error)
            if kind not in kinds:  # side by side, the same error counts once
                kinds[kind] = state.failed(kind)
            text = corrected(result.text, result.error, kinds[kind], state.files, what="call", reminder=REMINDER)
        texts.append(text)
    return texts, "\n".join(text for text in seen if text)


def _echoes(state: _State, results: Sequence[Result]) -> tuple[ToolCall, ...]:
    """The calls with ids of their own: some providers give none, or the same ones again."""
    calls = []
    for number, result in enumerate(results):
        own = result.request.id
        if not own or own in state.ids:
            own = f"call-{len(state.steps)}-{number}"
        state.ids.add(own)
        calls.append(echoed(result.request, result.arguments, own))
    return tuple(calls)


def _words(result: Result) -> str:
    """What a call says in words, to see what it cites."""
    return "\n".join(str(value) for value in (result.arguments or {}).values())


def _planned(result: Result) -> str:
    return f"python:\n```python\n{result.action.strip()}\n```" if result.execution is not None else result.action
