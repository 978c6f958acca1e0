"""Curate: turn the insight into a small delta (ACE's curator) and let a gate, or the record, decide whether it is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from agentfly.errors import AgentflyError, ProviderError, ReplyError
from agentfly.events import Curated
from agentfly.nodes.admission import admit
from agentfly.nodes.committing import commit
from agentfly.nodes.curating import request, rules_of
from agentfly.nodes.gating import Judged, decide
from agentfly.nodes.journal import Remembered
from agentfly.nodes.recall import Relevance
from agentfly.nodes.retiring import retire
from agentfly.nodes.state import Emit, Parts, State
from agentfly.playbooks.delta import Add, Delta, Merge, Operation, Proposed, TagBullet, Update
from agentfly.playbooks.playbook import Playbook
from agentfly.protocols import CallOptions, Trial
from agentfly.records import from_json, to_data
from agentfly.structured import ask
from agentfly.types import TRUSTED, Learned, Reflection, Usage

FETCHED = "learned from content fetched from outside; look at it and apply it yourself with agentfly playbook apply"
CREDIT = "credit from the attempt"
OPTIONS = CallOptions(temperature=0.0, max_tokens=300)
_EMPTY = Delta(operations=())
_SAME_SUBJECT = 0.3
"""Least cosine (all-MiniLM-L6-v2) of a rule and what it becomes. Rules that were reworded or made more exact had 0.34 to 0.8, unrelated
ones 0.04 to 0.28."""


@runtime_checkable
class Noting(Protocol):
    """A playbook's ledger that notes gates' verdicts before anything is done upon them."""

    def verdict(self, delta: Delta, run: str) -> Mapping[str, Any] | None: ...
    def decide(self, delta: Delta, run: str, told: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What became of a delta in words."""

    learned: Learned
    trials: tuple[Trial, ...] = ()
    """The further attempts that the gate made."""
    usage: Usage = field(default_factory=Usage)


async def curate(state: State, parts: Parts, emit: Emit) -> State:
    if state.get("kept") and parts.notes is not None:
        # Where the gate's attempt waits for a person, the node begins again: with the same delta, not with another one.
        parts = replace(parts, curator=Remembered(parts.curator, parts.notes, state["run_id"], "curate"))
    reflection, problem = state.get("reflection"), ""
    proposed, usage = _EMPTY, Usage()
    try:
        if reflection is not None:
            proposed, usage = await propose(state, parts, reflection)
            problem = "nothing to change" if usage.calls and not proposed.operations else ""
    except AgentflyError as error:  # a useless reply costs nothing but its call
        problem, usage = str(error), spent(error)
    if problem:
        emit(Curated(accepted=False, reason=problem))
    return await settle(state, parts, emit, proposed, Ruling(learned=Learned(reason=problem), usage=usage))


async def settle(state: State, parts: Parts, emit: Emit, proposed: Delta, ruling: Ruling) -> State:
    """Have a delta judged, its words by the gate and its checks by the record, and credit what was shown.

    Args:
        state: of the run.
        parts: what the nodes work with.
        emit: takes events.
        proposed: the delta; may be empty.
        ruling: what came before, and what that took.
    """
    words, checks = split(proposed, parts.playbook.current())
    if fetched(state):
        words, checks = proposed, _EMPTY
    if words.operations:
        judged = await judge(state, parts, emit, words)
        ruling = replace(judged, usage=ruling.usage + judged.usage)
    credited = credit(state, parts, emit, tags_of(state))
    trials = (*state["trials"], *ruling.trials)
    admitted = await admit_checks({**state, "trials": trials}, parts, emit, checks)
    # A dropped delta is the verdict on the run, whatever its tags did.
    told = (ruling.learned, admitted) if ruling.learned.accepted is False else (ruling.learned, credited, admitted)
    retired = retire(state, parts, emit)
    return {"learned": joined(*told, retired), "usage": ruling.usage, "trials": trials}


