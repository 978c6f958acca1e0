"""Choosing which cases are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from agentfly.types import Case

if TYPE_CHECKING:
    from agentfly.protocols.vectors import Scores, Vector


@runtime_checkable
class Policy(Protocol):
    """Chooses which candidates are shown."""

    @property
    def name(self) -> str: ...

    def score(self, state: Vector, cases: Sequence[Case], vectors: Vector) -> Scores:
        """Q(s, c) of each candidate.

        Args:
            state: embedding of the task, shape (d,).
            cases: n candidates.
            vectors: their embeddings, shape (n, d), rows of unit length.

        Returns:
            Array of shape (n,); higher is better.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One recall of a judged run, from the record: what a policy learns from."""

    state: Vector
    """Embedding of the task or subtask, shape (d,)."""
    cases: tuple[Case, ...]
    """The m cases that were shown, in the order in which they were chosen."""
    vectors: Vector
    """Their embeddings, shape (m, d)."""
    propensities: tuple[float, ...]
    """Probability of each choice given the ones before it, see `Recalled.propensity`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """All recalls of one judged run, in their order, and what the run earned."""

    number: int
    """Place in the record: rises with every judgement. A run that is judged again comes again, with a new number."""
    run: str
    recalls: tuple[Shown, ...]
    reward: float


@runtime_checkable
class LearningPolicy(Policy, Protocol):
    """A policy that learns from judged recalls. Not safe for threads: its keeper takes care of that."""

    def learn(self, episodes: Sequence[Episode]) -> None:
        """Take in new episodes, in the order of their numbers; a run seen before replaces what it said then."""
        ...

    def dump(self) -> bytes:
        """Everything learned, with its format version; no pickle."""
        ...

    def load(self, data: bytes) -> None:
        """Take over what `dump` gave.

        Raises:
            PolicyError: not of this policy, of a newer format, or damaged; what was learned before is unchanged.
        """
        ...
