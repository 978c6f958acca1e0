"""What a case is worth keeping for: how dependable it is, and how difficult its task. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agentfly.memory.clusters import Labels

    Floats: TypeAlias = NDArray[np.float64]

FAILURE_WEIGHT = 0.5
"""A failure counts so much of a success that is as dependable: it warns, but it does not show the way."""

_PRIOR = 2.0
"""Outcomes that a prior counts for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of n cases, one array of shape (n,) for each fact."""

    reward: Floats
    """Of the remembered attempt, in [0, 1]."""
    seen: Floats
    """How many near-identical cases it stands for."""
    judged: Floats
    """How often it was shown to a run that was judged."""
    helped: Floats
    """Sum of the rewards of these runs."""
    lesson: NDArray[np.bool_]
    """Whether it says what to learn from it."""
    task: Labels
    """Number of its task; equal for cases of one task."""
    tried: Floats
    """Judged attempts at its task."""
    failed: Floats
    """How many of these failed."""

    @property
    def success(self) -> NDArray[np.bool_]:
        return self.reward >= 0.5


def worth(facts: Facts, kinds: Labels) -> Floats:
    """Worth of each case, in (0, 1): dependability x (1 + difficulty) / 2, less for failures.

    Args:
        facts: of n cases.
        kinds: kind of each, numbers from 0, shape (n,).
    """
    import numpy as np

    value = dependability(facts) * (1.0 + difficulty(facts, kinds)) / 2.0
    lessons = np.where(facts.lesson, 1.0, 0.5)
    worths: Floats = np.where(facts.success, value, value * FAILURE_WEIGHT * lessons)
    return worths


def dependability(facts: Facts) -> Floats:
    """Mean of the Beta posterior of what a case earns, from a uniform prior, in (0, 1).

    The evidence is its own reward, once for each case that it stands for, and the rewards of the runs that it was shown
    to. A failure's own reward says nothing of how good a warning it is, and is left out.
    """
    import numpy as np

    own = np.where(facts.success, facts.seen, 0.0)
    mean: Floats = (1.0 + own * facts.reward + facts.helped) / (_PRIOR + own + facts.judged)
    return np.clip(mean, 1e-6, 1.0)


def difficulty(facts: Facts, kinds: Labels) -> Floats:
    """Share of failed attempts at the task of each case, in (0, 1): drawn towards that of its kind, and that towards
    the bank's, as if by two outcomes more (empirical Bayes)."""
    import numpy as np

    # Each task of a kind counts once, however many cases there are of it.
    pairs = np.stack([kinds, facts.task])
    _, first = np.unique(pairs, axis=1, return_index=True)
    k = int(kinds.max(initial=-1)) + 1
    tried = np.bincount(kinds[first], weights=facts.tried[first], minlength=k)
    failed = np.bincount(kinds[first], weights=facts.failed[first], minlength=k)
    overall = (0.5 * _PRIOR + failed.sum()) / (_PRIOR + tried.sum())
    of_kind = (overall * _PRIOR + failed) / (_PRIOR + tried)
    rates: Floats = (of_kind[kinds] * _PRIOR + facts.failed) / (_PRIOR + facts.tried)
    return rates
