"""Marks of what a memory held, and the way back to one: nothing is deleted, and other people's cases stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from agentfly.memory.selection import checkpoint, record
from agentfly.memory.status import change
from agentfly.protocols import LearningPolicy, Policy
from agentfly.store.database import Database, Transaction
from agentfly.types import CaseStatus

_LEFT = "('superseded', 'pruned', 'quarantined', 'confirmed', 'restored')"
"""What changes a status; the other events do not."""
_AFTER: Mapping[str, CaseStatus] = {"confirmed": "active", "restored": "active"}
"""The status that an event leaves, where it is not called the same."""
_BEFORE: Mapping[str, CaseStatus] = {"confirmed": "quarantined", "restored": "pruned"}
"""The status that there must have been, where no event says so."""


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
    """Undo what some runs have done to a memory since a mark, in one transaction. Done again, it changes nothing.

    Their cases leave recall as pruned, older cases get the status back that they had, unless somebody else has changed it
    since, and what the runs earned is taken out of the record that policies learn from. Learn the policies anew after this.
    The verdict and the lesson of an older case that a run met again stay the later ones.

    Args:
        db: the home's database.
        moment: where to go back to.
        runs: what the ids of these runs begin with.
        reason: for the record.

    Returns:
        How many cases changed their status.
    """
    told = {**_span(moment), "runs": _prefix(runs)}
    with db.write() as tx:
        earlier = _displaced(tx, told)  # before the new ones leave: that is an event as well
        new = tx.read(
            """SELECT id FROM cases WHERE seq > :case AND status IN ('active', 'quarantined')
               AND json_extract(provenance, '$.run') LIKE :runs ESCAPE '\\' ORDER BY seq""",
            told,
        )
        changed = sum(change(tx, row["id"], "pruned", reason=reason) for row in new)
        for case, status, other in earlier:
            changed += change(tx, case, status, other=other, reason=reason)
        _take_back(tx, told)
    return changed


def unsee(db: Database, run: str, since: float | None = None) -> int:
    """Forget what a run was shown by work that was cut off and is done again: it is shown, and recorded, once more.

    Args:
        db: the home's database.
        run: its id; what further attempts of it saw goes with it.
        since: seconds since the epoch, before which the work was finished; None where none was.

    Returns:
        How many recalls were forgotten.
    """
    told = {"run": run, "further": _prefix(f"{run}/"), "since": since or 0.0}
    cut = """SELECT id FROM recalls WHERE (run_id = :run OR run_id LIKE :further ESCAPE '\\')
             AND judged IS NULL AND created > :since"""
    if not db.read(f"{cut} LIMIT 1", told):
        return 0
    with db.write() as tx:
        tx.execute(
            f"""UPDATE cases SET shown = shown - times FROM (
                    SELECT case_id, count(*) AS times FROM interactions WHERE recall_id IN ({cut}) GROUP BY case_id
                ) WHERE id = case_id""",
            told,
        )
        tx.execute(f"DELETE FROM interactions WHERE recall_id IN ({cut})", told)
        return tx.execute(f"DELETE FROM recalls WHERE id IN ({cut})", told).rowcount


def keep_policy(db: Database, policy: Policy, embedder: str, since: int) -> bool:
    """Save what a policy has learned, so that whoever goes on from here knows exactly what this process does.

    To be called where it has read the whole record: what is learned in one go differs a little from what is learned one by
    one.

    Args:
        db: the home's database.
        policy: in force.
        embedder: name of the embedder in use.
        since: how far the record went when the policy was last saved by this; where it goes no further, nothing is.
    """
    latest = record.latest(db)
    if latest <= since or not isinstance(policy, LearningPolicy):
        return False
    base = checkpoint.marks(db, policy.name).version
    saved = checkpoint.save(db, policy.name, policy.dump(), judged=latest, embedder=embedder, base=base)
    return saved is not None


def _span(moment: MemoryMark) -> dict[str, Any]:
    return {"case": moment.case, "event": moment.event, "judged": moment.judged}


def _prefix(text: str) -> str:
    """A pattern of LIKE for what begins with a text."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def _displaced(tx: Transaction, told: Mapping[str, Any]) -> list[tuple[str, CaseStatus, str | None]]:
    """Older cases that the runs have given another status, the last to do so: the one that they had, and for whom."""
    # What is pruned for capacity, and what is merged into a case of theirs, names no run.
    theirs = """(run_id LIKE :runs ESCAPE '\\' OR (run_id = '' AND action = 'pruned' AND reason LIKE 'over capacity%')
                 OR (run_id = '' AND action = 'superseded' AND other IN (
                     SELECT id FROM cases WHERE seq > :case AND json_extract(provenance, '$.run') LIKE :runs ESCAPE '\\')))"""
    last = tx.read(
        f"""SELECT case_id, max(e.id), {theirs} AS theirs FROM case_events e JOIN cases ON cases.id = case_id
            WHERE e.id > :event AND seq <= :case AND action IN {_LEFT} GROUP BY case_id ORDER BY seq""",
        told,
    )
    found = list[tuple[str, CaseStatus, str | None]]()
    for row in last:
        if row["theirs"]:
            before, first = (_event(tx, row["case_id"], told, which) for which in ("e.id <= :event", "e.id > :event"))
            if before is not None:
                status = _AFTER.get(before[0]) or cast(CaseStatus, before[0])
                found.append((row["case_id"], status, before[1] if status == "superseded" else None))
            elif first is not None:
                found.append((row["case_id"], _BEFORE.get(first[0], "active"), None))
    return found


def _event(tx: Transaction, case: str, told: Mapping[str, Any], which: str) -> tuple[str, str | None] | None:
    """The last change of a status up to the mark, or the first one after it."""
    order = "DESC" if "<=" in which else "ASC"
    rows = tx.read(
        f"""SELECT action, other FROM case_events e WHERE case_id = :of AND {which} AND action IN {_LEFT}
            ORDER BY e.id {order} LIMIT 1""",
        {**told, "of": case},
    )
    return (rows[0]["action"], rows[0]["other"]) if rows else None


def _take_back(tx: Transaction, told: Mapping[str, Any]) -> None:
    """Take what the runs earned since the mark out of the record that policies learn from."""
    late = "SELECT id FROM recalls WHERE judged > :judged AND run_id LIKE :runs ESCAPE '\\'"
    tx.execute(
        f"""UPDATE cases SET helped = helped - earned FROM (
                SELECT case_id, sum(coalesce(reward, 0)) AS earned FROM interactions WHERE recall_id IN ({late})
                GROUP BY case_id
            ) WHERE id = case_id""",
        told,
    )
    tx.execute(f"UPDATE interactions SET reward = NULL WHERE recall_id IN ({late})", told)
    tx.execute(f"UPDATE recalls SET judged = NULL WHERE id IN ({late})", told)
