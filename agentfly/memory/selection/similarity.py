"""Q(s, c) = cosine of the two embeddings: Memento's non-parametric read (arXiv 2508.16153, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentfly.types import Case

if TYPE_CHECKING:
    from agentfly.protocols import Scores, Vector


class SimilarityPolicy:
    """The nearest cases are the best ones. Learns nothing."""

    name = "similarity"

    def score(self, state: Vector, cases: Sequence[Case], vectors: Vector) -> Scores:
        """See `agentfly.protocols.Policy`."""
        import numpy as np

        scores: Scores = np.vecdot(vectors, state).astype(np.float64)
        return scores
