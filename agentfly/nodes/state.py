"""What flows through the graph, and what the nodes work with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Protocol, TypedDict

from agentfly.config import Settings
from agentfly.events import Event
from agentfly.playbooks.delta import Delta
from agentfly.playbooks.history import Committed
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.rules import Rules
from agentfly.protocols import Checker, Exposure, Gate, Generator, Hearing, Judged, Model, Repairer, Solved, Trial
from agentfly.types import Attempt, Bullet, Case, Feedback, Learned, Recalled, Reflection, Task, Usage

Emit = Callable[[Event], None]
EMIT = "emit"
"""In a graph's configuration: who takes the events, instead of LangGraph's stream of them. Each item of a stream wakes the loop several
times, which is much where many runs go on at once."""


def _sum(total: Usage, more: Usage) -> Usage:
    return total + more


class State(TypedDict, total=False):
    """State of one run. The reference answer is never in it: `Parts.judge` and `Parts.reference` look it up by run id."""

    run_id: str
    task: Task
    learn: bool
    kept: bool
    """Whether the run is on record and open, so that its attempts are journaled and may wait for a person."""
    approve: str
    """How calls of tools are permitted in this run, see `Settings.approve`; the setting where it is absent."""
    windowed: bool
    """Whether what the run teaches is learned together with others: then it ends before curate."""
    draw: str
    """Names what is left to chance in this run; under a seed, the same name draws the same. The run's id where it is absent."""
    exclude_self: bool
    """Whether cases of this very task are kept out, as evaluation demands."""
    recalled: tuple[Recalled, ...]
    bullets: tuple[Bullet, ...]
    playbook: str
    """The shown bullets as text."""
    checks: tuple[Bullet, ...]
    """The checks in force."""
    left_out: tuple[str, ...]
    """Ids of bullets that were left out at random."""
    attempt: Attempt
    """The latest attempt."""
    judged: bool
    """Whether there is feedback on it."""
    trials: tuple[Trial, ...]
    """Judged attempts. The first is the answer that the user gets; later ones explore, to learn from."""
    reflection: Reflection | None
    """The latest one that said anything. Its usage is that of all of them together, so that curate knows what is left."""
    reflections: int
    """How many there were; see `Settings.rounds`."""
    silent: bool
    """Whether the last one could not be had: then there is no further round."""
    learned: Learned
    usage: Annotated[Usage, _sum]
    """All model calls of the run; nodes return what they added."""


class Recollected(Protocol):
    """What the nodes need of one recall."""

    @property
    def shown(self) -> tuple[Recalled, ...]: ...


class Memory(Protocol):
    """What the nodes need of a case bank."""

    def recollect(
        self,
        text: str,
        k: int = ...,
        exclude_task: str | None = ...,
        *,
        exclude_question: str | None = ...,
        candidates: int = ...,
        floor: float | None = ...,
        failures: float | None = ...,
        tokens: int | None = ...,
        diversity: float = ...,
        temperature: float = ...,
        seed: int | None = ...,
        draw: str | None = ...,
        exclude: Collection[str] = ...,
    ) -> Recollected: ...
    def add(self, case: Case, *, merge: bool = ...) -> Case: ...
    def confirm(self, run: str, feedback: str) -> int: ...
    def record_shown(self, run: str, task: str, recollection: Any) -> None: ...
    def record_outcome(self, run: str, reward: float) -> object: ...


class Ruled(Protocol):
    """What became of a delta of a run: its version, None where it was dropped, and why."""

    @property
    def version(self) -> int | None: ...
    @property
    def reason(self) -> str: ...


class Book(Protocol):
    """What the nodes need of a playbook's ledger."""

    def current(self) -> Playbook: ...
    def shown(self, ids: Iterable[str]) -> None: ...
    def ruled(self, delta: Delta, run: str) -> Ruled | None: ...
    def commit(
        self, delta: Delta, *, author: str, run: str, reason: str, evidence: Mapping[str, Any], rules: Rules
    ) -> Committed: ...
    def drop(self, delta: Delta, reason: str, evidence: Mapping[str, Any], run: str) -> object: ...
    def history(self, limit: int | None = ..., *, dropped: bool = ...) -> Sequence[Any]: ...


class Noted(Protocol):
    """What the nodes need of an entry of the journal."""

    @property
    def attempt(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def payload(self) -> Mapping[str, Any]: ...


class Notes(Protocol):
    """What the nodes need of the journal of open runs."""

    def read(self, run_id: str) -> Sequence[Noted]: ...
    def add(self, run_id: str, attempt: str, kind: str, key: str, payload: Mapping[str, Any]) -> None: ...
    def forget(self, run_id: str, attempt: str | None = ...) -> None: ...


class Record(Protocol):
    """What the nodes need of the record of runs."""

    def solved(self, *, exclude_task: str | None = ..., limit: int = ...) -> Sequence[Solved]: ...
    def attempts(self, run_id: str) -> int: ...
    def append_attempt(self, run_id: str, attempt: Attempt, feedback: Feedback | None = ...) -> int: ...
    def judged(self, *, limit: int = ...) -> Sequence[Judged]: ...
    def exposures(self) -> Sequence[Exposure]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The exchangeable parts that an agent was composed of."""

    memory: Memory
    playbook: Book
    record: Record
    generator: Generator
    reflector: Model
    curator: Model
    checker: Checker
    judge: Callable[[Hearing], Awaitable[Feedback | None]]
    """Feedback that may be learned from; None where there is nothing to go by."""
    gate: Callable[[Feedback], Gate]
    """The gate for deltas that were learned from this feedback."""
    reference: Callable[[str], str | None]
    """The reference of a run as far as the reflector may see it: None unless the user allows it."""
    temperature: float
    """Of the soft choice of cases while learning."""
    workspaces: Path
    """Folder under which each attempt gets a folder of its own."""
    settings: Settings
    notes: Notes | None = None
    """The journal of open runs; None keeps none."""
    repairer: Repairer | None = None
    """Tries small edits of a solution that gave a wrong number; None tries none."""
    interrupt: Callable[[Any], Any] | None = None
    """Stops the graph with a value for a person to see, and on the way back gives the person's; None: nobody can be asked."""
    told: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    """Which events of an attempt were emitted, by run and attempt: one that begins again does not tell them again."""
    replayed: dict[str, Trial] = field(default_factory=dict)
    """Replays that a gate asked for, by what the generator saw: the same again is not tried again."""


Node = Callable[[State, Parts, Emit], Awaitable[State]]