async def propose(state: State, parts: Parts, reflection: Reflection) -> tuple[Delta, Usage]:
    """A delta from an insight: by the curator after a failure, as it stands after a success.

    Raises:
        ProviderError, ReplyError: the curator gave none; carry what the calls cost.
    """
    if not reflection.insight or not parts.settings.learning.strategies:
        return _EMPTY, Usage()
    if speaks_for_itself(reflection, parts):
        return from_success(reflection), Usage()
    messages = await request(state, parts, reflection)
    # One repair in all: where the reflector used it, the curator has none.
    repairs = int(reflection.usage.calls <= max(1, state.get("reflections", 1)))
    proposed, usage = await ask(parts.curator, messages, Proposed, OPTIONS, repairs=repairs)
    return permitted(proposed, parts), usage


def speaks_for_itself(reflection: Reflection, parts: Parts) -> bool:
    """Whether an insight becomes a rule without a curator: that of a success, unless the curator is to see every attempt."""
    return reflection.of_success and not parts.settings.learning.every


def permitted(proposed: Delta, parts: Parts) -> Delta:
    """What of a curator's delta the settings let it do, and no rule written over by another."""
    operations = proposed.operations
    if parts.settings.learning.add_only:
        operations = tuple(operation for operation in operations if isinstance(operation, Add))
    return proposed.model_copy(update={"operations": tuple(_beside(operation, parts) for operation in operations)})


def _beside(operation: Operation, parts: Parts) -> Operation:
    """The operation; an update to a rule of another subject adds it beside that rule, which stays as it is.

    The curator of a small model names a rule at hand and writes something else in its place: the playbook would forget what it knew.
    """
    if not isinstance(operation, Update) or not isinstance(parts.playbook, Relevance):
        return operation
    bullet = parts.playbook.current().get(operation.id)
    if bullet is None or bullet.kind == "check":
        return operation
    if parts.playbook.relevant(operation.text).get(bullet.id, 1.0) >= _SAME_SUBJECT:
        return operation
    return Add(section=bullet.section, kind=bullet.kind, text=operation.text)


def from_success(reflection: Reflection) -> Delta:
    """What worked is a rule as it stands; no model need reword it."""
    add = Add(section="strategies", text=reflection.insight)
    return Delta(reason="learned from a success", operations=(add,))


def spent(error: AgentflyError) -> Usage:
    """What failed calls cost."""
    return error.usage if isinstance(error, ProviderError | ReplyError) else Usage()


def outside(state: State) -> bool:
    """Whether content from outside was read in any attempt that was learned from."""
    return any(trial.attempt.untrusted for trial in state["trials"])


def fetched(state: State) -> bool:
    """Whether such content was read that may have talked the judge round."""
    return outside(state) and state["trials"][0].feedback.source not in TRUSTED


def split(delta: Delta, playbook: Playbook) -> tuple[Delta, Delta]:
    """The operations on words, which a gate judges, and those on checks, which the record judges."""
    checks = {bullet.id for bullet in playbook.checks}

    def runs(operation: Operation) -> bool:
        match operation:
            case Add():
                return operation.kind == "check"
            case Merge():
                return not checks.isdisjoint(operation.ids)
        return operation.id in checks

    told = [(operation, runs(operation)) for operation in delta.operations]
    words, executable = (tuple(op for op, is_check in told if is_check is wanted) for wanted in (False, True))
    return delta.model_copy(update={"operations": words}), delta.model_copy(update={"operations": executable})


async def judge(
    state: State, parts: Parts, emit: Emit, proposed: Delta, support: Mapping[str, Any] | None = None
) -> Ruling:
    """Let the gate decide on a delta, and keep or drop it with the evidence.

    Args:
        state: of the run that the delta is tried on.
        parts: what the nodes work with.
        emit: takes events.
        proposed: operations on words.
        support: goes into the evidence: which reflections asked for it.
    """
    current, rules = parts.playbook.current(), rules_of(parts)
    if fetched(state):
        return _dropped(state, parts, emit, proposed, FETCHED, {**_seen(state), **(support or {})})
    candidate = current.apply(proposed, run=state["run_id"], rules=rules)
    if candidate.bullets == current.bullets:
        refused = "; ".join(refusal.reason for refusal in current.refusals(proposed, rules=rules))
        emit(Curated(accepted=False, reason=refused or "nothing to change"))
        return Ruling(learned=Learned())
    judged = await _decided(state, parts, emit, current, proposed, candidate)
    verdict, evidence = judged.verdict, {**judged.evidence, **(support or {})}
    untried = outside(state) and not verdict.trials
    if verdict.accepted and not untried:
        learned = commit(state, parts, emit, proposed, verdict.reason, evidence)
        return Ruling(learned=learned or Learned(reason="nothing to change"), trials=judged.trials, usage=judged.usage)
    reason = FETCHED if verdict.accepted else verdict.reason
    ruling = _dropped(state, parts, emit, proposed, reason, evidence)
    return replace(ruling, trials=judged.trials, usage=judged.usage)


