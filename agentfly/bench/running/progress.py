"""Where a benchmark run stands, told as results come in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic

from agentfly.bench.results import Result
from agentfly.types import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a benchmark run stands."""

    done: int
    """Attempts that have a result, those of earlier calls included."""
    total: int
    judged: int
    """Of those done, the ones that somebody can judge: all but those at tasks whose answer is withheld."""
    tasks: int
    """At most so many tasks are behind those judged: attempts at one task say less than as many tasks do."""
    correct: int
    errors: int
    usage: Usage
    left: float | None
    """Seconds to the end at the pace so far; None where there is no pace yet."""
    resumed: bool


OnProgress = Callable[[Progress], None]


class Tally:
    """Counts results; holds none of them.

    Args:
        total: how many there will be.
        withheld: ids of the tasks that nobody can judge.
        tell: takes the progress.
        tasks: that are worked on; by default as many as there are attempts.
    """

    def __init__(self, total: int, withheld: frozenset[str], tell: OnProgress, tasks: int | None = None) -> None:
        self._tasks = total if tasks is None else tasks
        self._total, self._withheld, self._tell = total, withheld, tell
        self._done = self._judged = self._correct = self._errors = 0
        self._usage = Usage()
        self._before = 0
        self._begun = monotonic()

    @property
    def progress(self) -> Progress:
        """As it stands."""
        here = self._done - self._before
        return Progress(
            done=self._done,
            total=self._total,
            judged=self._judged,
            tasks=min(self._judged, self._tasks - len(self._withheld)),
            correct=self._correct,
            errors=self._errors,
            usage=self._usage,
            left=(monotonic() - self._begun) / here * (self._total - self._done) if here else None,
            resumed=self._before > 0,
        )

    def begin(self, known: Iterable[Result]) -> None:
        """Count what there was before, and say so."""
        for result in known:
            self._count(result)
        self._before, self._begun = self._done, monotonic()
        self._tell(self.progress)

    def add(self, results: Iterable[Result]) -> None:
        """Count what has been put on record, and say so."""
        for result in results:
            self._count(result)
        self._tell(self.progress)

    def _count(self, result: Result) -> None:
        self._done += 1
        self._judged += result.task_id not in self._withheld
        self._correct += result.correct
        self._errors += result.verdict == "error"
        self._usage += result.usage
