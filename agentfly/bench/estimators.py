"""Estimators over the attempts at one task, and over tasks: each named for what it estimates. Pure; see docs/metrics.md."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean

from agentfly.bench.results import Result
from agentfly.learning.intervals import wilson
from agentfly.scorers.f1 import token_f1

Same = Callable[[str, str], bool]
"""Whether two answers are one."""
_MANY = 10


@lru_cache(maxsize=4096)
def pass_at_k(n: int, c: int, k: int) -> float:
    """Probability that at least one of k attempts is right, where c of n were: 1 − C(n−c, k) / C(n, k), without bias.

    Source: Chen et al., arXiv 2107.03374, equation 1 and figure 3 (as a product, so that nothing overflows).

    Args:
        n: attempts made, at least 1.
        c: of them right, 0 to n.
        k: attempts that one would be allowed, 1 to n.

    Raises:
        ValueError: a number out of its range.
    """
    _check(n, c, k)
    if n - c < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - c + 1, n + 1))


@lru_cache(maxsize=4096)
def pass_hat_k(n: int, c: int, k: int) -> float:
    """Probability that all of k attempts are right, where c of n were: C(c, k) / C(n, k), without bias.

    Source: tau-bench (Yao et al., arXiv 2406.12045), section 3.

    Args:
        n: attempts made, at least 1.
        c: of them right, 0 to n.
        k: attempts that must all be right, 1 to n.

    Raises:
        ValueError: a number out of its range.
    """
    _check(n, c, k)
    return math.prod((c - i) / (n - i) for i in range(k)) if c >= k else 0.0


def _check(n: int, c: int, k: int) -> None:
    if not (1 <= k <= n and 0 <= c <= n):
        raise ValueError(f"k must be in 1..n and c in 0..n, not n={n}, c={c}, k={k}")


def ks(attempts: int) -> tuple[int, ...]:
    """For which k a report tells: each up to 10, then 1, 2, 5, 10, 20, 50 and so on, and the number of attempts itself."""
    if attempts <= _MANY:
        return tuple(range(1, attempts + 1))
    steps = [lead * 10**power for power in range(len(str(attempts))) for lead in (1, 2, 5)]
    return (*(step for step in steps if step < attempts), attempts)


def same_by(match: Callable[[str, str], bool]) -> Same:
    """Answers are one where they are the same text, or each is right by a dataset's rule if the other is the reference.

    Args:
        match: takes answer and reference; a ValueError of it means that they cannot be compared.
    """

    def same(one: str, other: str) -> bool:
        if one == other:
            return True
        try:
            return match(one, other) and match(other, one)
        except ValueError:
            return False

    return same


class Votes:
    """Counts the answers of attempts as they come; those without an answer have no vote.

    Args:
        same: whether two answers are one.
    """

    __slots__ = ("_first", "_same", "_sizes")

    def __init__(self, same: Same) -> None:
        self._same = same
        self._first: list[Result] = []
        self._sizes: list[int] = []

    def add(self, attempt: Result) -> None:
        """Count an attempt."""
        if not attempt.gave_answer:
            return
        answer = attempt.answer or ""
        for place, first in enumerate(self._first):
            if self._same(answer, first.answer or ""):
                self._sizes[place] += 1
                return
        self._first.append(attempt)
        self._sizes.append(1)

    @property
    def leader(self) -> Result | None:
        """The first attempt of the largest group; of equal groups, of the one that began first. None where nobody voted."""
        return self._first[self._sizes.index(max(self._sizes))] if self._sizes else None


class Best:
    """Keeps the attempt with an answer that some score puts first; of equals, the first.

    One without that score comes after all that have it.

    Args:
        by: the score, in [0, 1].
    """

    __slots__ = ("_by", "_top", "leader")

    def __init__(self, by: Callable[[Result], float | None]) -> None:
        self._by = by
        self._top = -math.inf
        self.leader: Result | None = None
        """None where there is no answer at all."""

    def add(self, attempt: Result) -> None:
        """Look at an attempt."""
        if attempt.gave_answer:
            score = self._by(attempt)
            value = -1.0 if score is None else score
            if value > self._top:
                self._top, self.leader = value, attempt


def majority(attempts: Iterable[Result], same: Same) -> Result | None:
    """The first of the attempts whose answer most of them gave; of equal groups, the one that began first.

    Attempts without an answer have no vote. None where there is no answer at all.

    Source: self-consistency (Wang et al., arXiv 2203.11171).
    """
    votes = Votes(same)
    for attempt in attempts:
        votes.add(attempt)
    return votes.leader


def best(attempts: Iterable[Result], by: Callable[[Result], float | None]) -> Result | None:
    """The attempt that a score puts first, see `Best`."""
    found = Best(by)
    for attempt in attempts:
        found.add(attempt)
    return found.leader


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean over tasks with what is known of its error."""

    value: float
    se: float | None
    """Standard error by task; None of fewer than two tasks."""
    low: float
    """95 % interval."""
    high: float


