"""Reflect: why an attempt went as it did (ACE's reflector).

A failure costs one model call, and one more where the reply has to be mended. A success that is explained by what was shown
costs none: what was cited is credited, and the working solution is the lesson. One that took steps that failed, and that
nothing shown explains, costs one. A failure whose solution was repaired costs none: the edit says what the mistake was. Where nobody says how an attempt went (``feedback: none``), each costs one.
"""

from __future__ import annotations

from dataclasses import replace

from agentfly.config import Settings
from agentfly.errors import AgentflyError, ProviderError, ReplyError
from agentfly.events import Reflected
from agentfly.nodes.diagnosis import Outcome, diagnose, outcome_of
from agentfly.nodes.repairing import explained, mended
from agentfly.nodes.state import Emit, Parts, State
from agentfly.types import Attempt, Reflection, Usage


async def reflect(state: State, parts: Parts, emit: Emit) -> State:
    first = state["trials"][0]
    outcome = outcome_of(first)
    if outcome == "failed" and mended(state["trials"]) is not None and not parts.settings.learning.every:
        return _known(state, emit)
    if not worth_a_call(first.attempt, outcome, parts.settings):
        return _credit(first.attempt, outcome, emit)
    count, before = state.get("reflections", 0), state.get("reflection")
    spent = before.usage if before else Usage()
    repairs = int(outcome == "failed" and spent.calls <= count)  # one in all, see `Reflection.usage` in the state
    try:
        reflection = await diagnose(state, parts, outcome, repairs=repairs, hard=hard_won(first.attempt))
    except AgentflyError as error:  # learning must never cost the user the answer
        emit(Reflected(reflection=None, problem=str(error)))
        cost = error.usage if isinstance(error, ProviderError | ReplyError) else Usage()
        kept = replace(before, usage=spent + cost) if before else None
        return {"reflection": kept, "reflections": count + 1, "silent": True, "usage": cost}
    emit(Reflected(reflection=reflection))
    whole = replace(reflection, usage=spent + reflection.usage)
    return {"reflection": whole, "reflections": count + 1, "usage": reflection.usage}


def worth_a_call(attempt: Attempt, outcome: Outcome, settings: Settings) -> bool:
    """Whether the reflector is asked about an attempt."""
    learning = settings.learning
    if outcome == "solved" and not learning.every and not (learning.successes and hard_won(attempt)):
        return False
    return learning.strategies


def hard_won(attempt: Attempt) -> bool:
    """Whether an attempt got there only after a step that failed, and nothing that it was given explains that it did."""
    given = attempt.cited or attempt.shown_cases or attempt.shown_bullets or attempt.questioned
    return not given and len(attempt.steps) > 1 and any(step.error for step in attempt.steps)


def _known(state: State, emit: Emit) -> State:
    """A repair has shown what the mistake was: nobody needs to be asked."""
    reflection = explained(state["trials"])
    emit(Reflected(reflection=reflection))
    return {"reflection": reflection}


def _credit(attempt: Attempt, outcome: Outcome, emit: Emit) -> State:
    """What was cited on the way to a success has helped; nothing else can be said without a call."""
    if outcome != "solved":
        return {"reflection": None}
    reflection = Reflection(diagnosis="", insight="", tags=dict.fromkeys(attempt.cited, "helpful"))
    emit(Reflected(reflection=reflection))
    return {"reflection": reflection}
