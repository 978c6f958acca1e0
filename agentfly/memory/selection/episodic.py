"""Q(s, c) by kernel episodic control: what was earned when the case was shown for states near this one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentfly.memory.selection.evidence import Evidence
from agentfly.memory.selection.stateformat import pack, unpack, unusable

if TYPE_CHECKING:
    from agentfly.protocols import Episode, Scores, Vector
    from agentfly.types import Case

FORMAT = 1


class EpisodicPolicy:
    """Q(s, c) as a kernel-weighted mean of rewards: AgentFly's kernel form (arXiv 2508.16153, eq. 7 to 10), with a prior.

        Q(s, c) = p(s, c) + b(s) + trust . (g(c) + e(s, c)), cut to [0, 1]

    p is a logistic function of cosine and own reward, learned (`prior.fit`); g what the case earned beyond p anywhere,
    shrunk (`tallies.Tallies.of`); b what was earned near s whatever was shown; and e what the case adds to that near
    s (`kernel.credit`). Where one case is shown at a time e is the mean of the rewards beyond the rest, weighted by the
    kernel k(s, s_i) = exp(min(0, cos(s, s_i) - near) / bandwidth), with `pseudo` showings of 0 added. Where several
    are shown together it is the least-squares solution for the reward as the mean of what the shown cases earn: the
    members of a slate do not all get what the slate earned. No weighting by 1 / propensity: given state and case the
    reward does not depend on why the case was chosen, so that it would add variance and take away no bias.

    `trust` in {0, 1/2, 1} is the one that foretold the latest rewards best before they were known (`Evidence.trust`).
    `near`, `bandwidth`, `pseudo` and how much of g counts are learned by leaving one out (`tuning.tuned`). The reward of a
    run with several recalls goes to each of them, with weight 1/n (gamma = 1). The latest 4,096 recalls are remembered.

    Args:
        dimensions: d of the embeddings.
    """

    name = "episodic"

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions
        self._evidence = Evidence(dimensions)

    def score(self, state: Vector, cases: Sequence[Case], vectors: Vector) -> Scores:
        """See `agentfly.protocols.Policy`; in [0, 1]."""
        import numpy as np

        if not cases:
            return np.zeros(0)
        scores: Scores = self._evidence.of(state, cases, vectors).value[0]
        return scores

    def learn(self, episodes: Sequence[Episode]) -> None:
        """See `agentfly.protocols.LearningPolicy`."""
        self._evidence.take(episodes)

    def dump(self) -> bytes:
        """See `agentfly.protocols.LearningPolicy`."""
        return pack(self.name, FORMAT, self._dimensions, self._evidence.dump())

    def load(self, data: bytes) -> None:
        """See `agentfly.protocols.LearningPolicy`."""
        saved, fresh = unpack(data, self.name, FORMAT, self._dimensions), Evidence(self._dimensions)
        try:
            fresh.load(saved)
        except (ValueError, KeyError) as error:
            raise unusable(self.name, f"is damaged: {error}") from None
        self._evidence = fresh
