"""Strategy `plan`: a planner divides the task, an executor does the parts (AgentFly, arXiv 2508.16153, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from agentfly.errors import LimitReached, ProviderError
from agentfly.events import StepFinished
from agentfly.generators.attempting import Emit, State, ask_model, examine, look, record, work
from agentfly.generators.briefing import (
    Turn,
    clip,
    conversation,
    file_previews,
    offer,
    standing,
    task_message,
    without_repeats,
)
from agentfly.generators.budget import Budget
from agentfly.generators.marking import rule_for
from agentfly.generators.plans import SCHEMA, Part, Planned, plan_text, read_plan, worked_out
from agentfly.generators.subtasks import briefed, counted_from, fair_share, in_place, noted, report
from agentfly.prompts import render
from agentfly.protocols import Brief, CallOptions, Generator, Model, Tool
from agentfly.types import Attempt, Message, Reply, Step, Subtask

ANSWER_FORM = '{"thought": "...", "subtasks": [], "answer": "..."}'
REMINDER = (
    "Reply with one JSON object: a plan, or the answer where the results give it. The answer must have exactly the form that "
    "the task asks for: rounded as asked, a bare number or word, without a label."
)
_NO_MORE = f"No further plan is possible. Reply with the answer as far as the results give it: {ANSWER_FORM}"
_REFUSALS = 2
"""Plans beyond the last one that are refused before the attempt ends."""
_RAW_CHARS = 2000
_REPORT_CHARS = 600
"""What the planner reads of a subtask at the least, however many there are."""


@dataclass(slots=True, kw_only=True)
class _State(State):
    """What one attempt has gathered so far: what the planner said, and what came of its subtasks."""

    turns: list[Turn] = field(default_factory=list)
    subtasks: list[Subtask] = field(default_factory=list)
    """In the order in which they were worked on."""
    done: dict[str, Subtask] = field(default_factory=dict)
    """Those that have a result, by the id that the latest plan gave them."""
    plans: int = 0
    refused: int = 0
    """Plans that came after the last one that was allowed."""
    failure: str = ""
    """Why the executor's provider failed."""
    tier: str = ""
    shown: dict[str, None] = field(default_factory=dict)
    """Ids of the cases that executors were shown."""
    cited: set[str] = field(default_factory=set)

    @property
    def steps_left(self) -> int:
        return self.brief.limits.steps - len(self.steps)

    def working(self) -> str:
        """The subtasks that worked."""
        return worked_out(self.subtasks)

    def took_part(self, part: Part, attempt: Attempt, calls: Sequence[str]) -> Subtask:
        """Take an executor's attempt into this one."""
        subtask = noted(part, attempt, self.plans, calls, self.origins)
        first = len(self.steps)
        self.steps += [in_place(step, first) for step in attempt.steps]
        self.usage += attempt.usage
        self.tools.update(dict.fromkeys(attempt.tools))
        self.origins.update(dict.fromkeys(attempt.origins))
        self.fence.around_output("", subtask.origins)  # from now on an answer may hold what was read
        self.tier = self.tier or attempt.sandbox
        self.shown.update(dict.fromkeys(attempt.shown_cases))
        self.cited.update(attempt.cited)
        self.failure = attempt.reason if attempt.status == "error" else ""
        self.subtasks.append(subtask)
        if subtask.worked:
            self.done[part.id] = subtask
        if not self.questioned:  # what was given as the answer is worth more than a result on the way to it
            self.keep(subtask.answer)
        return subtask


