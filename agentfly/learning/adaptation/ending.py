"""How a course ends: which version is kept, and the way back to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentfly.composition import Composition
from agentfly.learning.adaptation.book import CourseBook
from agentfly.learning.adaptation.marks import Mark, back_to


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a course ended."""

    id: str
    reason: str
    """``done``, ``early`` (no better validation), ``budget``."""
    kept: int | None = None
    """Samples after which the version that was kept had been learned; None where it is the last one."""
    notices: tuple[str, ...] = ()
    resumed: bool = False


@dataclass(slots=True, kw_only=True)
class Best:
    """The best validation so far."""

    accuracy: float = -1.0
    samples: int = 0
    """Learned from by then."""
    mark: Mapping[str, Any] | None = None
    """None where nothing is validated."""
    since: int = 0
    """Validations that were no better."""

    def saw(self, accuracy: float, samples: int, mark: Mapping[str, Any]) -> None:
        """A version was validated. Of versions that do as well the later one is the best: it has seen more."""
        self.since = 0 if accuracy > self.accuracy else self.since + 1
        if accuracy >= self.accuracy:
            self.accuracy, self.samples, self.mark = accuracy, samples, mark


def ending(best: Best, reason: str, learned: int, notices: Sequence[str]) -> dict[str, Any]:
    """What is put on record before the home is brought back, so that nothing is learned after that, whatever happens.

    Args:
        best: of all validations.
        reason: see `Ended.reason`.
        learned: samples that were learned from.
        notices: what a person should know.
    """
    back = best.mark is not None and best.samples < learned
    return {
        "reason": reason,
        "kept": best.samples if back else None,
        "mark": best.mark if back else None,
        "notices": list(notices),
    }


def keep_best(made: Composition, book: CourseBook, *, resumed: bool) -> Ended:
    """Bring the home back to the best version where that is not the last one; once, however often it is asked for.

    Args:
        made: the agent's parts.
        book: the record of the course, with its `ending`.
        resumed: whether the course went on.
    """
    told = book.noted["ending"]
    kept, notices = told["kept"], list(told["notices"])
    if kept is not None:
        if "restored" not in book.noted:
            reason = f"{book.id}: the version after {kept} samples was better"
            book.note(restored=back_to(made, Mark(**told["mark"]), f"{book.id}-", reason))
        notices += book.noted["restored"]
    return Ended(id=book.id, reason=str(told["reason"]), kept=kept, notices=tuple(notices), resumed=resumed)
