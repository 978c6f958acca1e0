"""What an estimate of Q(s, c) is made of, and the past recalls that it rests on: data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Q of C cases at each of B states, and what it is made of; every array has the shape (B, C)."""

    prior: Numbers
    """From cosine and own reward."""
    overall: Numbers
    """What the case earned beyond its prior, wherever it was shown."""
    ease: Numbers
    """What was earned beyond the prior near this state, whatever was shown."""
    effect: Numbers
    """What the case added beyond all this near the state."""
    weight: Numbers
    """Kernel weight of its showings near the state."""
    count: Numbers
    """How often it was shown anywhere."""
    cosines: Numbers
    """Of state and case."""
    outcomes: Numbers
    """What the case earned itself."""
    trust: float = 1.0
    """How much of what is said of single cases counts."""

    @property
    def value(self) -> Numbers:
        """Q(s, c), in [0, 1]."""
        return self.under(self.trust)

    def under(self, trust: float) -> Numbers:
        """Q(s, c) with `trust` in what the record says of single cases."""
        import numpy as np

        found: Numbers = np.clip(self.prior + self.ease + trust * (self.overall + self.effect), 0.0, 1.0)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Past recalls near B states: R for each, of up to M cases, out of U cases in all."""

    similarities: Numbers
    """Of the states, shape (B, R)."""
    active: Numbers
    """Weights besides the kernel, shape (B, R)."""
    places: Numbers
    """Which of the U cases were shown, shape (B, R, M)."""
    shares: Numbers
    """Their parts in the slate, shape (B, R, M)."""
    beyond: Numbers
    """Rewards less the mean prior of the slate, shape (B, R)."""
    asked: Numbers
    """Which of the U cases are asked for, shape (B, C)."""
    usual: Numbers
    """Mean prior of each case over these showings, shape (U,)."""
    overall: Numbers
    """What each case earned beyond its prior anywhere, shrunk, shape (U,)."""
    counts: Numbers
    """How often each case was shown anywhere, shape (U,)."""
