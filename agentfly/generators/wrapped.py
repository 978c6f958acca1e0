"""Strategy `wrapped`: somebody else's agent acts, with what was recalled in view."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

from agentfly.errors import AgentflyError, LimitReached, ModelMistake, ProviderError
from agentfly.events import CodeStarted, StepFinished
from agentfly.generators.asking import Callee, Told
from agentfly.generators.attempting import Emit, Ended, State, examine, record
from agentfly.generators.briefing import clip
from agentfly.generators.budget import Budget
from agentfly.generators.failing import described, is_away
from agentfly.generators.outcomes import Extract, Outcome, read, turns_of
from agentfly.generators.runnables import apart
from agentfly.generators.turns import Turns
from agentfly.prompts import render
from agentfly.protocols import Brief, reads_outside
from agentfly.records import from_json, to_json
from agentfly.types import Attempt, Case, Message, Reply, Step

_log = logging.getLogger("agentfly.generators")

REMINDER = "The answer must have exactly the form that the task asks for."
LOOKS = 2
"""Calls of the agent in one attempt: the first, and one more where a check asks for another look at the answer."""
_CASE_CHARS, _QUESTION_CHARS, _LINE_CHARS, _LINES = 2000, 1000, 200, 8


class _Failed(Exception):
    """The agent raised something."""


@dataclass(slots=True, kw_only=True)
class _State(State):
    """What one attempt has gathered so far."""

    offset: int = 0
    """Steps of earlier calls."""
    shown: int = 0
    """Steps of this call that were told of."""
    last: tuple[Step, ...] = ()
    """Steps of the latest call that gave an answer."""
    seen: Turns = field(default_factory=Turns)
    """What the agent did so far in this call, as far as it shows that on its way."""

    def working(self) -> str:
        """The calls that worked, a line each; nothing where the agent tells of none."""
        worked = [step for step in self.last if step.action and not step.error and not step.final]
        return "\n".join(f"{number}. {_told(step)}" for number, step in enumerate(worked[-_LINES:], start=1))


class WrappedGenerator:
    """Acts by asking an agent that is not ours. One call of it is an attempt; where a check objects to its answer, two are.

    What the agent raises is its failure, and can be learned from like a wrong answer. Errors of a provider, which say nothing about
    the task, end the attempt with the status ``error``.

    Args:
        agent: the agent.
        extract: takes the answer out of what it gives; by default where it usually stands, see `agentfly.generators.outcomes`.
        outside: whether it reads content from outside; None goes by the names of the tools that it called.
    """

    name = "wrapped"

    def __init__(self, agent: Callee, *, extract: Extract | None = None, outside: bool | None = None) -> None:
        self._agent = agent
        self._extract = extract
        self._outside = outside

    @property
    def agent(self) -> str:
        """The agent's name."""
        return self._agent.name

    async def attempt(self, brief: Brief, emit: Emit = lambda event: None) -> Attempt:
        """As `agentfly.protocols.Generator.attempt`."""
        context = _context(brief)
        state = _State(
            brief=brief,
            budget=Budget(brief.limits, brief.journal.clock),
            start=(Message("system", context), Message("user", brief.task.question)),
            files="",
            reminder=REMINDER,
            model=self._agent.name,
        )
        if self._outside:
            state.origins["web"] = None
        ended = await self._work(state, emit)
        return replace(record(state, ended, self.name, ""), solution=state.solution or state.best or "")

    async def _work(self, state: _State, emit: Emit) -> Ended:
        objection = ""
        for look in range(1, LOOKS + 1):
            try:
                state.budget.check(len(state.steps), state.usage)
                outcome = await self._ask(state, objection, emit)
            except LimitReached as limit:
                return state.best, "limit", limit.limit
            except ProviderError as error:
                state.usage += error.usage
                state.steps += _numbered(state.seen.steps, state.offset)
                return state.best, "error", str(error)
            objection = await self._take(state, outcome, emit, last=look == LOOKS)
            if outcome.limit:
                return state.best, "limit", outcome.limit
            if not objection:
                break
        if state.best is None:
            return None, "no_answer", outcome.failure
        return state.best, "answered", ""

    async def _ask(self, state: _State, objection: str, emit: Emit) -> Outcome:
        """One call of the agent, or what the journal has of it."""
        state.offset, state.shown, state.seen = len(state.steps), 0, Turns()
        brief = state.brief
        copies = tuple(brief.workspace / name for name in brief.task.file_names)
        told = Told(
            question=brief.task.question.strip(),
            context=state.start[0].content,
            note=_note(brief, objection),
            task=replace(brief.task, files=copies),  # where the originals are could tell what benchmark this is
            files=copies,
            workspace=brief.workspace,
        )

        async def ask() -> Reply:
            outcome = await self._call(state, told, emit)
            return Reply(text=to_json(outcome), usage=outcome.usage, model=outcome.model or self._agent.name)

        reply = await brief.journal.reply(ask)
        state.took(reply)
        return from_json(Outcome, reply.text)

    async def _call(self, state: _State, told: Told, emit: Emit) -> Outcome:
        chars, begun = state.brief.limits.output_chars, monotonic()
        fenced = self._fenced(state)
        here = contextvars.copy_context()  # in which events are told: the agent has another one

        def on_state(seen: Any, sent: int) -> None:
            state.seen = turns_of(seen, chars, sent, fenced)
            here.run(self._tell, state, state.seen.steps[:-1], emit)
            if state.seen.going_on:  # a limit does not take away an answer that is there
                state.budget.check(state.offset + len(state.seen.steps), state.usage + state.seen.usage)

        emit(CodeStarted(code=f"{self._agent.name}(question)", step=state.offset))
        task = asyncio.create_task(self._guarded(told, on_state), context=apart())
        timer = asyncio.timeout(state.budget.seconds_left())
        try:
            async with timer:
                gave = await task
            outcome = read(gave.output, self._agent.name, chars, extract=self._extract, sent=gave.sent, fenced=fenced)
        except LimitReached as limit:
            outcome = self._cut(state.seen, limit=limit.limit)
        except TimeoutError:
            outcome = self._cut(state.seen, limit="seconds")
        except _Failed as failed:
            outcome = self._cut(state.seen, failure=clip(str(failed), chars))
        except ProviderError as error:
            raise ProviderError(str(error), usage=error.usage + state.seen.usage) from error
        return replace(outcome, usage=replace(outcome.usage, seconds=round(monotonic() - begun, 3)))

    async def _guarded(self, told: Told, on_state: Callable[[Any, int], None]) -> Any:
        """Call the agent; whatever it raises is its failure, except what is ours.

        Raises:
            _Failed: it raised something.
            ProviderError: something that says nothing about the task.
        """
        try:
            return await self._agent.call(told, on_state)
        except ModelMistake as error:
            raise _Failed(described(error)) from error
        except AgentflyError:
            raise
        except asyncio.CancelledError as error:
            ours = asyncio.current_task()
            if ours is not None and ours.cancelling():
                raise
            raise _Failed("it was cancelled by something of its own") from error
        except Exception as error:
            _log.info("the wrapped agent %s failed", self._agent.name, exc_info=error)
            if is_away(error):
                raise ProviderError(f"{self._agent.name}: {described(error)}") from error
            raise _Failed(described(error)) from error

    def _cut(self, seen: Turns, *, limit: str = "", failure: str = "") -> Outcome:
        """What is known of a call that did not come to its end."""
        steps = seen.steps
        if failure or not steps:
            action = "" if steps else f"{self._agent.name}(question)"
            observation = failure or f"It hit the limit of {limit}."
            steps = (*steps, Step(index=len(steps), action=action, observation=observation, error=True))
        return Outcome(
            steps=steps,
            said=seen.said,
            tools=seen.tools,
            usage=seen.usage,
            model=seen.model,
            limit=limit,
            failure=failure,
        )

    async def _take(self, state: _State, outcome: Outcome, emit: Emit, *, last: bool) -> str:
        """Put what came of a call on the record; the objection to its answer, where a check has one."""
        steps = _numbered(outcome.steps, state.offset)
        state.said += outcome.said
        state.tools.update(dict.fromkeys(outcome.tools))
        if any(map(self._is_outside, outcome.tools)):
            state.origins["web"] = None
        told = ""
        if outcome.answer is not None:
            steps[-1] = replace(steps[-1], final=True)
            state.last = tuple(steps)
            state.keep(outcome.answer)
            state.steps += steps[:-1]
            told = "" if last else await examine(state, outcome.answer, steps[-1], guessed=False)
            if told:
                steps[-1] = replace(steps[-1], observation=told, error=True, final=False)
            state.steps.append(steps[-1])
        else:
            state.steps += steps
        self._tell(state, tuple(steps), emit)
        return told

    @staticmethod
    def _tell(state: _State, steps: tuple[Step, ...], emit: Emit) -> None:
        """Tell of steps of this call, each once."""
        for number, step in enumerate(steps[state.shown :], start=state.shown):
            emit(StepFinished(step=replace(step, index=state.offset + number)))
        state.shown = max(state.shown, len(steps))

    def _fenced(self, state: _State) -> Callable[[str, str], str]:
        return lambda text, tool: state.fence.around(text, ["web"]) if self._is_outside(tool) else text

    def _is_outside(self, tool: str) -> bool:
        return reads_outside(tool) if self._outside is None else self._outside


