"""Retention: a bank that is over its capacity sets its least useful cases aside; none is deleted, each can come back.

Here is the shell: it takes a snapshot, has `keeping.decide` decide on it, and carries that out in one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentfly.errors import HomeBusyError, InputError
from agentfly.memory.counting import at_most
from agentfly.memory.snapshot import Snapshot, snapshot
from agentfly.memory.status import change
from agentfly.store.database import Database, Transaction

if TYPE_CHECKING:
    from agentfly.memory.keeping import Decision

SLACK = 0.05
"""Share of the capacity that is freed at once, so that not every added case costs a clustering."""

_STUCK = "retention_stuck"  # key in `meta`: what a pruning could not get under


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """A case that goes."""

    id: str
    question: str
    reason: str
    kind: int
    """Number of its kind of tasks; kinds are numbered from 0 in the order of their oldest cases."""
    worth: float
    """In (0, 1), see `agentfly.memory.worth`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """What pruning did or, in a dry run, would do."""

    capacity: int
    before: int
    """Active cases before it."""
    after: int
    """Active cases after it."""
    kinds: int
    """How many kinds of tasks the active cases are of; 0 where there was room for all, so that none were told apart."""
    held: int
    """How many stay beyond the capacity because each is the last of its kind."""
    goes: tuple[Pruned, ...]
    """The cases that go, least worth keeping first."""
    dry_run: bool


def prune(db: Database, capacity: int, dimensions: int, *, dry_run: bool = False) -> Pruning:
    """Set the least useful active cases aside until at most `capacity` are left.

    The last case of a kind of tasks stays, and its last success, even where that is more than the capacity.

    Args:
        db: the home's database.
        capacity: how many may stay active.
        dimensions: d of the embeddings.
        dry_run: only say what would go.

    Raises:
        InputError: the capacity is not positive.
    """
    _check(capacity)
    before = at_most(db, capacity)
    if before <= capacity:
        before = _active(db)
        return Pruning(capacity=capacity, before=before, after=before, kinds=0, held=0, goes=(), dry_run=dry_run)
    return _prune(db, capacity, capacity, dimensions, dry_run=dry_run)


def keep_to(db: Database, capacity: int, dimensions: int) -> Pruning | None:
    """Prune where more than `capacity` cases are active, to somewhat less; to be called after each write.

    Where too many cases are the last of their kind, it tries again only when a twentieth more have come. A home that is
    busy is left for the next time.

    Returns:
        What was pruned; None where nothing had to be.

    Raises:
        InputError: the capacity is not positive.
    """
    _check(capacity)
    limit = _limit(db, capacity)
    active = at_most(db, limit)
    try:
        if active > limit:
            return _prune(db, capacity, capacity - int(capacity * SLACK), dimensions, dry_run=False)
        if active <= capacity < limit:
            with db.write() as tx:
                tx.execute("DELETE FROM meta WHERE key = ?", (_STUCK,))
    except HomeBusyError:
        pass  # what was to be stored is stored; the next write will see to the capacity
    return None


def _check(capacity: int) -> None:
    if capacity < 1:
        raise InputError(f"the capacity must be at least 1, not {capacity}")


def _prune(db: Database, capacity: int, target: int, dimensions: int, *, dry_run: bool) -> Pruning:
    from agentfly.memory.keeping import decide

    held = snapshot(db, dimensions)
    decision = decide(held.vectors, held.facts, held.age, target)
    rows = decision.goes.tolist()
    before = len(held.ids)
    if not dry_run:
        with db.write() as tx:
            before = _active(tx)
            rows = _still(tx, held, decision, before - target if before > capacity else 0)
            for row in rows:
                change(tx, held.ids[row], "pruned", reason=_reason(held, decision, row))
            _remember(tx, capacity, before - len(rows) if decision.held else 0)
    after = before - len(rows)
    return Pruning(
        capacity=capacity,
        before=before,
        after=after,
        kinds=len(decision.keeper),
        held=max(0, after - capacity) if decision.held else 0,
        goes=_described(db, held, decision, rows),
        dry_run=dry_run,
    )


def _still(tx: Transaction, held: Snapshot, decision: Decision, most: int) -> list[int]:
    """The rows of the decision that may still go, at most so many: others may have written since the snapshot."""
    rows: list[int] = decision.goes.tolist()
    if tx.read("SELECT value FROM case_revision")[0][0] == held.revision:
        return rows[: max(0, most)]
    asked = json.dumps([held.ids[row] for row in {*rows, *decision.keeper.tolist()}])
    now = dict(
        map(
            tuple,
            tx.read(
                """SELECT id, reward >= 0.5 FROM cases
                   WHERE status = 'active' AND id IN (SELECT value FROM json_each(?))""",
                (asked,),
            ),
        )
    )
    success = held.facts.success

    def same(row: int) -> bool:
        return now.get(held.ids[row]) == int(success[row])

    # Where the one that was to stay has gone, or failed by a later verdict, its kind is left alone.
    rows = [row for row in rows if same(row) and same(int(decision.keeper[decision.kinds[row]]))]
    return rows[: max(0, most)]


def _reason(held: Snapshot, decision: Decision, row: int) -> str:
    twin = int(decision.twin[row])
    if twin >= 0:
        return f"over capacity: nearly the same as {held.ids[twin]}, which stays"
    judged, helped = held.facts.judged[row], held.facts.helped[row]
    if judged >= 2 and helped < judged / 2:
        return f"over capacity: shown {judged:.0f} times, it earned {helped:.1f}"
    if held.facts.reward[row] < 0.5:
        return "over capacity: a failure, and what stays of its kind says more"
    return "over capacity: what stays of its kind covers it"


def _described(db: Database, held: Snapshot, decision: Decision, rows: Sequence[int]) -> tuple[Pruned, ...]:
    ids = [held.ids[row] for row in rows]
    questions = dict(
        map(
            tuple,
            db.read("SELECT id, question FROM cases WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(ids),)),
        )
    )
    return tuple(
        Pruned(
            id=id,
            question=questions[id],
            reason=_reason(held, decision, row),
            kind=int(decision.kinds[row]),
            worth=float(decision.worth[row]),
        )
        for id, row in zip(ids, rows, strict=True)
    )


def _active(db: Database | Transaction) -> int:
    return int(db.read("SELECT count(*) FROM cases WHERE status = 'active'")[0][0])


def _step(active: int) -> int:
    """How many more cases make another try worth its time."""
    return max(1, int(active * SLACK))


def _remember(tx: Transaction, capacity: int, after: int) -> None:
    """Note a pruning that could hardly free a place, so that it is not tried again at once."""
    if after > capacity - _step(capacity) // 2:
        note = json.dumps({"capacity": capacity, "active": after})
        tx.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_STUCK, note))
    else:
        tx.execute("DELETE FROM meta WHERE key = ?", (_STUCK,))


def _limit(db: Database, capacity: int) -> int:
    """Number of active cases above which a pruning is due."""
    rows = db.read("SELECT value FROM meta WHERE key = ?", (_STUCK,))
    note = json.loads(rows[0][0]) if rows else {}
    if note.get("capacity") != capacity:
        return capacity
    return max(capacity, int(note["active"]) + _step(int(note["active"])) - 1)
