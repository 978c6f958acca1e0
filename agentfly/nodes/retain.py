"""Retain: keep the attempt as a case, with credit to the cases and bullets that were shown."""

from __future__ import annotations

import asyncio

from agentfly.events import Retained
from agentfly.nodes.state import Emit, Parts, State
from agentfly.protocols import Trial
from agentfly.types import Case, Learned, Provenance


async def retain(state: State, parts: Parts, emit: Emit) -> State:
    trials = state["trials"]
    parts.memory.record_outcome(state["run_id"], trials[0].feedback.reward)
    parts.playbook.shown([bullet.id for bullet in state.get("bullets", ())])
    case = await asyncio.to_thread(parts.memory.add, as_case(state, best(trials)))
    emit(Retained(cases=(case.id,)))
    learned = state.get("learned", Learned())
    return {"learned": Learned(cases=(case.id,), delta=learned.delta, accepted=learned.accepted, reason=learned.reason)}


def best(trials: tuple[Trial, ...]) -> Trial:
    """The trial that earned most; the earliest of equals."""
    return max(trials, key=lambda trial: trial.feedback.reward)


def as_case(state: State, trial: Trial) -> Case:
    """The case that remembers a trial: a success by its working solution, a failure by its lesson."""
    reflection = state.get("reflection")
    attempt = trial.attempt
    return Case(
        question=state["task"].question,
        solution=attempt.solution,
        answer=attempt.answer,
        reward=trial.feedback.reward,
        lesson=(reflection.insight if reflection else "") or ("" if trial.feedback.success else trial.feedback.text),
        task_id=state["task"].id,
        provenance=Provenance(run=state["run_id"], model=attempt.model, strategy=attempt.strategy),
    )
