"""What a delta makes of a playbook, all in all: its operations, near-duplicates merged, the budget enforced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from agentfly.playbooks.changes import Change, Refusal
from agentfly.playbooks.delta import Delta
from agentfly.playbooks.operations import Outcome, carry_out
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.rules import Rules

NEARLY_FULL = 0.8
"""Share of the budget from which on a commit looks for near-duplicates all through the playbook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What there is to commit."""

    playbook: Playbook
    changes: tuple[Change, ...] = ()
    """In the order in which they were made: the delta's, then merges of near-duplicates, then what the budget retired."""
    refusals: tuple[Refusal, ...] = ()
    """Operations that were left out, and those that became part of a bullet that was there."""
    notes: dict[str, list[str]] = field(default_factory=dict)
    """For the record: what was refused, what was merged."""


def decide(
    outcome: Outcome, budget: int | None, merges: Callable[[Playbook], Delta] | None, rules: Rules | None = None
) -> Decided:
    """Refine what came of a delta and bring it within the budget.

    Args:
        outcome: of the delta's operations.
        budget: tokens that the active bullets may take; None for no limit.
        merges: gives the delta that merges the near-duplicates of a playbook; None to merge none.
        rules: limits on texts, which merged bullets keep to as well.
    """
    notes = {
        name: [str(line) for line in lines]
        for name, lines in (("refusals", outcome.refusals), ("merged", outcome.merged))
        if lines
    }
    refusals = tuple(sorted((*outcome.refusals, *outcome.merged), key=lambda refusal: refusal.index))
    playbook, changes = outcome.playbook, outcome.changes
    if budget is not None and changes:
        if merges is not None and playbook.tokens >= NEARLY_FULL * budget:
            merged = merges(playbook)
            done = carry_out(playbook, merged, version=playbook.version, rules=rules or Rules())
            if done.changes:
                notes["refined"] = [" + ".join(getattr(operation, "ids", ())) for operation in merged.operations]
                playbook, changes = done.playbook, (*changes, *done.changes)
        playbook, changes = _within(playbook, changes, budget)
    return Decided(playbook=playbook, changes=changes, refusals=refusals, notes=notes)


def _within(playbook: Playbook, changes: tuple[Change, ...], budget: int) -> tuple[Playbook, tuple[Change, ...]]:
    fitting, retired = playbook.enforce_budget(budget, keep=[change.id for change in changes])
    gone = [
        Change(before=bullet, after=None, position=playbook.place(bullet.id) or 0, retired=True) for bullet in retired
    ]
    return fitting, (*changes, *gone)
