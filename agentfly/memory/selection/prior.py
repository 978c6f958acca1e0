"""What a case may be expected to earn before anything near was seen: learned from how cosine and own reward pay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[Any]

START = (0.0, 0.7, 0.5)
"""Weights with nothing learned: the nearer is better, and a success is better than a failure."""

_CERTAIN = (0.3, 2.0, 2.0)  # precision of the weights around START
_ROUNDS = 4


def features(cosines: Numbers, outcomes: Numbers) -> Numbers:
    """What the prior goes by: one, the cosine, the case's own reward; each centred and of like scale.

    Args:
        cosines: of state and case, any shape.
        outcomes: rewards of the cases themselves, same shape.
    """
    import numpy as np

    return np.stack(np.broadcast_arrays(1.0, 4.0 * (cosines - 0.5), 2.0 * outcomes - 1.0), axis=-1).astype(np.float64)


def sigmoid(x: Numbers) -> Numbers:
    """1 / (1 + exp(-x)), without overflow."""
    import numpy as np

    found: Numbers = 0.5 * (1.0 + np.tanh(0.5 * x))
    return found


def expected(weights: Numbers, cosines: Numbers, outcomes: Numbers) -> Numbers:
    """Prior probability of a reward of 1, same shape as `cosines`."""
    return sigmoid(features(cosines, outcomes) @ weights)


def fit(
    weights: Numbers, cosines: Numbers, outcomes: Numbers, shares: Numbers, rewards: Numbers, active: Numbers
) -> Numbers:
    """Logistic regression of the reward on the mean features of the slate, around START, by Newton's method.

    Args:
        weights: to begin with, shape (3,).
        cosines: shape (n, m).
        outcomes: shape (n, m).
        shares: part of each case in its slate, shape (n, m).
        rewards: shape (n,).
        active: weight of each recall, shape (n,).
    """
    import numpy as np

    x = (features(cosines, outcomes) * shares[..., None]).sum(axis=1)
    start, certain = np.array(START), np.array(_CERTAIN)
    for _ in range(_ROUNDS):
        found = sigmoid(x @ weights)
        slope = x.T @ (active * (rewards - found)) - certain * (weights - start)
        curve = (x.T * (active * np.maximum(found * (1 - found), 1e-3))) @ x + np.diag(certain)
        step = np.linalg.solve(curve, slope)
        weights = weights + step / max(1.0, float(np.abs(step).max()))  # no leap where the reward is all one way
    return weights
