"""Admission: which checks come into the playbook, and which leave it. The record alone decides, no model is asked.

After a failure the checks of the library that would have stopped it are tried on every answer whose worth is known, beside
those that the curator proposed. What flags wrong answers and leaves the right ones alone comes in. After each judged run
the checks in force are measured again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentfly.errors import SandboxError
from agentfly.events import Curated, Notice
from agentfly.nodes.committing import commit
from agentfly.nodes.curating import rules_of
from agentfly.nodes.state import Emit, Parts, State
from agentfly.playbooks.checks.catalogue import READY
from agentfly.playbooks.checks.standing import Standing, admission, measure, retirement
from agentfly.playbooks.delta import Add, Delta, Operation, Remove
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.rules import Rules
from agentfly.protocols import UNKNOWN, Judged, Subject, Trial
from agentfly.types import Bullet, Learned

SECTION = "checks"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A check on trial."""

    operation: Operation
    bullet: Bullet
    """As the playbook would hold it."""
    proposed: bool
    """Whether the curator wrote it; the others come from the library."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """What the record says of a check."""

    standing: Standing
    caught: frozenset[int]
    """Places in the record of the wrong answers that it flags."""


async def admit(proposed: Delta, state: State, parts: Parts, emit: Emit) -> Learned | None:
    """Admit and retire checks after a judged run.

    Args:
        proposed: operations that write checks, from the curator; may be empty.
        state: of the run; its trials are judged.
        parts: what the nodes work with.
        emit: takes events.

    Returns:
        What changed in the playbook; None where nothing did.
    """
    if not parts.settings.learning.checks:
        return None
    current, rules = parts.playbook.current(), rules_of(parts)
    _refuse(proposed, current, rules, state, parts, emit)
    failed = not any(trial.feedback.success for trial in state["trials"][:1])
    candidates = [*_proposed(proposed, current, rules), *(_from_library(current, parts, rules) if failed else ())]
    if not candidates and not current.checks:
        return None
    record = _known(state, parts)
    bullets = (*current.checks, *(candidate.bullet for candidate in candidates))
    try:
        measured = await _measure(bullets, record, parts)
    except SandboxError as error:  # learning must never cost the user the answer
        emit(Notice(text=f"no check could be tried: {error}", level="warning"))
        return None
    learned = _retire(current.checks, measured, state, parts, emit)
    in_force = [measured[bullet.id] for bullet in current.checks]
    return _admit(candidates, measured, in_force, state, parts, emit) or learned


def _refuse(proposed: Delta, current: Playbook, rules: Rules, state: State, parts: Parts, emit: Emit) -> None:
    """Write down the proposals that are no checks at all, and why."""
    for refusal in current.refusals(proposed, rules=rules):
        operation = proposed.operations[refusal.index]
        delta = Delta(reason=proposed.reason, operations=(operation,))
        parts.playbook.drop(delta, refusal.reason, {"gate": "record"}, state["run_id"])
        emit(Curated(accepted=False, reason=refusal.reason, changes=(getattr(operation, "text", operation.op),)))


def _proposed(proposed: Delta, current: Playbook, rules: Rules) -> list[_Candidate]:
    return [
        _Candidate(operation=operation, bullet=bullet, proposed=True)
        for number, operation in enumerate(proposed.operations)
        for bullet in _written(operation, current, rules, f"proposed-{number}")
    ]


def _from_library(current: Playbook, parts: Parts, rules: Rules) -> Iterable[_Candidate]:
    if not parts.settings.checks.library:
        return ()
    operations = (Add(section=SECTION, text=ready.text, kind="check") for ready in READY)
    return [
        _Candidate(operation=operation, bullet=bullet, proposed=False)
        for number, operation in enumerate(operations)
        for bullet in _written(operation, current, rules, f"library-{number}")
    ]


def _written(operation: Operation, current: Playbook, rules: Rules, name: str) -> tuple[Bullet, ...]:
    """The check as the playbook would hold it, under a name of its own; none where the playbook would refuse it."""
    after = current.apply(Delta(operations=(operation,)), rules=rules)
    before = {bullet.id: bullet.text for bullet in current.checks}
    fresh = [bullet for bullet in after.checks if before.get(bullet.id) != bullet.text]
    return tuple(Bullet(id=name, section=SECTION, text=bullet.text, kind="check") for bullet in fresh[:1])


def _known(state: State, parts: Parts) -> list[Judged]:
    """The answers whose worth is known, this run's among them; each answer to a task once."""
    own = _own(state)
    said = {(judged.subject.question, judged.subject.answer) for judged in own}
    others = parts.record.judged(limit=parts.settings.checks.record)
    return [*own, *(judged for judged in others if (judged.subject.question, judged.subject.answer) not in said)]


