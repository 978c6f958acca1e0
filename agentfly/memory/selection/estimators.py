"""Off-policy estimates of the mean reward of a policy from runs that another one chose for. Pure.

The weight of a run is the ratio of the probabilities of all its choices under the two policies. Weights are truncated
at the square root of the number of runs (Ionides 2008) and self-normalised (Swaminathan and Joachims 2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An estimated mean reward."""

    value: float
    influence: Numbers
    """What each run adds to the error of `value`, by the jackknife (Miller 1974), shape (n,): differences of estimates
    from the same runs have the standard error of the difference of their influences."""
    overlap: float
    """Effective number of runs (Kish 1965): the sum of the weights, squared, over the sum of their squares."""
    clipped: int
    """Runs whose weight was truncated."""

    @property
    def error(self) -> float:
        """Standard error of `value`."""
        return standard_error(self.influence)


def standard_error(influence: Numbers) -> float:
    """Of a mean, from the influence of each of the n runs, shape (n,)."""
    n = len(influence)
    return float(influence.std(ddof=1) / n**0.5) if n > 1 else float("nan")


def self_normalised(weights: Numbers, rewards: Numbers) -> Estimate:
    """Importance sampling, sum(w r) / sum(w).

    Args:
        weights: of the runs, shape (n,).
        rewards: what they earned, shape (n,).
    """
    return doubly_robust(weights[:, None], 0.0 * weights[:, None], 0.0 * weights[:, None], rewards)


def doubly_robust(weights: Numbers, expected: Numbers, predicted: Numbers, rewards: Numbers) -> Estimate:
    """A model of the reward, corrected by the weighted error that it makes on the runs (Dudik, Langford and Li 2011).

    For runs of several recalls it is the weighted doubly robust estimator of Thomas and Brunskill (2016, eq. 10):
    sum over t of w[t-1] expected[t] - w[t] predicted[t], plus w[last] r, each w divided by its mean over the runs. It is
    consistent whatever the model says; a good model makes the error small. A run of fewer recalls than the longest
    carries its last weight on, with zeros for the model.

    Args:
        weights: product of the ratios up to and with each recall, shape (n, t).
        expected: what the model adds at each recall on the average over the policy's choice, shape (n, t).
        predicted: what it adds for what was really chosen, shape (n, t).
        rewards: shape (n,).
    """
    import numpy as np

    n, steps = weights.shape
    cap = n**0.5
    clipped = np.minimum(weights, cap)
    value, influence = 0.0, np.zeros(n)
    for step in range(steps + 1):
        share = np.ones(n) if step == 0 else clipped[:, step - 1]
        share = share / max(float(share.mean()), 1e-300)
        part = np.zeros(n)
        if step < steps:
            part = part + expected[:, step]
        if step > 0:
            part = part - predicted[:, step - 1]
        if step == steps:
            part = part + rewards
        mean = float((share * part).mean())
        value += mean
        # What the mean would move by without the run (jackknife): with few heavy runs the plain formula is too sure.
        influence = influence + share * (part - mean) * (n - 1) / np.maximum(n - share, 1.0)
    last = clipped[:, -1]
    squares = float((last**2).sum())
    return Estimate(
        value=value,
        influence=influence,
        overlap=float(last.sum()) ** 2 / squares if squares > 0 else 0.0,
        clipped=int((weights[:, -1] > cap).sum()),
    )
