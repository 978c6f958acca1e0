"""From scored candidates to the few that are shown: one after the other, each unlike those before it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from agentfly.errors import InputError
from agentfly.types import Case, Recalled

if TYPE_CHECKING:
    from agentfly.protocols import Scores, Vector

SAME = 0.995
"""Cosine from which two questions count as one and the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How the shown cases are chosen from the candidates."""

    k: int = 4
    """How many to show at most."""
    floor: float | None = None
    """Cosine under which a case is not shown; None shows any."""
    failures: float | None = None
    """Largest share of the shown cases that may be failures, in [0, 1]; None sets no limit."""
    tokens: int | None = None
    """Budget of what is shown, as estimated by `cost`; a case that does not fit is passed over."""
    diversity: float = 0.0
    """Weight of being unlike what is chosen already, in [0, 1]."""
    temperature: float = 0.0
    """Of the soft choice; 0 is greedy."""
    seed: int | None = None
    """Of the soft choice; None takes a fresh one."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.diversity <= 1.0:
            raise InputError(f"diversity must be in [0, 1], not {self.diversity!r}")
        if not self.temperature >= 0.0:  # NaN fails too
            raise InputError(f"the temperature must be at least 0, not {self.temperature!r}")


def choose(candidates: Sequence[Recalled], vectors: Vector, choice: Choice) -> list[Recalled]:
    """Choose what is shown, in the order of the choice, each with its propensity.

    At each turn the value of a candidate is its maximal marginal relevance (Carbonell and Goldstein 1998),
    (1 - diversity) Q(s, c) - diversity max cos(c, chosen), and Q(s, c) at the first turn. The greedy choice takes the
    highest; the soft one draws from the Boltzmann distribution over values / temperature, which is AgentFly's soft
    policy (arXiv 2508.16153, eq. 7) with the diversity taken in. One question is chosen at most twice: by one success
    and by one failure. A candidate without a finite score is left out.

    Args:
        candidates: n scored cases, in any order.
        vectors: embeddings of the candidates in the same order, shape (n, d), rows of unit length.
        choice: how many, and under which limits.
    """
    return [replace(candidates[place], propensity=odds) for place, odds in _drawn(_Slate(candidates, vectors, choice))]


def sequences(candidates: Sequence[Recalled], vectors: Vector, choice: Choice, times: int) -> list[list[int]]:
    """What `choose` chooses when it is asked several times: places, in the order of the choice.

    Args:
        candidates: as in `choose`.
        vectors: as in `choose`.
        choice: as in `choose`; the seed is that of all the draws.
        times: how often.
    """
    slate, found = _Slate(candidates, vectors, choice), list[list[int]]()
    for _ in range(times):
        slate.clear()
        found.append([place for place, _ in _drawn(slate)])
    return found


def likelihood(candidates: Sequence[Recalled], vectors: Vector, choice: Choice, order: Sequence[int]) -> list[float]:
    """Probability of each choice of a given sequence under `choose`, given the choices before it.

    Args:
        candidates: as in `choose`.
        vectors: as in `choose`.
        choice: as in `choose`.
        order: places of the chosen candidates, in the order of the choice.

    Returns:
        One probability for each; 0 from the first on that could not have been chosen.
    """
    slate, found = _Slate(candidates, vectors, choice), list[float]()
    for place in order:
        open_ = slate.open()
        turn = (open_ == place).nonzero()[0]
        if not turn.size or (found and found[-1] == 0.0):
            found.append(0.0)
            continue
        found.append(float(slate.odds(open_)[turn[0]]))
        slate.take(place)
    return found


def arranged(chosen: Sequence[Recalled]) -> tuple[Recalled, ...]:
    """The chosen cases as they are shown: all successes before the first failure."""
    return tuple(sorted(chosen, key=lambda one: not one.case.success))