def _own(state: State) -> list[Judged]:
    """The answers of this very run, which is not on the record yet."""
    files = state["task"].file_names
    found: dict[str, Judged] = {}
    for number, trial in enumerate(state["trials"]):
        for answer, reward in _answers(trial):
            subject = Subject(question=state["task"].question, answer=answer, steps=trial.attempt.steps, files=files)
            found.setdefault(answer, Judged(id=f"{state['run_id']}/{number}", subject=subject, reward=reward))
    return list(found.values())


def _answers(trial: Trial) -> list[tuple[str, float]]:
    """What an attempt answered, and what that is worth; nothing where nobody looked at the answer."""
    attempt = trial.attempt
    if trial.feedback.source == "environment" and trial.feedback.reward == UNKNOWN.reward:
        return []
    known = [(said.answer, said.reward) for said in attempt.questioned if said.reward is not None]
    return [*known, *([(attempt.answer, trial.feedback.reward)] if attempt.answer is not None else [])]


async def _measure(bullets: Sequence[Bullet], record: Sequence[Judged], parts: Parts) -> Mapping[str, _Measured]:
    async with parts.checker.open() as worker:
        rows = await worker.check(bullets, [judged.subject for judged in record])
    found = {}
    for place, bullet in enumerate(bullets):
        verdicts = [row[place] for row in rows]
        caught = (n for n, verdict in enumerate(verdicts) if verdict.message and not record[n].right)
        found[bullet.id] = _Measured(standing=measure(record, verdicts), caught=frozenset(caught))
    return found


def _retire(
    checks: Sequence[Bullet], measured: Mapping[str, _Measured], state: State, parts: Parts, emit: Emit
) -> Learned | None:
    """Take out what has come to flag right answers."""
    learned = None
    for bullet in checks:
        standing = measured[bullet.id].standing
        reason = retirement(standing, parts.settings.checks.tolerance)
        if reason:
            delta = Delta(reason=reason, operations=(Remove(id=bullet.id),))
            learned = commit(state, parts, emit, delta, reason, _evidence(standing, state)) or learned
    return learned


def _admit(
    candidates: Sequence[_Candidate],
    measured: Mapping[str, _Measured],
    in_force: Sequence[_Measured],
    state: State,
    parts: Parts,
    emit: Emit,
) -> Learned | None:
    """Take in what the record speaks for, the most telling first; what catches nothing that the others miss stays out."""
    covered = frozenset[int]().union(*(one.caught for one in in_force))
    learned = None
    for candidate in sorted(candidates, key=lambda one: -len(measured[one.bullet.id].caught)):
        found = measured[candidate.bullet.id]
        admitted, reason = admission(found.standing, parts.settings.checks.tolerance)
        if admitted and found.caught <= covered:
            admitted, reason = False, f"{reason}, all of which are flagged by checks in force"
        delta = Delta(reason=reason, operations=(candidate.operation,))
        evidence = _evidence(found.standing, state)
        if admitted:
            covered |= found.caught
            learned = commit(state, parts, emit, delta, reason, evidence) or learned
        elif candidate.proposed:  # the library offers itself after each failure: no news
            parts.playbook.drop(delta, reason, evidence, state["run_id"])
            emit(Curated(accepted=False, reason=reason, changes=(candidate.bullet.text,)))
    return learned


def _evidence(standing: Standing, state: State) -> dict[str, Any]:
    """What the decision rests on, as plain data."""
    figures = {name: getattr(standing, name) for name in ("wrong", "caught", "right", "alarms")}
    return {"gate": "record", "standing": figures, "attempts": list(standing.flagged), "run": state["run_id"]}
