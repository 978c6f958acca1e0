"""Retiring: what the record shows to do harm leaves the playbook, whatever a reflector thinks of it."""

from __future__ import annotations

from typing import Any

from agentfly.nodes.committing import commit
from agentfly.nodes.state import Emit, Parts, State
from agentfly.playbooks.credit import Arm, Credit, credited, harmful, reworded
from agentfly.playbooks.delta import Delta, Remove
from agentfly.types import Learned

SURE = 0.99
"""How sure it must be that a bullet does harm: one looks after many runs, and chance would have its way at 0.95."""


def retire(state: State, parts: Parts, emit: Emit) -> Learned | None:
    """Take out the bullets that runs do better without.

    Only a run that had to do without a bullet brings news of it, so only then is the record read.

    Args:
        state: of a judged run.
        parts: what the nodes work with.
        emit: takes events.

    Returns:
        What changed in the playbook; None where nothing did.
    """
    spared, learned = set(state.get("left_out", ())), None
    if not spared:
        return None
    exposures = parts.record.exposures()
    if not spared.intersection(harmful(credited(exposures), SURE)):
        return None
    said = reworded(reversed(parts.playbook.history(None, dropped=False)))  # all of it: long, so only where it matters
    credits = credited(exposures, said)
    for key in spared.intersection(harmful(credits, SURE)):
        learned = _remove(key, credits[key], state, parts, emit) or learned
    return learned


def _remove(key: str, credit: Credit, state: State, parts: Parts, emit: Emit) -> Learned | None:
    reason = f"runs do better without it: {_mean(credit.without)} without, {_mean(credit.used)} with"
    return commit(state, parts, emit, Delta(reason=reason, operations=(Remove(id=key),)), reason, _evidence(credit))


def _mean(arm: Arm) -> str:
    return f"{arm.mean or 0:.2f} over {arm.runs} runs"


def _evidence(credit: Credit) -> dict[str, Any]:
    lift = credit.lift
    figures = {"estimate": lift.estimate, "low": lift.low, "high": lift.high} if lift else {}
    return {"gate": "credit", "lift": {name: round(value, 4) for name, value in figures.items()}}
