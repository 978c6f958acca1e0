"""What a course has put on record so far, as the course goes by it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from agentfly.learning.adaptation.breaker import came_to_something
from agentfly.learning.adaptation.plan import LEARN, VALIDATE
from agentfly.store.adaptations import AdaptationStore, Sample, Stage
from agentfly.types import Usage

COUNTED = (LEARN, VALIDATE)
"""The phases that a budget is for."""


class CourseBook:
    """The record of one course.

    Args:
        store: where it is kept.
        id: of the course.
    """

    def __init__(self, store: AdaptationStore, id: str) -> None:
        self.store, self.id = store, id
        samples = store.samples(id)
        self.worked = came_to_something(samples)
        self.usage = sum((one.usage for one in samples if one.phase in COUNTED), Usage())
        """Of learning and validating."""
        self.closed = frozenset(one.run_id for one in samples)
        """Runs that were on record when the course was opened."""
        self._reached = {(stage.epoch, stage.number) for stage in store.stages(id)}

    @property
    def noted(self) -> Mapping[str, Any]:
        """What was noted beside samples and windows."""
        return self.store.show(self.id).outcome

    def note(self, **told: Any) -> None:
        """Note something."""
        self.store.note(self.id, told)

    def samples(self, phase: str, epoch: int | None = None) -> list[Sample]:
        """Samples of a phase in their order."""
        return [one for one in self.store.samples(self.id, phase) if epoch is None or one.epoch == epoch]

    def add(self, samples: Sequence[Sample]) -> None:
        """Put samples on record."""
        self.store.add(self.id, samples)
        self.usage += sum((one.usage for one in samples if one.phase in COUNTED), Usage())

    def reached(self, epoch: int, number: int) -> bool:
        """Whether a window has been learned from."""
        return (epoch, number) in self._reached

    def reach(self, stage: Stage) -> None:
        """A window has been learned from."""
        self.store.reach(self.id, stage)
        self._reached.add((stage.epoch, stage.number))

    def stage(self, samples: int) -> Stage:
        """The stage after so many samples."""
        return next(stage for stage in self.store.stages(self.id) if stage.samples == samples)

    def first(self) -> Stage | None:
        """What the home held before anything was learned."""
        return next((stage for stage in self.store.stages(self.id) if stage.epoch == 0), None)

    def forget(self, failed: Collection[str], window: int) -> bool:
        """Take off the record what failed, so that it is tried again: answers, and the last windows where all did.

        Windows stay once learning has ended: what is to be kept has been decided by then.

        Args:
            failed: ids of the runs.
            window: samples in a window.

        Returns:
            Whether windows were taken off, so that what came after them was made from a home that will be another one.
        """
        again = [one for one in self.store.samples(self.id) if one.run_id in failed and one.phase != LEARN]
        learned, gone = self.samples(LEARN), list[Stage]()
        windows = [] if "ending" in self.noted else [one for one in self.store.stages(self.id) if one.epoch > 0]
        for stage in reversed(windows):
            own = [one for one in learned if (one.epoch, one.place // window) == (stage.epoch, stage.number)]
            if not own or any(one.run_id not in failed for one in own):
                break
            again += own
            gone.append(stage)
        self.store.forget(self.id, again, gone)
        return bool(gone)

    def rewards(self, before: int) -> dict[str, list[float]]:
        """What the answers to each task earned in the epochs before one."""
        found: dict[str, list[float]] = {}
        for one in self.samples(LEARN):
            if one.epoch < before and one.reward is not None:
                found.setdefault(one.task_id, []).append(one.reward)
        return found


def accuracy(samples: Iterable[Sample]) -> float:
    """Share of right answers among all of them; 0 of none."""
    right = [one.correct for one in samples]
    return sum(right) / len(right) if right else 0.0
