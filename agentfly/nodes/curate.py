"""Curate: turn the insight into a small delta (ACE's curator) and let the gate decide whether it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentfly.errors import AgentflyError, ProviderError, ReplyError
from agentfly.events import Curated
from agentfly.nodes.gating import decide
from agentfly.nodes.state import Emit, Parts, State
from agentfly.playbooks.delta import Delta
from agentfly.playbooks.rules import MODEL_RULES, Rules
from agentfly.prompts import render
from agentfly.protocols import CallOptions
from agentfly.structured import ask
from agentfly.types import Learned, Message, Reflection, Usage


async def curate(state: State, parts: Parts, emit: Emit) -> State:
    reflection = state.get("reflection")
    if reflection is None:
        return {"learned": Learned()}
    tags = _tag_operations(reflection, {bullet.id for bullet in state.get("bullets", ())})
    if not reflection.insight:
        return {"learned": _commit(state, parts, emit, Delta.model_validate({"operations": tags}))} if tags else {}
    try:
        proposed, usage = await propose(state, parts, reflection)
    except AgentflyError as error:  # a useless reply costs nothing but its call
        emit(Curated(accepted=False, reason=str(error)))
        spent = error.usage if isinstance(error, ProviderError | ReplyError) else Usage()
        return {"learned": Learned(reason=str(error)), "usage": spent}
    return await judge(state, parts, emit, proposed, tags, usage)


async def propose(state: State, parts: Parts, reflection: Reflection) -> tuple[Delta, Usage]:
    """Ask the curator for a delta."""
    prompt = render(
        "curate_task",
        playbook=parts.playbook.current().render(budget=parts.settings.playbook.tokens),
        diagnosis=reflection.diagnosis,
        insight=reflection.insight,
    )
    messages = (Message("system", render("curate")), Message("user", prompt))
    return await ask(parts.curator, messages, Delta, CallOptions(temperature=0.0, max_tokens=300))


async def judge(
    state: State, parts: Parts, emit: Emit, proposed: Delta, tags: list[dict[str, Any]], usage: Usage
) -> State:
    """Let the gate decide on the proposal; tags rest on the attempt itself and are kept either way."""
    current = parts.playbook.current()
    candidate = current.apply(proposed, run=state["run_id"], rules=_rules(parts))
    if candidate.bullets == current.bullets:
        refused = "; ".join(refusal.reason for refusal in current.refusals(proposed, rules=_rules(parts)))
        emit(Curated(accepted=False, reason=refused or "nothing to change"))
        learned = _commit(state, parts, emit, Delta.model_validate({"operations": tags})) if tags else Learned()
        return {"learned": learned, "usage": usage}

    judged = await decide(state, parts, emit, current, proposed, candidate)
    verdict = judged.verdict
    after: State = {"trials": (*state["trials"], *judged.trials), "usage": usage + judged.usage}
    if verdict.accepted:
        delta = Delta.model_validate(
            {"reason": proposed.reason, "operations": [*(op.model_dump() for op in proposed.operations), *tags]}
        )
        return {**after, "learned": _commit(state, parts, emit, delta, verdict.reason, judged.evidence)}
    parts.playbook.drop(proposed, verdict.reason, judged.evidence, state["run_id"])
    emit(Curated(accepted=False, reason=verdict.reason, changes=describe(proposed)))
    if tags:
        _commit(state, parts, emit, Delta.model_validate({"operations": tags}))
    return {**after, "learned": Learned(accepted=False, reason=verdict.reason)}


def _commit(
    state: State,
    parts: Parts,
    emit: Emit,
    delta: Delta,
    reason: str = "credit from the attempt",
    evidence: Mapping[str, Any] | None = None,
) -> Learned:
    done = parts.playbook.commit(
        delta,
        author="run",
        run=state["run_id"],
        reason=reason,
        evidence=evidence or _credit(state),
        rules=_rules(parts),
    )
    if not done.accepted:  # meanwhile another process committed the same
        return Learned(reason="nothing to change")
    emit(Curated(accepted=True, reason=reason, changes=tuple(map(str, done.changes)), version=done.version))
    return Learned(delta=done.version, accepted=True, reason=reason)


def _rules(parts: Parts) -> Rules:
    """What a model may write into a playbook."""
    return replace(MODEL_RULES, chars=parts.settings.playbook.bullet_chars)


def _credit(state: State) -> dict[str, Any]:
    """What tags rest on: the attempt that they speak of, without a test."""
    first = state["trials"][0].feedback
    return {"before": first.reward, "source": first.source, "after": [], "attempts": [f"{state['run_id']}/0"]}


def _tag_operations(reflection: Reflection, bullets: set[str]) -> list[dict[str, Any]]:
    return [{"op": "tag", "id": name, "tag": tag} for name, tag in reflection.tags.items() if name in bullets]


def describe(delta: Delta) -> tuple[str, ...]:
    """One line for each operation, for people."""
    return tuple(_line(operation.model_dump()) for operation in delta.operations)


def _line(operation: Mapping[str, Any]) -> str:
    target = operation.get("id") or ", ".join(operation.get("ids") or ()) or operation.get("section") or ""
    return f"{operation['op']} {target}: {operation.get('text') or operation.get('tag') or ''}".rstrip(": ")
