"""Batch curation: the reflections of several runs, curated together in one call.

Insights are numbered and each operation names those that it rests on. What contradicts is settled by evidence
(`agentfly.playbooks.batch`), and what stays is judged one by one, each on the playbook as it then is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from agentfly.errors import AgentflyError
from agentfly.events import Curated, Notice
from agentfly.nodes.curate import (
    OPTIONS,
    Ruling,
    admit_checks,
    credit,
    curate,
    describe,
    fetched,
    from_success,
    joined,
    judge,
    outside,
    permitted,
    speaks_for_itself,
    spent,
    split,
    tags_of,
)
from agentfly.nodes.curating import batch_request
from agentfly.nodes.state import Emit, Parts, State
from agentfly.playbooks.batch import BatchReply, Combined, Proposal, Supported, combine
from agentfly.playbooks.delta import Add, Delta
from agentfly.protocols import Trial
from agentfly.structured import ask
from agentfly.types import Learned, Usage


async def curate_batch(states: Sequence[State], parts: Parts, emit: Emit) -> list[Learned]:
    """Learn from several reflected runs at once.

    Args:
        states: one for each run, with its trials and its reflection.
        parts: what the nodes work with.
        emit: takes events.

    Returns:
        What each run changed in the playbook, in the order of `states`.
    """
    return [state["learned"] for state in await curate_window(states, parts, emit)]


async def curate_window(states: Sequence[State], parts: Parts, emit: Emit) -> list[State]:
    """As `curate_batch`; what changes in each state: what was learned, further trials, and the usage.

    Runs that read content from outside are curated apart from the others: it must not speak in their name.
    """
    changes: dict[int, State] = {}
    ranked = sorted(range(len(states)), key=lambda place: _standing(states[place]))
    for _, places in groupby(ranked, key=lambda place: _standing(states[place])):
        group = list(places)
        changes.update(zip(group, await _curate_together([states[place] for place in group], parts, emit), strict=True))
    return [changes[place] for place in range(len(states))]


def _standing(state: State) -> tuple[bool, bool]:
    return outside(state), fetched(state)


@dataclass(slots=True, kw_only=True)
class _Window:
    """Work on one group of runs; number n stands for the n-th of them, from 1."""

    states: Mapping[int, State]
    parts: Parts
    emit: Emit
    reason: str = ""
    """Why the curator asks for what it asks."""
    learned: dict[int, list[Learned]] = field(default_factory=dict)
    trials: dict[int, tuple[Trial, ...]] = field(default_factory=dict)
    usage: dict[int, Usage] = field(default_factory=dict)
    mended: dict[int, Trial] = field(default_factory=dict)
    """Trials of runs that an operation of this window mended: the next one must do better than that."""

    async def judge(self, one: Supported) -> None:
        """Try one operation on the run that supports it best, and keep or drop it."""
        number = self._best(one.because)
        tried, first = self._tried(number), self.mended.get(number)
        baseline = tried if first is None else (first, *(trial for trial in tried if trial is not first))
        state: State = {**self.states[number], "trials": baseline}
        delta = Delta(reason=self.reason, operations=(self._signed(one),))
        support: dict[str, Any] = {"support": one.support, "because": self._runs(one.because)}
        if first is not None:
            support["baseline"] = first.id
        words, checks = split(delta, self.parts.playbook.current())
        if words.operations or fetched(state):
            ruling = await judge(state, self.parts, self.emit, delta, support)
        else:
            admitted = await admit_checks(state, self.parts, self.emit, checks)
            ruling = Ruling(learned=joined(admitted))
        self.trials[number] = (*tried, *ruling.trials)
        if ruling.learned.accepted and ruling.trials:
            self.mended[number] = ruling.trials[-1]
        self.usage[number] = self.usage.get(number, Usage()) + ruling.usage
        for supporter in one.because:
            self.learned.setdefault(supporter, []).append(ruling.learned)

    def drop(self, combined: Combined) -> None:
        """Put what gave way on record."""
        for one in combined.lost:
            delta = Delta(reason="gave way in a batch", operations=(one.operation,))
            evidence = {"support": len(one.because), "because": self._runs(one.because)}
            self.parts.playbook.drop(delta, one.reason, evidence, self.states[one.because[0]]["run_id"])
            self.emit(Curated(accepted=False, reason=one.reason, changes=describe(delta)))

    def credit(self, combined: Combined) -> None:
        """Commit the net verdicts on what was shown, for all runs together."""
        number = next((n for n, state in self.states.items() if tags_of(state)), 1)
        credited = credit(self.states[number], self.parts, self.emit, combined.tags)
        if credited is not None:
            self.learned.setdefault(number, []).append(replace(credited, accepted=None))

    async def measure(self) -> None:
        """Let the record decide on the checks in force, and on the library's where a run failed: once for all runs."""
        failed = (n for n, state in self.states.items() if not state["trials"][0].feedback.success)
        number = next(failed, 1)
        state: State = {**self.states[number], "trials": self._tried(number)}
        admitted = await admit_checks(state, self.parts, self.emit, Delta(operations=()))
        self.learned.setdefault(number, []).extend([admitted] if admitted else [])

    def change(self, number: int) -> State:
        """What one run came to; what was kept is its verdict, where anything was."""
        kept_first = sorted(self.learned.get(number, []), key=lambda learned: not learned.accepted)
        usage = self.usage.get(number, Usage())
        return {"learned": joined(*kept_first), "trials": self._tried(number), "usage": usage}

    def _best(self, because: Iterable[int]) -> int:
        """The supporter whose failure has most to mend and is not mended yet; the earliest of equals."""

        def left(number: int) -> tuple[bool, float, int]:
            return number in self.mended, self.states[number]["trials"][0].feedback.reward, number

        return min(because, key=left)

    def _tried(self, number: int) -> tuple[Trial, ...]:
        return self.trials.get(number, self.states[number]["trials"])

    def _signed(self, one: Supported) -> Any:
        """The operation with its provenance: all the runs that asked for it."""
        if isinstance(one.operation, Add):
            return one.operation.model_copy(update={"runs": tuple(self._runs(one.because))})
        return one.operation

    def _runs(self, because: Iterable[int]) -> list[str]:
        return [self.states[number]["run_id"] for number in because]


