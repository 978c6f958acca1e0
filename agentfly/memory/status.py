"""Changes of a case's status: nothing leaves recall, or comes back, without a line in the record."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from agentfly.errors import InputError
from agentfly.memory.rows import STATUSES
from agentfly.store.database import Database, Transaction
from agentfly.types import CaseStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseEvent:
    """One thing that happened to a case."""

    created: float
    """Seconds since the epoch."""
    action: str
    """``superseded``, ``merged``, ``pruned``, ``quarantined``, ``confirmed`` or ``restored``."""
    other: str | None = None
    """Id of the case that it gave way to; in ``merged``, of the one that this case stands for as well."""
    run: str = ""
    reason: str = ""


def change_status(
    db: Database, ids: Sequence[str], status: CaseStatus, *, other: str | None = None, reason: str = "", run: str = ""
) -> int:
    """Change the status of cases in one transaction, each with its event.

    Returns:
        How many had another status before; only these change and are recorded.

    Raises:
        InputError: no such status.
    """
    if status not in STATUSES:
        raise InputError(f"unknown status {status!r}; known: {', '.join(STATUSES)}")
    with db.write() as tx:
        return sum(change(tx, id, status, other=other, reason=reason, run=run) for id in ids)


def change(
    tx: Transaction,
    id: str,
    status: CaseStatus,
    *,
    other: str | None = None,
    reason: str = "",
    run: str = "",
    action: str = "",
) -> bool:
    """Change one status within a transaction; whether it was another one before.

    Args:
        tx: the transaction.
        id: of the case.
        status: the new one.
        other: id of the case that takes its place.
        reason: why.
        run: id of the run that caused it.
        action: what the record calls it; by default the new status, or ``restored``.
    """
    now = time.time()
    changed = tx.execute(
        "UPDATE cases SET status = ?, superseded_by = ?, updated = ? WHERE id = ? AND status <> ?",
        (status, other, now, id, status),
    ).rowcount
    if changed:
        record(tx, id, action or ("restored" if status == "active" else status), other=other, reason=reason, run=run)
    return bool(changed)


def record(tx: Transaction, id: str, action: str, *, other: str | None = None, reason: str = "", run: str = "") -> None:
    """Write an event down."""
    tx.execute(
        "INSERT INTO case_events (created, case_id, action, other, run_id, reason) VALUES (?, ?, ?, ?, ?, ?)",
        (time.time(), id, action, other, run, reason),
    )


def events_of(db: Database, id: str) -> list[CaseEvent]:
    """The events of a case, oldest first."""
    rows = db.read(
        "SELECT created, action, other, run_id, reason FROM case_events WHERE case_id = ? ORDER BY id", (id,)
    )
    return [
        CaseEvent(created=row[0], action=row[1], other=row[2], run=row[3], reason=row[4]) for row in rows
    ]  # fmt: skip