def mean_by_task(shares: Sequence[float], attempts: int = 1) -> Mean | None:
    """Mean of a share per task, with the tasks as clusters: attempts at one task are not independent of each other.

    The standard error is that of the mean of the tasks' means (Miller, arXiv 2411.00640, section 2.2, with n / (n − 1)). The
    interval is Wilson's for as many independent attempts as have that error, never fewer than the tasks nor more
    than the attempts; with one attempt a task it is Wilson's own.

    Args:
        shares: one for each task, in [0, 1].
        attempts: at each task, that a share is the mean of.

    Returns:
        None of no tasks.
    """
    n = len(shares)
    if n == 0:
        return None
    value = fmean(shares)
    squares = sum([(share - value) ** 2 for share in shares])
    se = math.sqrt(squares / (n * (n - 1))) if n > 1 else None
    effective = float(n)
    if attempts > 1 and se:
        effective = min(float(n * attempts), max(float(n), value * (1 - value) / se**2))
    within = wilson(value * effective, effective)  # the formula holds for any positive total
    return Mean(value=value, se=se, low=min(within.low, value), high=max(within.high, value))


def quantile(values: Sequence[float], share: float) -> float:
    """Quantile by linear interpolation between order statistics (Hyndman and Fan's type 7, as numpy's); 0 of nothing.

    Args:
        values: sorted, smallest first.
        share: in [0, 1].
    """
    if not values:
        return 0.0
    place = share * (len(values) - 1)
    below = math.floor(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


def continuous_scores(answer: str | None, reference: str) -> dict[str, float]:
    """How near an answer is to the reference where exact match says no: ``f1`` of words and ``edit_similarity``; 0 without one."""
    if answer is None:
        return {"f1": 0.0, "edit_similarity": 0.0}
    return {"f1": token_f1(answer, reference), "edit_similarity": edit_similarity(answer, reference)}


def edit_similarity(one: str, other: str) -> float:
    """1 − Levenshtein distance / length of the longer text; case, and how much white space stands in a place, do not count."""
    first, second = (" ".join(text.split()).casefold() for text in (one, other))
    longest = max(len(first), len(second))
    return 1.0 - levenshtein(first, second) / longest if longest else 1.0


def levenshtein(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Fewest insertions, deletions and replacements of single items that turn one sequence into the other.

    Source: Myers 1999 (Journal of the ACM 46, 395) as Hyyrö 2003 states it: a column of the matrix is two words of bits, and
    Python's integers are words of any length.
    """
    if not one or not other:
        return max(len(one), len(other))
    places: dict[Hashable, int] = {}
    for number, item in enumerate(one):
        places[item] = places.get(item, 0) | 1 << number
    full, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    up, down, distance = full, 0, len(one)
    for item in other:
        match = places.get(item, 0)
        level = (((match & up) + up) ^ up) | match | down
        rise, fall = down | (full & ~(level | up)), up & level
        distance += bool(rise & last) - bool(fall & last)
        rise, fall = (rise << 1) | 1, fall << 1
        up, down = (fall | ~(level | rise)) & full, rise & level & full
    return distance
