"""How far evidence reaches and how much it takes to move an estimate: learned by leaving one out."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agentfly.memory.selection.estimates import Near
    from agentfly.memory.selection.evidence import Evidence

    Numbers = NDArray[Any]

GRID: dict[str, tuple[float, ...]] = {
    "bandwidth": (0.03, 0.06, 0.12, 0.24, 0.48),
    "pseudo": (1.0, 3.0, 10.0, 30.0, 100.0, 300.0),
    "carry": (0.0, 0.5, 1.0),
}
"""The values that are tried, see `Tuning`."""

_KEEP = 0.85  # weight of what was found before
_SAMPLE = 48  # recalls that are left out in turn
_NEAR = 128  # recalls that each is foretold from
_FIRST = 16
_NEAREST = 5  # the neighbour whose similarity counts as near


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Hyperparameters of the estimate."""

    near: float = 0.7
    """Cosine from which two states count as alike: the median over states of that with the fifth nearest."""
    bandwidth: float = 0.12
    """Fall of the cosine below `near` by which the weight of a showing falls to 1/e."""
    pseudo: float = 1.0
    """Showings that the prior is worth."""
    carry: float = 0.5
    """Part of what a case earned elsewhere that counts here."""

    def values(self) -> tuple[float, ...]:
        """As numbers to be saved."""
        return astuple(self)

    @classmethod
    def of(cls, saved: Numbers) -> Tuning:
        """From `values`.

        Raises:
            ValueError: these are none.
        """
        near, bandwidth, pseudo, carry = (float(value) for value in saved)
        if not (-1.0 <= near <= 1.01 and bandwidth > 0 and pseudo > 0 and 0 <= carry <= 1):
            raise ValueError("the tuning is out of range")
        return cls(near=near, bandwidth=bandwidth, pseudo=pseudo, carry=carry)


def due(seen: int) -> int:
    """After how many episodes to tune next: more and more seldom, so that it costs little on the whole."""
    return max(_FIRST, min(seen + 512, seen * 4 // 3))


def tuned(evidence: Evidence) -> tuple[Tuning, Numbers]:
    """The tuning under which the reward of each recall is best foretold from all the others.

    Squared error of the reward, over a sample of some 50 recalls, each with its own run left out; one hyperparameter is moved at a
    time, and what earlier samples said counts on with a falling weight.

    Returns:
        The tuning, and the running losses of the values of each hyperparameter, shape (3, 6).
    """
    import numpy as np

    b = evidence.buffer
    rows = np.flatnonzero(b["active"] > 0)
    if len(rows) < _FIRST:
        return evidence.tuning, evidence.losses
    stride = max(1, len(rows) // _SAMPLE)
    rows = rows[evidence.seen % stride :: stride]  # spread over the whole time: early ones have tried more
    similarities = np.stack([np.vecdot(b["states"], b["states"][row]) for row in rows])
    similarities[(b["runs"][rows][:, None] == b["runs"][None, :]) | (b["active"][None, :] <= 0)] = -2.0
    near = float(np.median(np.partition(similarities, -_NEAREST, axis=1)[:, -_NEAREST]))
    best, losses = replace(evidence.tuning, near=float(np.clip(near, 0.0, 1.0))), _KEEP * evidence.losses
    held, known = evidence.near(similarities, b["cases"][rows], _NEAR), dict[Tuning, float]()
    for axis, (name, values) in enumerate(GRID.items()):
        for i, value in enumerate(values):
            tuning = replace(best, **{name: value})
            if tuning not in known:
                known[tuning] = _loss(evidence, tuning, rows, held)
            losses[axis, i] += known[tuning]
        best = replace(best, **{name: values[int(losses[axis, : len(values)].argmin())]})
    return best, losses


def _loss(evidence: Evidence, tuning: Tuning, rows: Numbers, held: Near) -> float:
    import numpy as np

    b = evidence.buffer
    shares, keys = b["shares"][rows], b["cases"][rows]
    found = evidence.estimate_from(held, keys, b["cosines"][rows], b["outcomes"][rows], tuning)
    # The overall means hold the reward that is to be foretold: take it out again.
    part = b["active"][rows][:, None]
    own = part * (b["rewards"][rows] - b["expected"][rows])[:, None]
    overall = tuning.carry * evidence.tallies.without(keys, part, own)
    value = np.clip(found.value - found.overall + overall, 0.0, 1.0)
    error = b["rewards"][rows] - (shares * value).sum(axis=1)
    return float((b["active"][rows] * error**2).sum() / b["active"][rows].sum())