def cost(case: Case) -> int:
    """Tokens that showing a case takes, estimated at four characters each, with 12 for the frame around it."""
    return 12 + (len(case.question) + len(case.solution) + len(case.answer or "") + len(case.lesson)) // 4


def _drawn(slate: _Slate) -> Iterator[tuple[int, float]]:
    """The places chosen, one after the other, each with its probability."""
    while (open_ := slate.open()).size:
        odds = slate.odds(open_)
        turn = slate.draw(odds)
        yield int(open_[turn]), float(odds[turn])
        slate.take(int(open_[turn]))


class _Slate:
    """The state of one choice: what is taken, and which of the rest may still be."""

    def __init__(self, candidates: Sequence[Recalled], vectors: Vector, choice: Choice) -> None:
        import numpy as np

        n = len(candidates)
        self._choice = choice
        self._vectors = vectors[:n]
        self._scores = np.array([one.score for one in candidates], dtype=np.float64)
        self._similarities = np.array([one.similarity for one in candidates], dtype=np.float64)
        self._failed = np.array([not one.case.success for one in candidates], dtype=np.bool_)
        self._costs = np.array([cost(one.case) for one in candidates], dtype=np.int64)
        self._tasks = [one.case.task_id for one in candidates]
        self._may = np.isfinite(self._scores)
        if choice.floor is not None:
            self._may &= self._similarities >= choice.floor
        self._rng = np.random.default_rng(choice.seed) if choice.temperature > 0 else None
        self.clear()

    def clear(self) -> None:
        """Take nothing yet."""
        import numpy as np

        self._free = self._may
        self._nearest = np.full(len(self._scores), -1.0)  # highest cosine with what is taken
        self._taken: list[int] = []
        self._spent = 0

    def open(self) -> Any:
        """Places of the candidates that may be taken at this turn."""
        choice, size = self._choice, len(self._taken)
        may = self._free
        if size >= choice.k:
            return may.nonzero()[0][:0]
        if choice.tokens is not None:
            may = may & (self._costs <= choice.tokens - self._spent)
        if choice.failures is not None:
            # The share is of what is shown: what comes later can only make it smaller.
            bad = sum(bool(self._failed[i]) for i in self._taken)
            if bad + 1 > choice.failures * (size + 1) + 1e-9:
                may = may & ~self._failed
        return may.nonzero()[0]

    def odds(self, open_: Any) -> Scores:
        """Probability of each of these places at this turn."""
        import numpy as np

        weight = self._choice.diversity if self._taken else 0.0
        values = (1.0 - weight) * self._scores[open_] - weight * self._nearest[open_]
        if self._choice.temperature <= 0:
            best = np.lexsort((open_, -self._similarities[open_], -values))[0]
            greedy: Scores = (np.arange(len(open_)) == best).astype(np.float64)
            return greedy
        with np.errstate(over="ignore"):  # a temperature next to 0: all but the best become impossible
            powers = np.exp((values - values.max()) / self._choice.temperature)
        odds: Scores = powers / powers.sum()
        return odds

    def draw(self, odds: Scores) -> int:
        """One of them by its probability; the likeliest where nothing is left to chance."""
        if self._rng is None:
            return int(odds.argmax())
        steps = odds.cumsum()
        return min(int(steps.searchsorted(self._rng.random() * steps[-1], side="right")), len(odds) - 1)

    def take(self, i: int) -> None:
        """Take a place; what is the same question with the same outcome is out of the running."""
        import numpy as np

        self._taken.append(i)
        self._spent += int(self._costs[i])
        cosines = np.vecdot(self._vectors, self._vectors[i])  # one thread: BLAS would wait for its other threads
        self._nearest = np.maximum(self._nearest, cosines)
        task = self._tasks[i]
        same = cosines >= SAME
        if task:
            same = same | np.array([other == task for other in self._tasks], dtype=np.bool_)
        self._free = self._free & ~(same & (self._failed == self._failed[i]))
        self._free[i] = False
