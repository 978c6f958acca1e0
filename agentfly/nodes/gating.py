"""Gating: what a gate needs to judge a delta, and what its verdict rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentfly.errors import AgentflyError
from agentfly.events import AttemptFinished, Notice
from agentfly.nodes.checking import checks_of
from agentfly.nodes.evaluate import verdict
from agentfly.nodes.generate import attempt_task
from agentfly.nodes.recall import shown_to
from agentfly.nodes.replays import Replays
from agentfly.nodes.state import Emit, Parts, State
from agentfly.playbooks.delta import Add, Delta, Merge, Update
from agentfly.playbooks.playbook import Playbook
from agentfly.protocols import Trial, Verdict
from agentfly.types import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A gate's verdict on a delta, and what it took."""

    verdict: Verdict
    evidence: Mapping[str, Any]
    """What the verdict rests on, JSON-able, kept with the delta in the history: see `evidence`, and the ``version`` of the
    playbook that was changed to try it."""
    trials: tuple[Trial, ...]
    """The further attempts at the task at hand."""
    usage: Usage


async def decide(state: State, parts: Parts, emit: Emit, current: Playbook, delta: Delta, applied: Playbook) -> Judged:
    """Let the gate judge a delta.

    Args:
        state: of the run that learned it.
        parts: what the nodes work with.
        emit: takes events.
        current: the playbook as it is.
        delta: what was proposed.
        applied: `current` after the delta.
    """
    first, tried, spent = state["trials"][0], list[Trial](), list[Usage]()
    touched = differing(current, applied)
    # What is tested is what will be: the budget retires bullets when the delta is kept.
    candidate, _ = applied.enforce_budget(parts.settings.playbook.tokens, keep=touched)
    gate = parts.gate(first.feedback)
    replays = Replays(
        state=state,
        parts=parts,
        emit=emit,
        current=current,
        candidate=candidate,
        texts=_texts(delta),
        touched=touched,
    )

    async def retry() -> Trial | None:
        taken = max(len(state["trials"]), parts.record.attempts(state["run_id"]))
        # Everything else equal: what was left out of the first attempt is left out of this one.
        left_out = [key for key in state.get("left_out", ()) if key not in touched]
        text, bullets = await shown_to(state["task"].question, candidate, parts, trying=touched, left_out=left_out)
        seen: State = {**state, "playbook": text, "bullets": bullets, "checks": checks_of(candidate, left_out)}
        trial = await _retry(seen, parts, emit, spent, number=taken + len(tried))
        tried.extend([trial] if trial else [])
        return trial

    adds = any(isinstance(operation, Add | Update) for operation in delta.operations)
    decided = await gate.decide(first, retry, replays.past, adds=adds)
    usage = sum(spent, replays.spent)
    found = {**evidence(first, f"{state['run_id']}/0", decided, gate.name), "version": current.version}
    return Judged(verdict=decided, evidence=found, trials=tuple(tried), usage=usage)


def differing(before: Playbook, after: Playbook) -> frozenset[str]:
    """Ids of the bullets that one of two playbooks has otherwise than the other, or not at all."""
    old, new = (dict.fromkeys(book.bullets) for book in (before, after))  # shared bullets are the same objects
    changed = [*(bullet for bullet in old if bullet not in new), *(bullet for bullet in new if bullet not in old)]
    return frozenset(bullet.id for bullet in changed)


def evidence(first: Trial, first_id: str, decided: Verdict, gate: str) -> dict[str, Any]:
    """What a verdict rests on, as plain data.

    Args:
        first: the attempt that the delta was learned from.
        first_id: its id, see `Trial.id`.
        decided: the verdict.
        gate: name of the gate.
    """
    replays = [
        {
            "run": replayed.run,
            "task": replayed.task_id,
            "before": replayed.before,
            "after": replayed.after,
            "control": replayed.control,
            "outcome": replayed.outcome,
            "attempts": list(replayed.attempts),
        }
        for replayed in decided.replays
    ]
    return {
        "before": first.feedback.reward,
        "source": first.feedback.source,
        "after": [trial.feedback.reward for trial in decided.trials],
        "gate": gate,
        "attempts": [first_id, *(trial.id for trial in decided.trials)],
        "replays": replays,
        "flips": sum(replayed.outcome == "flipped" for replayed in decided.replays),
        "noise": sum(replayed.outcome == "noise" for replayed in decided.replays),
    }


async def _retry(state: State, parts: Parts, emit: Emit, spent: list[Usage], *, number: int) -> Trial | None:
    """A fresh attempt at the same task that sees the candidate playbook, under the same conditions otherwise."""
    try:
        attempt = await attempt_task(state, parts, emit, number=number, explore=False)
        spent.append(attempt.usage)
        emit(AttemptFinished(attempt=attempt, retry=True))
        feedback = await verdict(state, parts, attempt, number=number, spent=spent)
    except AgentflyError as error:  # learning must never cost the user the answer
        emit(Notice(text=f"the further attempt failed: {error}", level="warning"))
        return None
    return Trial(attempt=attempt, feedback=feedback, id=f"{state['run_id']}/{number}") if feedback else None


def _texts(delta: Delta) -> tuple[str, ...]:
    return tuple(operation.text for operation in delta.operations if isinstance(operation, Add | Update | Merge))