async def _curate_together(states: Sequence[State], parts: Parts, emit: Emit) -> list[State]:
    """One call for the insights of several runs; one call each where there is only one, or that reply is useless."""
    numbered = dict(enumerate(states, start=1))
    asking = {number: state for number, state in numbered.items() if _asks(state, parts)}
    proposals, usage = list[Proposal](), Usage()
    if len(asking) > 1:
        found, usage = await _proposals(asking, parts, emit)
        if found is None:
            return await _apart(states, usage, parts, emit)
        proposals += found
    elif asking:
        return await _apart(states, usage, parts, emit)
    reason = next((proposal.delta.reason for proposal in proposals), "")
    window = _Window(states=numbered, parts=parts, emit=emit, reason=reason, usage={1: usage})
    proposals += [own for number, state in numbered.items() for own in _own(number, state, parts)]
    rewards = {number: state["trials"][0].feedback.reward for number, state in numbered.items()}
    combined = combine(proposals, rewards)
    window.drop(combined)
    for one in combined.operations:
        await window.judge(one)
    window.credit(combined)
    await window.measure()
    return [window.change(number) for number in numbered]


async def _apart(states: Sequence[State], usage: Usage, parts: Parts, emit: Emit) -> list[State]:
    """Each run curated by itself, one after the other; what was spent before goes to the first."""
    changes = [await curate(state, parts, emit) for state in states]
    changes[0]["usage"] = usage + changes[0].get("usage", Usage())
    return changes


async def _proposals(
    asking: Mapping[int, State], parts: Parts, emit: Emit
) -> tuple[tuple[Proposal, ...] | None, Usage]:
    """What the curator makes of several insights; None where nothing of its reply can be used."""
    order = list(asking)
    reflections = [reflection for state in asking.values() if (reflection := state.get("reflection"))]
    try:
        messages = await batch_request(list(asking.values()), reflections, parts)
        options = replace(OPTIONS, max_tokens=(OPTIONS.max_tokens or 300) + 100 * len(order))
        reply, usage = await ask(parts.curator, messages, BatchReply, options, repairs=0)
    except AgentflyError as error:
        emit(Notice(text=f"the insights are curated one by one: {error}"))
        return None, spent(error)
    found, problems = reply.proposals(range(1, len(order) + 1))
    if problems:
        emit(Notice(text=f"of the curator's batch {len(problems)} operations cannot be used: {problems[0]}"))
    if problems and not found:
        return None, usage
    return tuple(
        replace(one, delta=permitted(one.delta, parts), because=tuple(order[number - 1] for number in one.because))
        for one in found
    ), usage


def _asks(state: State, parts: Parts) -> bool:
    """Whether a run has an insight for the curator."""
    reflection = state.get("reflection")
    if not reflection or not reflection.insight or speaks_for_itself(reflection, parts):
        return False
    return parts.settings.learning.strategies


def _own(number: int, state: State, parts: Parts) -> Iterator[Proposal]:
    """What one run proposes without a curator: the insight of its success, and its verdicts on what was shown."""
    reflection = state.get("reflection")
    told = reflection is not None and bool(reflection.insight) and speaks_for_itself(reflection, parts)
    if reflection and told and parts.settings.learning.strategies:
        yield Proposal(delta=from_success(reflection), because=(number,))
    if not fetched(state):
        yield Proposal(delta=Delta(operations=tags_of(state)), because=(number,))
