"""Which cases stay when there is not room for all: a quota for each kind, and within a kind the most gain. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentfly.memory.clusters import cells, kinds
from agentfly.memory.worth import Facts, worth

if TYPE_CHECKING:
    from typing import TypeAlias

    import numpy as np
    from numpy.typing import NDArray

    from agentfly.memory.clusters import Labels
    from agentfly.memory.worth import Floats
    from agentfly.protocols import Vector

    Flags: TypeAlias = NDArray[np.bool_]

FAILURE_SHARE = 0.25
"""Largest share of a kind's kept cases that may be failures with a success next to them."""

NEXT_TO = 0.75
"""Cosine from which on a success is next to a failure: what the failure warns of, the success does right."""

COPY = 0.9
"""Cosine from which on a case is nearly the same as another; copies go before anything else does."""

_SAME = 0.05  # what a case adds at least: between copies only worth decides
_CELL = 256  # cases of a neighbourhood: all pairs of them are compared
_DIGITS = 6  # gains that differ by less are equal: rounding of sums must not decide


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What stays and what goes, of n cases."""

    goes: Labels
    """Rows that go, least worth keeping first."""
    kinds: Labels
    """Kind of each row, shape (n,)."""
    keeper: Labels
    """For each kind the row that always stays: its best success or, where there is none, its best failure."""
    worth: Floats
    """Of each row, shape (n,)."""
    twin: Labels
    """For each row a kept one that is nearly the same, or -1; shape (n,)."""
    held: int
    """How many stay beyond the capacity because each is the last of its kind."""


@dataclass(frozen=True, slots=True)
class _Gains:
    gain: Floats
    beside: Labels  # the nearest case that was ranked before it, or -1
    cosine: Floats  # to that one
    covered: Flags  # whether it is a failure with a success next to it


def decide(vectors: Vector, facts: Facts, age: Labels, capacity: int) -> Decision:
    """Decide which of n cases stay.

    Args:
        vectors: embeddings of shape (n, d), rows of unit length, or zero where there is none to compare.
        facts: what is known of each.
        age: rank of each by age, 0 is the newest; decides between equals.
        capacity: how many may stay.

    Returns:
        The decision: `min(n, max(capacity, number of kinds))` cases stay.
    """
    import numpy as np

    labels = kinds(vectors)
    success = facts.success
    value = np.round(worth(facts, labels), _DIGITS)
    sizes = np.bincount(labels)
    members = np.split(np.argsort(labels, kind="stable"), np.cumsum(sizes)[:-1]) if len(labels) else []
    n = len(labels)
    gains = _Gains(value.copy(), np.full(n, -1), np.full(n, -1.0), np.zeros(n, dtype=np.bool_))
    for rows in members:
        _rank(vectors, success, value, age, rows, gains)
    places = _places(labels, sizes, gains, capacity)
    stays = np.ones(n, dtype=np.bool_)
    keeper = np.empty(len(sizes), dtype=np.int64)
    for kind, rows in enumerate(members):
        keeper[kind] = rows[np.lexsort((age[rows], -gains.gain[rows], ~success[rows]))[0]]
        stays[_leave(rows, keeper[kind], gains, value, age, int(places[kind]))] = False
    goes = np.flatnonzero(~stays)
    goes = goes[np.lexsort((-age[goes], value[goes], gains.gain[goes]))]
    held = max(0, len(sizes) - capacity) if n > capacity else 0
    return Decision(
        goes=goes, kinds=labels, keeper=keeper, worth=value, twin=_twins(vectors, gains.beside, stays), held=held
    )


def quota(variety: Floats, least: Labels, most: Labels, capacity: int) -> Labels:
    """How many of each kind stay: by the square root of its variety, within bounds.

    Between equal shares, which are best for the rare kinds, and proportional ones, which are best for the common: the
    allocation that finds things fastest when they are asked for as often as they are there (Cohen and Shenker,
    Replication strategies in unstructured peer-to-peer networks, SIGCOMM 2002).

    Args:
        variety: how much there is in each kind, a copy counting for nothing, above 0, shape (k,).
        least: how many of each must stay, shape (k,).
        most: how many of each may stay, shape (k,).
        capacity: places for all kinds together.

    Returns:
        Numbers that sum to `capacity`, or as near to it as the bounds allow; shape (k,).
    """
    import numpy as np

    total = int(np.clip(capacity, least.sum(), most.sum()))
    roots = np.sqrt(np.maximum(variety, 1e-3))
    low, high = 0.0, float((most / roots).max(initial=0.0))  # at `high` every kind has all its places
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.clip(middle * roots, least, most).sum() <= total else (low, middle)
    exact = np.clip(low * roots, least, most)
    whole = np.floor(exact + 1e-9).astype(np.int64)
    # The places lost by rounding down go to those that lost most of one.
    while (left := total - int(whole.sum())) > 0:
        free = np.flatnonzero(whole < most)
        whole[free[np.argsort(whole[free] - exact[free], kind="stable")[:left]]] += 1
    return whole


def _places(labels: Labels, sizes: Labels, gains: _Gains, capacity: int) -> Labels:
    """Places of each kind. Those that are no copies come first, whatever their kind."""
    import numpy as np

    variety = np.bincount(labels, weights=np.clip(1.0 - gains.cosine, 0.0, 1.0)).astype(np.float64)
    distinct = np.bincount(labels[gains.cosine < COPY], minlength=len(sizes))
    if distinct.sum() < capacity:
        return quota(variety, distinct, sizes, capacity)
    return quota(variety, np.ones_like(sizes), distinct, capacity)


def _twins(vectors: Vector, beside: Labels, stays: Flags) -> Labels:
    """For each row the kept one that it is nearly the same as, or -1."""
    import numpy as np

    twin = beside.copy()
    while len(lost := np.flatnonzero((twin >= 0) & ~stays[twin])):
        twin[lost] = beside[twin[lost]]  # what that one was beside: ends, because it was ranked before
    found = np.flatnonzero(twin >= 0)
    far = np.vecdot(vectors[found], vectors[twin[found]]) < COPY
    twin[found[far]] = -1
    return twin


def _leave(rows: Labels, keeper: int, gains: _Gains, value: Floats, age: Labels, places: int) -> Labels:
    """The rows of one kind that find no place."""
    import numpy as np

    if places >= len(rows):
        return rows[:0]
    ranked = rows[np.lexsort((age[rows], -value[rows], -gains.gain[rows], rows != keeper))]
    covered = gains.covered[ranked]
    # Failures beyond their share come after everything else, and fill what is left.
    beyond = covered & (np.cumsum(covered) > int(places * FAILURE_SHARE))
    return ranked[np.argsort(beyond, kind="stable")][places:]


def _rank(vectors: Vector, success: Flags, value: Floats, age: Labels, rows: Labels, gains: _Gains) -> None:
    """Fill in what each row of one kind adds to those ranked before it."""
    if len(rows) == 1:  # alone of its kind: all that it is worth
        return
    for part in cells(vectors[rows], _CELL):
        _rank_cell(vectors, success, value, age, rows[part], gains)


def _rank_cell(vectors: Vector, success: Flags, value: Floats, age: Labels, rows: Labels, gains: _Gains) -> None:
    """Greedy facility location (Nemhauser, Wolsey and Fisher 1978), weighted by worth: next comes the one that brings
    the cases of its neighbourhood nearest to a kept one, copies of what is there already last.

    Gains only fall as more are ranked, so cutting the order anywhere gives the best of the greedy choice for that
    number of places. A success looks to successes alone: a failure must not push out what mends it.
    """
    import numpy as np

    rows = rows[np.lexsort((age[rows], -value[rows]))]  # of equals the first is taken
    cosines = np.round(vectors[rows] @ vectors[rows].T, _DIGITS).astype(np.float64)
    near, worths, mine = np.clip(cosines, 0.0, 1.0), value[rows], success[rows]
    # How near each case is to what was ranked before: to any of it, as failures see it, and to successes.
    any_, good = np.zeros(len(rows)), np.zeros(len(rows))
    adds = np.repeat(near.sum(axis=1)[None], 2, axis=0)  # what each would add, by the two views
    nearest, beside = np.full(len(rows), -1.0), np.full(len(rows), -1, dtype=np.int64)
    left = np.ones(len(rows), dtype=np.bool_)
    for _ in range(len(rows)):
        live = np.where(left, worths * np.maximum(np.where(mine, adds[1], adds[0]), _SAME), -1.0)
        i = int(live.argmax())
        gains.gain[rows[i]], gains.cosine[rows[i]] = np.round(live[i], _DIGITS), nearest[i]
        left[i] = False
        for view, best in enumerate((any_, good) if mine[i] else (any_,)):
            closer = np.flatnonzero(near[i] > best)
            part = near[:, closer]
            adds[view] -= (np.maximum(part - best[closer], 0) - np.maximum(part - near[i, closer], 0)).sum(axis=1)
            best[closer] = near[i, closer]
        nearer = np.flatnonzero((cosines[i] > nearest) & left & (mine[i] | ~mine))
        nearest[nearer], beside[nearer] = cosines[i, nearer], i
    gains.beside[rows] = np.where(beside >= 0, rows[beside], -1)
    gains.covered[rows] = ~mine & (cosines[:, mine].max(axis=1, initial=-1.0) >= NEXT_TO)
