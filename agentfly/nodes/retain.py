"""Retain: keep the attempt as a case, and the subtasks of a success as cases too, with credit to what was shown."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

from agentfly.events import Retained
from agentfly.nodes.recall import showing
from agentfly.nodes.state import Emit, Parts, State
from agentfly.nodes.subtasks import subtask_cases
from agentfly.protocols import Trial
from agentfly.types import TRUSTED, Attempt, Case, CaseStatus, Feedback, Learned, Provenance


async def retain(state: State, parts: Parts, emit: Emit) -> State:
    learned, trials = state.get("learned", Learned()), judge_shown(state, parts)
    if not trials:
        return {"learned": learned}
    return {"learned": replace(learned, cases=await remember(state, best(trials), parts, emit))}


def retain_at_once(state: State, parts: Parts, emit: Emit) -> State:
    """As `retain`, in the thread that asks for it, so that it can be part of a transaction."""
    learned, trials = state.get("learned", Learned()), judge_shown(state, parts)
    if not trials or not parts.settings.learning.cases:
        return {"learned": learned}
    cases = _keep(state, best(trials), parts)
    emit(Retained(cases=cases))
    return {"learned": replace(learned, cases=cases)}


def judge_shown(state: State, parts: Parts) -> tuple[Trial, ...]:
    """Credit what was shown with what its attempts earned; the trials that there is something to learn from."""
    if not cut_short(state["trials"][0]):
        for number, trial in enumerate(state["trials"]):  # those that a gate made were shown nothing of their own
            if not cut_short(trial):
                parts.memory.record_outcome(showing(state["run_id"], number), trial.feedback.reward)
        parts.playbook.shown([bullet.id for bullet in state.get("bullets", ())])
    return tuple(trial for trial in state["trials"] if not cut_short(trial))


async def remember(state: State, trial: Trial, parts: Parts, emit: Emit) -> tuple[str, ...]:
    """Keep a trial as a case, and its subtasks; their ids."""
    if not parts.settings.learning.cases:
        return ()
    cases = await asyncio.to_thread(_keep, state, trial, parts)
    emit(Retained(cases=cases))
    return cases


def _keep(state: State, trial: Trial, parts: Parts) -> tuple[str, ...]:
    """Write a trial's case, and those of its subtasks; their ids, its own first."""
    whole = told(state, trial, parts) or as_case(state, trial)
    stored = [parts.memory.add(case, merge=True) for case in (whole, *subtask_cases(whole, trial.attempt))]
    return tuple(dict.fromkeys(case.id for case in stored))


def cut_short(trial: Trial) -> bool:
    """Whether an attempt failed because the provider did: no failure of the task, and of nothing that was shown."""
    return trial.attempt.status == "error" and not trial.feedback.success


def best(trials: tuple[Trial, ...]) -> Trial:
    """The trial that earned most; the earliest of equals."""
    return max(trials, key=lambda trial: trial.feedback.reward)


def as_case(state: State, trial: Trial) -> Case:
    """The case that remembers a trial: a success by its working solution, a failure by its lesson."""
    attempt, status = trial.attempt, standing(trial.attempt, trial.feedback)
    return Case(
        question=state["task"].question,
        solution=attempt.solution,
        answer=attempt.answer,
        reward=trial.feedback.reward,
        lesson=_mistake(trial) or lesson(state, status) or ("" if trial.feedback.success else reason(trial)),
        task_id=state["task"].id,
        status=status,
        provenance=Provenance(
            run=state["run_id"],
            model=attempt.model,
            strategy=attempt.strategy,
            tools=attempt.tools,
            untrusted=attempt.untrusted,
            feedback=trial.feedback.source,
        ),
    )


def told(state: State, trial: Trial, parts: Parts) -> Case | None:
    """The case that remembers the right answer of a task that nobody solved; None where that is not known or no use."""
    answer = parts.reference(state["run_id"]) if not trial.feedback.success else None
    wanted = parts.settings.learning.answers
    if not answer or wanted == "never" or (wanted == "auto" and is_number(answer)):
        return None
    failed = as_case(state, trial)
    source = replace(failed.provenance, source="reference", tools=(), untrusted=False)
    return replace(
        failed, solution=f"final_answer({answer!r})", answer=answer, reward=1.0, status="active", provenance=source
    )


def _mistake(trial: Trial) -> str:
    """What was mended in a repaired solution; empty where a generator made it."""
    return trial.attempt.mended.said if trial.attempt.mended else ""


def is_number(text: str) -> bool:
    """Whether a text is one number, whatever its unit: the answer to its own task only, and no label."""
    return re.fullmatch(r"[-+$€£\s]*\d[\d,.\s]*([eE][-+]?\d+)?\s*%?", text.strip()) is not None


def lesson(state: State, status: CaseStatus) -> str:
    """The reflector's insight. Where it read what came from outside, no case that is recalled says it.

    A trusted verdict speaks for the solution, not for what a page may have had the reflector write.
    """
    reflection = state.get("reflection")
    if reflection is None or (status == "active" and any(trial.attempt.untrusted for trial in state["trials"])):
        return ""
    return reflection.insight


def standing(attempt: Attempt, feedback: Feedback) -> CaseStatus:
    """Active, or quarantined where the attempt read content from outside and no trusted outcome speaks for it.

    A planted page may have written both the solution and, through a model that judges, its praise (MINJA, arXiv 2503.03704).
    """
    confirmed = feedback.success and feedback.source in TRUSTED
    return "quarantined" if attempt.untrusted and not confirmed else "active"


def reason(trial: Trial) -> str:
    """Why an attempt failed, as far as anybody said."""
    if trial.feedback.text:
        return trial.feedback.text
    return f"It hit the limit of {trial.attempt.reason}." if trial.attempt.status == "limit" else ""