class PlanGenerator:
    """Acts by dividing the task into subtasks, which another strategy carries out one after another.

    Args:
        model: plans, and answers from the results.
        executor: carries out a subtask.
        tools: what the executor can call besides running code, for the planner to know.
        cycles: plans of one attempt, the first one and those that replace it.
        subtasks: most subtasks of one plan.
        reply_tokens: longest reply of the planner.
        context_chars: longest conversation with the planner, in characters (about 3.5 to a token).
    """

    name = "plan"

    def __init__(
        self,
        model: Model,
        executor: Generator,
        *,
        tools: Sequence[Tool] = (),
        cycles: int = 3,
        subtasks: int = 8,
        reply_tokens: int = 2048,
        context_chars: int = 40_000,
    ) -> None:
        self._model = model
        self._executor = executor
        self._tools = tuple(tools)
        self._cycles = cycles
        self._most = subtasks
        self._reply_tokens = reply_tokens
        self._context_chars = context_chars

    async def attempt(self, brief: Brief, emit: Emit = lambda event: None) -> Attempt:
        """As `agentfly.protocols.Generator.attempt`."""
        budget = Budget(brief.limits, brief.journal.clock)
        start, files = await look(brief, lambda: self._opening(brief))
        state = _State(brief=brief, budget=budget, start=start, files=files, reminder=REMINDER, model=self._model.name)
        ended = await work(state, lambda: self._ask(state, emit), lambda reply: self._step(state, reply, emit))
        return _recorded(state, record(state, ended, self.name, state.tier))

    def _opening(self, brief: Brief) -> tuple[tuple[Message, Message], str]:
        tools = [offer(tool) for tool in self._tools]
        system = Message("system", render("plan", tools=tools, marking=rule_for(self._tools), **standing(brief)))
        most = max(1, min(self._most, brief.limits.steps - 2))  # this reply and the answer take a step each
        return (system, task_message(brief, f"{REMINDER} At most {most} subtasks.")), file_previews(brief)

    async def _ask(self, state: _State, emit: Emit) -> Reply:
        if state.failure:
            raise ProviderError(state.failure)
        if state.refused >= _REFUSALS:
            raise LimitReached("cycles", f"{state.plans} of {self._cycles} plans used")
        options = CallOptions(json_schema=SCHEMA)
        messages = conversation(state.start, without_repeats(state.turns), self._context_chars)
        reply = await ask_model(state, self._model, messages, emit, reply_tokens=self._reply_tokens, options=options)
        state.said.append(reply.text)
        return reply

    async def _step(self, state: _State, reply: Reply, emit: Emit) -> str | None:
        """Do what the planner says; the answer if it gave one that is accepted."""
        planned = read_plan(reply, state.done, self._most)
        if planned.answer is not None and (not planned.parts or state.done):
            return await self._answer(state, planned.answer, planned.thought, reply, emit)
        problem = planned.problem
        if not problem and not self._may_plan(state):
            state.refused += 1
            problem = _NO_MORE
        if problem:
            self._refuse(state, problem, planned.thought, reply, emit)
        else:
            await self._carry_out(state, planned, reply, emit)
        return None

    def _may_plan(self, state: _State) -> bool:
        """Whether another plan could still be carried out, and answered after."""
        return state.plans < self._cycles and (state.plans == 0 or state.steps_left >= 3)

    async def _answer(self, state: _State, answer: str, thought: str, reply: Reply, emit: Emit) -> str | None:
        step = Step(
            index=len(state.steps),
            thought=thought,
            action=f"Answer: {answer}",
            observation=answer,
            final=True,
            usage=reply.usage,
        )
        state.keep(answer)
        told = await examine(state, answer, step, guessed=bool(state.files) and not state.subtasks)
        if told:
            step = replace(step, observation=told, error=True, final=False)
            state.turns.append(Turn(reply.text, told))
        state.steps.append(step)
        emit(StepFinished(step=step))
        return None if told else answer

    def _refuse(self, state: _State, problem: str, thought: str, reply: Reply, emit: Emit) -> None:
        """Tell the planner why its reply cannot be followed."""
        state.failed(problem)
        step = Step(
            index=len(state.steps),
            thought=thought,
            action=clip(reply.text.strip(), _RAW_CHARS),
            observation=problem,
            error=True,
            usage=reply.usage,
        )
        state.steps.append(step)
        state.turns.append(Turn(reply.text or "(empty)", f"{problem} {REMINDER}", error=problem))
        emit(StepFinished(step=step))

    async def _carry_out(self, state: _State, planned: Planned, reply: Reply, emit: Emit) -> None:
        """Have the subtasks of a plan done, and tell the planner what came of them."""
        state.plans += 1
        number = len(state.steps)
        step = Step(index=number, thought=planned.thought, action=plan_text(planned.parts), usage=reply.usage)
        state.steps.append(step)
        emit(StepFinished(step=step))  # who watches sees the plan before its subtasks; the results are seen in these
        results = await self._execute(state, planned.parts, emit)
        told = "\n".join(results)
        state.steps[number] = replace(step, observation=told)
        state.turns.append(Turn(reply.text, f"{told}\n\n{self._next(state)}"))

    async def _execute(self, state: _State, parts: Sequence[Part], emit: Emit) -> list[str]:
        """Do the parts in their order until one fails; what the planner reads of each.

        A part that an earlier plan had done in the same words is not done again, unless what it needs was.
        """
        told: list[str] = []
        chars = max(state.brief.limits.output_chars // len(parts), _REPORT_CHARS)
        fresh: set[str] = set()
        stopped = False
        for place, part in enumerate(parts):
            before = None if fresh.intersection(part.needs) else _done_before(state, part)
            subtask: Subtask | None = before
            if before is not None:
                state.done[part.id] = before
            elif not stopped:
                fresh.add(part.id)
                state.done.pop(part.id, None)  # the id stands for something else now
                subtask = await self._do(state, part, len(parts) - place, emit)
                stopped = subtask is None or not subtask.worked
            told.append(report(part, subtask, state.fence, chars, again=before is not None))
        return told

    async def _do(self, state: _State, part: Part, waiting: int, emit: Emit) -> Subtask | None:
        """Have one part done; None where nothing is left for it."""
        brief, notes = state.brief, list[str]()
        try:
            state.budget.check(len(state.steps), state.usage)
        except LimitReached:
            return None
        limits = fair_share(
            brief.limits,
            steps=len(state.steps),
            usage=state.usage,
            seconds_left=state.budget.seconds_left(),
            waiting=waiting,
            answerable=bool(state.done),
        )
        if limits is None:
            return None
        given = briefed(
            brief,
            part,
            [state.done[need] for need in part.needs if need in state.done],
            state.subtasks,
            cases=await brief.recall(part.task),
            notes=notes,
            limits=limits,
        )
        attempt = await self._executor.attempt(given, counted_from(len(state.steps), emit))
        return state.took_part(part, attempt, notes)

    def _next(self, state: _State) -> str:
        """What the planner is told to do after the results of a plan."""
        if not self._may_plan(state):
            return f"{_NO_MORE} {REMINDER}"
        known = f" needs may name {', '.join(state.done)}." if state.done else ""
        return (
            f"If this answers the task, reply with {ANSWER_FORM}; else with a plan of what is still missing or must be done in "
            f"another way. What is done in the same words is not done again.{known} {REMINDER}"
        )


def _done_before(state: _State, part: Part) -> Subtask | None:
    same = part.task.casefold()
    return next((one for one in reversed(state.subtasks) if one.worked and one.task.casefold() == same), None)


def _recorded(state: _State, attempt: Attempt) -> Attempt:
    """The attempt with what its executors were shown and cited, and its subtasks."""
    shown = tuple(dict.fromkeys([*attempt.shown_cases, *state.shown]))
    cited = {*attempt.cited, *state.cited}
    return replace(
        attempt,
        shown_cases=shown,
        cited=tuple(key for key in (*shown, *attempt.shown_bullets) if key in cited),
        subtasks=tuple(state.subtasks),
    )
