"""A window: what several runs teach, learned together and in their order, whichever of them ended first.

All attempts of a window are made against the home as it was when the window began. What they taught is then kept in the order
of the runs: first the cases, then one curation for all of them. A window may begin again after its process was killed: what was
kept is not kept twice, and the curator is not asked again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agentfly.composition import Composition
from agentfly.events import Curated, Event
from agentfly.learning.docket import Docket
from agentfly.memory.marks import keep_policy
from agentfly.nodes.batch import curate_window
from agentfly.nodes.curate import CREDIT
from agentfly.nodes.journal import Remembered
from agentfly.nodes.retain import best, remember, retain_at_once
from agentfly.nodes.state import Emit, Parts, State
from agentfly.types import Task

WORK = "window"
"""Under which word the journal has the curator's replies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A run of a window."""

    task: Task
    """With its reference."""
    state: State
    """After reflecting, with at least one trial."""
    again: bool = True
    """Whether its task can be tried again, to see what a change of the playbook does."""

    @property
    def run_id(self) -> str:
        return self.state["run_id"]


def _nobody(asked: object) -> object:
    raise RuntimeError(f"a run of a window waits for a person: {asked!r}")


class Window:
    """Learns from some runs together.

    Args:
        made: the agent's parts.
        emit: takes events.
    """

    def __init__(self, made: Composition, emit: Emit) -> None:
        self._made, self._emit = made, emit
        self._kept: set[int] = set()
        self._dropped = 0

    @property
    def kept(self) -> int:
        """Changes of the playbook that were kept."""
        return len(self._kept)

    @property
    def dropped(self) -> int:
        """Changes that were proposed and not kept."""
        return self._dropped

    async def keep(self, member: Member) -> Member:
        """Put the attempts of a run on record, and remember it as a case."""
        return self.keep_all([member])[0]

    def keep_all(self, members: Sequence[Member]) -> list[Member]:
        """Put the attempts of the runs on record, in their order, and remember each as a case: all of it, or nothing."""
        made, kept = self._made, list[Member]()
        with made.home.db.write():
            judged = made.bank.mark().judged
            for member in members:
                record = made.runs.show(member.run_id)
                if record.feedback is None:
                    kept.append(self._kept_one(member))
                else:  # it was kept before the process was killed
                    kept.append(replace(member, state=State(**{**member.state, "learned": record.learned})))
            keep_policy(made.home.db, made.bank.policy, made.bank.embedder.name, judged)
        return kept

    def _kept_one(self, member: Member) -> Member:
        runs, run_id, trials = self._made.runs, member.run_id, member.state["trials"]
        # Before curating: the checks that this window proposes are measured on all of its answers.
        for number, trial in enumerate(trials):
            runs.add_attempt(run_id, number, trial.attempt, trial.feedback)
        state = State(**{**member.state, **retain_at_once(member.state, self._made.parts, self._emit)})
        # At once: a run that is interrupted from here on names the case that was kept.
        runs.set_feedback(run_id, trials[0].feedback, state["learned"])
        return replace(member, state=state)

    async def curate(self, members: Sequence[Member]) -> list[Member]:
        """Curate together what can be tried again, and what cannot; each with all that was learned from it."""
        changed = dict[str, Member]()
        for again in (True, False):
            chosen = [member for member in members if member.again is again]
            if chosen:
                parts = self._parts([member.run_id for member in chosen], again)
                changes = await curate_window([member.state for member in chosen], parts, self._count)
                for member, change in zip(chosen, changes, strict=True):
                    changed[member.run_id] = await self._mended(member, change)
        return [changed[member.run_id] for member in members]

    def _parts(self, runs: Sequence[str], again: bool) -> Parts:
        from agentfly.gates.always import Always

        made, parts = self._made, self._made.parts
        if parts.notes is not None:
            # Under the first of them; of other runs it would be another window.
            work = f"{WORK} {hashlib.sha256(repr(runs).encode()).hexdigest()[:16]}"
            curator = Remembered(parts.curator, parts.notes, runs[0], work, ordered=True)
            docket = Docket(made.playbook, made.home.db.write, parts.notes, runs[0], work)
            # With somebody to ask, a gate's attempt is journaled; nothing in a window is ever asked of anybody.
            parts = replace(parts, curator=curator, playbook=docket, interrupt=_nobody)
        if again:
            return parts
        return replace(parts, gate=lambda feedback: Always("the task of a recorded trace cannot be judged again"))

    async def _mended(self, member: Member, change: State) -> Member:
        """The run with what the curation changed; an attempt of a gate that solved it is worth a case of its own."""
        before, trials = member.state["trials"], change["trials"]
        usage = member.state["usage"] + change["usage"]
        after = State(**{**member.state, "trials": trials, "usage": usage})
        cases = member.state["learned"].cases
        if best(trials) is not best(before):
            mended = await remember(after, best(trials), self._made.parts, self._emit)
            cases = tuple(dict.fromkeys((*cases, *mended)))
        after["learned"] = replace(change["learned"], cases=cases)
        return replace(member, state=after)

    def _count(self, event: Event) -> None:
        if isinstance(event, Curated) and event.accepted and event.reason != CREDIT and event.version is not None:
            self._kept.add(event.version)
        elif isinstance(event, Curated) and not event.accepted and event.changes:
            self._dropped += 1
        self._emit(event)
