"""The scores of a policy, which may be a user's own object, as numbers that can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentfly.errors import PolicyError
from agentfly.protocols import LearningPolicy, Policy

if TYPE_CHECKING:
    from agentfly.protocols import Scores

RETRAIN = "`agentfly memory policy retrain`"
"""What mends the learned state of a policy."""


def checked(scores: object, n: int, policy: Policy) -> Scores:
    """One finite number for each of n cases, shape (n,).

    Args:
        scores: what the policy gave.
        n: number of cases.
        policy: whose scores they are.

    Raises:
        PolicyError: they are anything else.
    """
    import numpy as np

    try:
        array: Scores = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError):
        raise PolicyError(
            f"the policy {policy.name!r} gave scores that are no numbers ({type(scores).__name__}): return shape ({n},)"
        ) from None
    if array.shape != (n,):
        raise PolicyError(f"the policy {policy.name!r} gave scores of shape {array.shape}: return shape ({n},)")
    if not np.isfinite(array).all():
        hint = (
            f"{RETRAIN} learns it anew from the record" if isinstance(policy, LearningPolicy) else "return finite ones"
        )
        raise PolicyError(f"the policy {policy.name!r} gave scores that are not finite: {hint}")
    return array
