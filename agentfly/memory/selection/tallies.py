"""How each case did wherever it was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[Any]

PSEUDO = 3.0
"""Showings that the prior is worth in the overall mean of a case."""


class Tallies:
    """For each case the number of its showings, and the sum of what they earned beyond what was expected."""

    def __init__(self) -> None:
        self._of: dict[int, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._of)

    def add(self, cases: Sequence[int], part: float, residual: float) -> None:
        """Count one showing of some cases, or with a negative part take one back.

        Args:
            cases: keys of those that were shown together.
            part: weight of the showing.
            residual: weight times (reward - expected).
        """
        for case in cases:
            count, total = self._of.get(case, (0.0, 0.0))
            if count + part <= 1e-6:
                self._of.pop(case, None)
            else:
                self._of[case] = (count + part, total + residual)

    def of(self, cases: Numbers) -> tuple[Numbers, Numbers]:
        """Counts, and shrunk means of what was earned beyond expectation, of the same shape as the keys."""
        import numpy as np

        none = (0.0, 0.0)
        pairs = chain.from_iterable([self._of.get(case, none) for case in cases.ravel().tolist()])
        found = np.fromiter(pairs, dtype=np.float64, count=2 * cases.size).reshape(*cases.shape, 2)
        return found[..., 0], found[..., 1] / (found[..., 0] + PSEUDO)

    def without(self, cases: Numbers, part: Numbers, residual: Numbers) -> Numbers:
        """Shrunk means as in `of` with one showing of each case taken out."""
        import numpy as np

        counts, means = self.of(cases)
        left = np.maximum(counts - part, 0.0)
        found: Numbers = np.where(left > 1e-6, (means * (counts + PSEUDO) - residual) / (left + PSEUDO), 0.0)
        return found

    def dump(self) -> dict[str, Numbers]:
        """As arrays to be saved."""
        import numpy as np

        return {
            "tally_cases": np.array(list(self._of), dtype=np.int64),
            "tallies": np.array(list(self._of.values()), dtype=np.float64).reshape(-1, 2),
        }

    def load(self, saved: Mapping[str, Numbers]) -> None:
        """Take over what `dump` gave.

        Raises:
            ValueError, KeyError: it does not fit.
        """
        import numpy as np

        cases, tallies = saved["tally_cases"], saved["tallies"]
        if tallies.shape != (len(cases), 2) or not np.isfinite(tallies).all():
            raise ValueError("the tallies do not fit")
        self._of = {case: (count, total) for case, (count, total) in zip(cases.tolist(), tallies.tolist(), strict=True)}