def _context(brief: Brief) -> str:
    """What was learned that bears on a task, as text; empty where there is nothing."""
    return render(
        "wrapped",
        instructions=brief.task.instructions.strip(),
        playbook=brief.playbook.strip(),
        cases=[_shown(recalled.case) for recalled in brief.cases],
    )


def _shown(case: Case) -> Mapping[str, Any]:
    answer = (case.answer or "").strip()
    plan = case.solution.strip()
    return {
        "id": case.id,
        "question": clip(case.question.strip(), _QUESTION_CHARS),
        # A solution may be nothing but the answer, which is told anyway.
        "plan": "" if plan in (answer, f"final_answer({answer!r})") else clip(plan, _CASE_CHARS),
        "answer": clip(answer, _CASE_CHARS),
        "success": case.success,
        "lesson": case.lesson.strip(),
    }


def _note(brief: Brief, objection: str) -> str:
    """What belongs to this very call: where the files are, the lesson of the last attempt, what is wrong with its answer."""
    files = "\n".join(str(brief.workspace / name) for name in brief.task.file_names)
    told = (
        f"Files:\n{files}" if files else "",
        f"Your last attempt failed: {brief.lesson.strip()}" if brief.lesson.strip() else "",
        objection,
    )
    return "\n\n".join(filter(None, told))


def _numbered(steps: Iterable[Step], first: int) -> list[Step]:
    return [replace(step, index=number) for number, step in enumerate(steps, start=first)]


def _told(step: Step) -> str:
    """A step as a line of a plan."""
    seen = " ".join(step.observation.split())
    action = clip(step.action.strip(), _CASE_CHARS // _LINES)
    return f"{action} → {seen[:_LINE_CHARS]}" if seen else action