def credit(state: State, parts: Parts, emit: Emit, tags: Iterable[TagBullet]) -> Learned | None:
    """Commit tags. They rest on the attempt itself, so no gate is asked; what was read outside moves no counter."""
    operations = () if fetched(state) else tuple(tags)
    if not operations:
        return None
    return commit(state, parts, emit, Delta(operations=operations), CREDIT, _seen(state))


async def _decided(
    state: State, parts: Parts, emit: Emit, current: Playbook, proposed: Delta, candidate: Playbook
) -> Judged:
    """The gate's verdict; the one that was noted before the process was killed that learned from the run's window."""
    docket = parts.playbook if isinstance(parts.playbook, Noting) else None
    if docket is not None and (told := docket.verdict(proposed, state["run_id"])) is not None:
        return from_json(Judged, json.dumps(told))
    judged = await decide(state, parts, emit, current, proposed, candidate)
    if docket is not None:
        docket.decide(proposed, state["run_id"], to_data(judged))
    return judged


def tags_of(state: State) -> tuple[TagBullet, ...]:
    """The reflector's verdicts on the bullets that were shown; none where it read what came from outside."""
    reflection, shown = state.get("reflection"), {bullet.id for bullet in state.get("bullets", ())}
    talked_to = reflection is not None and reflection.usage.calls > 0 and outside(state)
    tags = reflection.tags.items() if reflection is not None and not talked_to else ()
    return tuple(TagBullet(id=name, tag=tag) for name, tag in tags if name in shown)


async def admit_checks(state: State, parts: Parts, emit: Emit, proposed: Delta) -> Learned | None:
    """Let the record decide on proposed checks, and on those in force; see `agentfly.nodes.admission`."""
    admitted = await admit(proposed, state, parts, emit)
    if admitted is None and proposed.operations:
        off = not parts.settings.learning.checks
        reason = "checks are turned off" if off else "the record speaks for none of the proposed checks"
        return Learned(accepted=False, reason=reason)
    return admitted


def joined(*parted: Learned | None) -> Learned:
    """What several decisions changed: the newest version, and the verdict of the first that gave one."""
    present = [learned for learned in parted if learned is not None]
    versions = [learned.delta for learned in present if learned.delta is not None]
    verdicts = [learned for learned in present if learned.accepted is not None]
    reasons = dict.fromkeys(learned.reason for learned in verdicts or present if learned.reason)
    return Learned(
        cases=tuple(case for learned in present for case in learned.cases),
        delta=max(versions, default=None),
        accepted=verdicts[0].accepted if verdicts else None,
        reason="; ".join(reasons),
    )


def _dropped(state: State, parts: Parts, emit: Emit, delta: Delta, reason: str, evidence: Mapping[str, Any]) -> Ruling:
    parts.playbook.drop(delta, reason, evidence, state["run_id"])
    emit(Curated(accepted=False, reason=reason, changes=describe(delta)))
    return Ruling(learned=Learned(accepted=False, reason=reason))


def _seen(state: State) -> dict[str, Any]:
    """The evidence of what was not tried: the attempt that it speaks of."""
    first = state["trials"][0].feedback
    return {"before": first.reward, "source": first.source, "after": [], "attempts": [f"{state['run_id']}/0"]}


def describe(delta: Delta) -> tuple[str, ...]:
    """One line for each operation, for people."""
    return tuple(_line(operation.model_dump()) for operation in delta.operations)


def _line(operation: Mapping[str, Any]) -> str:
    target = operation.get("id") or ", ".join(operation.get("ids") or ()) or operation.get("section") or ""
    return f"{operation['op']} {target}: {operation.get('text') or operation.get('tag') or ''}".rstrip(": ")
