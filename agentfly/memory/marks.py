"""Marks of what a memory held, and the way back to one: nothing is deleted, and other people's cases stay."""

from __future__ import annotations

from dataclasses import dataclass

from agentfly.memory.status import change
from agentfly.store.database import Database
from agentfly.types import CaseStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryMark:
    """A moment in the life of a memory."""

    case: int
    """Number of the newest case."""
    event: int
    """Number of the newest line about a case's status."""
    judged: int
    """How far the record of judged recalls went."""


def mark(db: Database) -> MemoryMark:
    """The present moment."""
    row = db.read(
        """SELECT (SELECT coalesce(max(seq), 0) FROM cases), (SELECT coalesce(max(id), 0) FROM case_events),
                  (SELECT coalesce(max(judged), 0) FROM recalls)"""
    )[0]
    return MemoryMark(case=row[0], event=row[1], judged=row[2])


def back_to(db: Database, moment: MemoryMark, runs: str, reason: str) -> int:
    """Undo what some runs have done to a memory since a mark, in one transaction.

    Their cases leave recall as pruned, cases that gave way to those come back, and what the runs earned is taken out of the
    record that policies learn from. Learn the policies anew after this.

    Args:
        db: the home's database.
        moment: where to go back to.
        runs: what the ids of these runs begin with.
        reason: for the record.

    Returns:
        How many cases changed their status.
    """
    pattern = runs.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    with db.write() as tx:
        new = [
            row[0]
            for row in tx.read(
                """SELECT id FROM cases WHERE seq > ? AND status IN ('active', 'quarantined')
                   AND json_extract(provenance, '$.run') LIKE ? ESCAPE '\\'""",
                (moment.case, pattern),
            )
        ]
        displaced = tx.read(
            """SELECT case_id, action FROM case_events JOIN cases ON cases.id = case_id
               WHERE case_events.id > ? AND seq <= ? AND run_id LIKE ? ESCAPE '\\'
               AND action IN ('superseded', 'pruned', 'confirmed') GROUP BY case_id HAVING case_events.id = min(case_events.id)""",
            (moment.event, moment.case, pattern),
        )
        changed = sum(change(tx, case, "pruned", reason=reason) for case in new)
        for case, action in displaced:
            before: CaseStatus = "quarantined" if action == "confirmed" else "active"
            changed += change(tx, case, before, reason=reason)
        late = "SELECT id FROM recalls WHERE judged > :judged AND run_id LIKE :runs ESCAPE '\\'"
        told = {"judged": moment.judged, "runs": pattern}
        tx.execute(
            f"""UPDATE cases SET helped = helped - earned FROM (
                    SELECT case_id, sum(coalesce(reward, 0)) AS earned FROM interactions WHERE recall_id IN ({late})
                    GROUP BY case_id
                ) WHERE id = case_id""",
            told,
        )
        tx.execute(f"UPDATE interactions SET reward = NULL WHERE recall_id IN ({late})", told)
        tx.execute(f"UPDATE recalls SET judged = NULL WHERE id IN ({late})", told)
    return changed
