"""Committing: a delta that was decided on becomes a version, and whoever watches is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentfly.events import Curated
from agentfly.nodes.curating import rules_of
from agentfly.nodes.state import Emit, Parts, State
from agentfly.playbooks.delta import Delta
from agentfly.types import Learned


def commit(
    state: State, parts: Parts, emit: Emit, delta: Delta, reason: str, evidence: Mapping[str, Any]
) -> Learned | None:
    """Keep a delta; None where there was nothing left to change, because another process had done the same meanwhile."""
    run, rules = state["run_id"], rules_of(parts)
    done = parts.playbook.commit(delta, author="run", run=run, reason=reason, evidence=evidence, rules=rules)
    if not done.accepted:
        return None
    emit(Curated(accepted=True, reason=reason, changes=tuple(map(str, done.changes)), version=done.version))
    return Learned(delta=done.version, accepted=True, reason=reason)
