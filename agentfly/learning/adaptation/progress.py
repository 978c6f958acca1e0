"""Where a course stands, told as samples come in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic

from agentfly.store.adaptations import Sample
from agentfly.types import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a course stands."""

    id: str
    phase: str
    done: int
    """Samples of this phase that are done, those of earlier calls included."""
    total: int
    correct: int
    usage: Usage
    """Of the phase."""
    left: float | None
    """Seconds to the end of the phase at the pace so far; None where there is no pace yet."""
    resumed: bool = False


OnProgress = Callable[[Progress], None]


class Count:
    """Counts the samples of a phase as they come in.

    Args:
        tell: takes the progress; its id is left to who knows it.
        phase: whose samples.
        total: how many there will be.
        known: samples of earlier calls.
    """

    def __init__(self, tell: OnProgress, phase: str, total: int, known: Iterable[Sample]) -> None:
        known = list(known)
        self._say, self._phase, self._total = tell, phase, total
        self._before, self._done = len(known), len(known)
        self._correct = sum(one.correct for one in known)
        self._usage = sum((one.usage for one in known), Usage())
        self._begun = monotonic()
        if total:
            self._tell()

    def add(self, sample: Sample) -> None:
        """One more is done."""
        self._done += 1
        self._correct += sample.correct
        self._usage += sample.usage
        self._tell()

    def _tell(self) -> None:
        here, spent = self._done - self._before, monotonic() - self._begun
        left = spent / here * (self._total - self._done) if here else None
        told = Progress(
            id="",
            phase=self._phase,
            done=self._done,
            total=self._total,
            correct=self._correct,
            usage=self._usage,
            left=left,
        )
        self._say(told)
