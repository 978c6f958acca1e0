"""Local credit: what each case adds to the reward near a state, from slates of several cases. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agentfly.protocols import Scores

    Numbers = NDArray[Any]

_ROUNDS = 12
_STILL = 2e-4  # change of an effect from which on further rounds are for nothing
_SINGLE_THREAD = 200_000  # multiplications up to which OpenBLAS stays in the calling thread


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """The local additive model at B states over U cases."""

    baseline: Scores
    """What the states add by themselves, shape (B,)."""
    effects: Scores
    """What each case adds beyond its prior, shape (B, U)."""
    weights: Scores
    """Kernel weight of the showings of each case, shape (B, U): how much its effect rests on."""


def kernel(similarities: Numbers, near: float, bandwidth: float) -> Numbers:
    """Weight of past states: 1 for those at least as similar as neighbours usually are, falling exponentially below.

    Args:
        similarities: cosines with the state.
        near: cosine that counts as the same kind of state.
        bandwidth: fall of the cosine by which the weight falls to 1/e.
    """
    import numpy as np

    weights: Numbers = np.exp(np.minimum(similarities - near, 0.0) / bandwidth)
    return weights


def credit(
    weights: Numbers,
    places: Numbers,
    shares: Numbers,
    residuals: Numbers,
    bounds: tuple[Numbers, Numbers],
    pseudo: Numbers,
    baseline: float,
) -> Credit:
    """Share out the rewards of whole slates among the cases in them.

    At each state the baseline b is the kernel-weighted mean of the residuals, shrunk to 0. The effects minimise

        sum_i w_i (residual_i - b - sum_c share_ic e_c)^2 + pseudo sum_c e_c^2

    within their bounds: a case cannot earn less than 0 or more than 1. With one case to a slate that is the
    kernel-weighted mean of its residuals with `pseudo` showings of residual 0 added: kernel episodic control. With more,
    a case in good company is not given what the company earned. Solved by accelerated projected gradients (Beck and
    Teboulle 2009) with diagonal scaling.

    Args:
        weights: of the past recalls, shape (B, R).
        places: place of each shown case in 0..U-1, shape (B, R, M).
        shares: part of each shown case in its slate, 0 where there is none, shape (B, R, M).
        residuals: reward less what was expected beforehand, shape (B, R).
        bounds: least and greatest effect of each case, each of shape (U,).
        pseudo: showings that the prior of an effect is worth, shape (B, 1).
        baseline: recalls that the prior of the baseline is worth.
    """
    import numpy as np

    batch, size, width = len(weights), len(bounds[0]), shares.shape[2]
    keys = (places + (np.arange(batch) * size)[:, None, None]).ravel()

    def spread(values: Numbers) -> Numbers:
        """Sum over the showings of each case."""
        return np.bincount(keys, values.ravel(), batch * size).reshape(batch, size)

    mass = weights.sum(axis=1, keepdims=True)
    base = (weights * residuals).sum(axis=1, keepdims=True) / (mass + baseline)
    pulls = weights[:, :, None] * shares
    pulled, scale = spread(pulls * (residuals - base)[:, :, None]), width * spread(pulls * shares) + pseudo
    effects = ahead = np.zeros((batch, size))
    speed = 1.0
    for _ in range(_ROUNDS if width > 1 else 1):
        given = (shares * ahead.ravel()[keys].reshape(shares.shape)).sum(axis=2)
        slope = pulled - spread(pulls * given[:, :, None]) - pseudo * ahead
        before, effects = effects, np.minimum(np.maximum(ahead + slope / scale, bounds[0]), bounds[1])
        if np.abs(effects - before).max() < _STILL:
            break
        faster = 0.5 + np.sqrt(0.25 + speed * speed)
        ahead, speed = effects + (speed - 1.0) / faster * (effects - before), faster
    return Credit(baseline=base[:, 0], effects=effects, weights=spread(pulls))


def times(a: Numbers, b: Numbers) -> Numbers:
    """Matrix product in blocks so small that BLAS does not start threads: those cost 20 ms where cores are busy.

    Args:
        a: shape (n, k).
        b: shape (k, m).
    """
    import numpy as np

    (n, k), m = a.shape, b.shape[1]
    rows = max(1, _SINGLE_THREAD // max(1, k * m))
    if n <= rows:
        whole: Numbers = a @ b
        return whole
    product = np.empty((n, m), dtype=np.result_type(a, b))
    for start in range(0, n, rows):
        np.matmul(a[start : start + rows], b, out=product[start : start + rows])
    return product
