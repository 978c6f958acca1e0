"""A plain model of the reward of what is shown, for the doubly robust estimate: the same one for every policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agentfly.protocols import Episode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agentfly.protocols import Vector

    Numbers = NDArray[Any]

_WIDTH = 0.1  # of the kernel, in cosine
_PRIOR = 1.0  # observations that the mean reward counts for
_RIDGE = 1.0


class Baseline:
    """Ridge regression of the reward on what the record says of the shown cases near this state.

    What a case is worth is the kernel-weighted mean of the rewards that it was shown with (Nadaraya 1964, Watson
    1964), drawn to the mean reward. The features of a slate are the mean and the highest worth, the mean cosine and the
    share of successes. For its own training runs the worth is taken without the run itself.

    Args:
        episodes: runs to learn from, none of those that it is asked about later.
    """

    def __init__(self, episodes: Sequence[Episode]) -> None:
        import numpy as np

        self._mean = float(np.mean([one.reward for one in episodes])) if episodes else 0.5
        rows: dict[str, list[tuple[Vector, float, int]]] = {}
        for i, episode in enumerate(episodes):
            for shown in episode.recalls:
                for case in shown.cases:
                    rows.setdefault(case.id, []).append((shown.state, episode.reward, i))
        self._seen = {
            id: (np.array([row[0] for row in part]), np.array([row[1] for row in part]), np.array([row[2] for row in part]))
            for id, part in rows.items()
        }  # fmt: skip
        self._weights = self._fit(episodes)

    def worth(self, state: Vector, ids: Sequence[str], without: int = -1) -> Numbers:
        """What each case is worth in a state, shape (n,).

        Args:
            state: shape (d,).
            ids: of n cases.
            without: place of a training run that does not count.
        """
        import numpy as np

        found = np.full(len(ids), self._mean)
        for i, id in enumerate(ids):
            if id in self._seen:
                states, rewards, runs = self._seen[id]
                near = np.exp((np.vecdot(states, state) - 1.0) / _WIDTH) * (runs != without)
                found[i] = (near @ rewards + _PRIOR * self._mean) / (near.sum() + _PRIOR)
        return found

    def reward(self, worth: Numbers, cosines: Numbers, successes: Numbers) -> float:
        """Predicted reward of showing m cases, from what each is worth, its cosine and whether it is a success."""
        if not len(worth):
            return self._mean
        return min(max(float(_features(worth, cosines, successes, self._mean) @ self._weights) + self._mean, 0.0), 1.0)

    def _fit(self, episodes: Sequence[Episode]) -> Numbers:
        import numpy as np

        x, y = [np.zeros(5)], [0.0]
        for i, episode in enumerate(episodes):
            for shown in episode.recalls:
                worth = self.worth(shown.state, [case.id for case in shown.cases], without=i)
                successes = np.array([case.success for case in shown.cases], dtype=np.float64)
                x.append(_features(worth, np.vecdot(shown.vectors, shown.state), successes, self._mean))
                y.append(episode.reward - self._mean)
        a = np.array(x)
        weights: Numbers = np.linalg.solve(a.T @ a + _RIDGE * np.eye(5), a.T @ np.array(y))
        return weights


def _features(worth: Numbers, cosines: Numbers, successes: Numbers, mean: float) -> Numbers:
    import numpy as np

    return np.array([1.0, worth.mean() - mean, worth.max() - mean, cosines.mean() - 0.5, successes.mean() - 0.5])
