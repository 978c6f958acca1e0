"""Writing cases: one transaction for all of them, and a case that is there already stays one case."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from agentfly.memory.merging import absorb, counted, fill, fill_task, gist, heard, plain, take_in, twin, update
from agentfly.memory.rows import COLUMNS, case_of, content_hash, values
from agentfly.memory.status import change, record
from agentfly.store.database import Database, Transaction
from agentfly.types import TRUSTED, Case

if TYPE_CHECKING:
    from agentfly.protocols import Vector


def known(db: Database, hashes: Sequence[str]) -> set[str]:
    """Which of these content hashes are stored."""
    rows = db.read("SELECT hash FROM cases WHERE hash IN (SELECT value FROM json_each(?))", (json.dumps(list(hashes)),))
    return {row["hash"] for row in rows}


def write(
    db: Database, cases: Sequence[Case], vectors: Sequence[Vector | None], embedder: str, *, merge: bool = False
) -> list[Case]:
    """Store checked cases, durably before this returns; all of them or none.

    A success takes the place of the failures of its task that came before it; one that a trusted source judged brings the
    quarantined cases that gave the same answer to that task into recall.

    Args:
        db: the home's database.
        cases: what to store.
        vectors: their embeddings; None only for cases that are stored already.
        embedder: who made the embeddings.
        merge: whether near-identical cases become one, see `agentfly.memory.merging`.

    Returns:
        The stored cases, in order: for a duplicate the one that was there, with its counts.
    """
    if merge:
        fill(db)
    now = time.time()
    with db.write() as tx:
        return [_put(tx, case, vector, embedder, now, merge=merge) for case, vector in zip(cases, vectors, strict=True)]


def _put(tx: Transaction, case: Case, vector: Vector | None, embedder: str, now: float, *, merge: bool) -> Case:
    digest = content_hash(case)
    key = gist(case)
    rows = tx.read(f"SELECT {COLUMNS} FROM cases WHERE hash = ?", (digest,))
    old = case_of(rows[0]) if rows else None
    near = None
    if merge and (old is None or old.status == "superseded") and case.status in ("active", "quarantined"):
        fill_task(tx, case.task_id)
        near = twin(tx, case, key, case.status)
    if near is not None:
        stored = take_in(tx, near, case, case.id or _content_id(digest), "near-identical")
    elif old is not None:
        stored = _meet(tx, old, case, merge=merge)
        if merge and stored != old:  # another verdict or status may have made it the twin of another case
            stored = _unite(tx, stored, key)
    else:
        assert vector is not None  # nothing is ever deleted: what was known before still is
        stored = insert(tx, case, digest, key, vector, embedder, now)
    if case.status == "active" and case.success and stored.status == "active" and stored.success:
        stored = _settle(tx, stored, case, key, merge=merge)
    return stored


def insert(
    tx: Transaction, case: Case, digest: str, key: str | None, vector: Vector, embedder: str, now: float
) -> Case:
    """Store a case as it is, without a look at the others; `key` is its gist, None where it is to be filled in later."""
    stored = replace(case, id=_free_id(tx, case, digest), created=case.created or now)
    tx.execute(
        """INSERT INTO cases (id, hash, gist, status, question, solution, answer, reward, lesson, task_id, domain, tags,
                              provenance, shown, helped, seen, created, updated, embedder, embedding)
           VALUES (:id, :hash, :gist, :status, :question, :solution, :answer, :reward, :lesson, :task_id, :domain, :tags,
                   :provenance, :shown, :helped, :seen, :created, :updated, :embedder, :embedding)""",
        {
            **values(stored),
            "hash": digest,
            "gist": key,
            "updated": now,
            "embedder": embedder,
            "embedding": vector.astype("<f4").tobytes(),
        },
    )
    if stored.status == "quarantined":
        why = "content from outside was read" if stored.provenance.untrusted else "not yet confirmed"
        record(tx, stored.id, "quarantined", run=stored.provenance.run, reason=why)
    return stored


def _meet(tx: Transaction, old: Case, new: Case, *, merge: bool) -> Case:
    """An exact duplicate: the later verdict and lesson count, and its status may come back.

    What is quarantined has no say about a case that is not. Where runs are counted, another run that came to the same
    case is one more that it stands for.
    """
    if new.status == "quarantined" and old.status != "quarantined":
        return old
    run = new.provenance.run
    again = bool(run) and run != old.provenance.run and not counted(tx, old.id, run, old.id)
    met, why = heard(old, new), ""
    if new.status == "active":
        why = _comes_back(old, met, again=again)
    if old.status == "quarantined" and why:
        met = replace(met, lesson=new.lesson)  # the old lesson may rest on what was read outside
    if merge and again:
        met = replace(met, seen=old.seen + 1)
        record(tx, old.id, "merged", other=old.id, run=run, reason="the same again")
    update(tx, old, met)
    if why:
        action = "confirmed" if old.status == "quarantined" else ""
        change(tx, old.id, "active", action=action, run=run, reason=why)
        met = replace(met, status="active")
    return met


def _comes_back(old: Case, met: Case, *, again: bool) -> str:
    """Why a stored case is to be recalled once more, now that it was added again; empty where it is not."""
    if old.status == "pruned":
        return "added again"
    if old.status == "quarantined" and met.success:
        return "found again without content from outside, or judged by a trusted source"
    if old.status == "superseded" and met.success and not old.success:
        return "a later verdict calls it right"
    if old.status == "superseded" and not met.success and not old.success and again:
        return "another run failed in the same way"
    return ""


def _settle(tx: Transaction, stored: Case, new: Case, key: str, *, merge: bool) -> Case:
    """What follows from a success: earlier failures of its task make room, and quarantined twins are confirmed."""
    _supersede_failures(tx, stored.id, new)
    if new.provenance.feedback not in TRUSTED:
        return stored
    waiting = twin(tx, new, key, "quarantined") if merge else None
    if waiting is not None and waiting.id != stored.id:  # of the two texts the one that is above suspicion stays
        counts = Case(
            question=waiting.question, id=waiting.id, shown=waiting.shown, helped=waiting.helped, seen=waiting.seen
        )
        stored = absorb(
            tx, stored, replace(counts, reward=stored.reward, created=stored.created), "found again, confirmed"
        )
    for case in _same_answer(tx, new):
        _confirm(tx, case, new.provenance.feedback, new.provenance.run)
        if merge:
            _unite(tx, replace(case, status="active"), gist(case))
    return case_of(tx.read(f"SELECT {COLUMNS} FROM cases WHERE id = ?", (stored.id,))[0])


def _same_answer(tx: Transaction, new: Case) -> list[Case]:
    """The quarantined successes that gave the same answer to the same task."""
    if not new.task_id or new.answer is None:
        return []
    waiting = _quarantined(tx, "task_id = ?", new.task_id)
    return [case for case in waiting if case.answer is not None and plain(case.answer) == plain(new.answer)]


def _unite(tx: Transaction, stored: Case, key: str) -> Case:
    """A stored case, or the active one near-identical to it that now stands for both."""
    near = twin(tx, stored, key, "active") if stored.status == "active" else None
    return stored if near is None else absorb(tx, near, stored, "became near-identical")


def _supersede_failures(tx: Transaction, by: str, success: Case) -> None:
    if not success.task_id:
        return
    rows = tx.read(
        """SELECT id FROM cases INDEXED BY cases_failed
           WHERE task_id = ? AND status = 'active' AND reward < 0.5 AND +created <= ?""",
        (success.task_id, success.created or math.inf),
    )
    for row in rows:
        change(tx, row["id"], "superseded", other=by, run=success.provenance.run, reason="the task was solved later")


def confirm(db: Database, run: str, feedback: str) -> int:
    """Take the quarantined successes of a run into recall, with all that follows from a success.

    Args:
        db: the home's database.
        run: id of the run that they came from.
        feedback: who confirms them.

    Returns:
        How many there were.
    """
    with db.write() as tx:
        waiting = _quarantined(tx, "provenance ->> 'run' = ?", run)
        for case in waiting:
            _confirm(tx, case, feedback, run)
    return len(waiting)


def _quarantined(tx: Transaction, condition: str, value: str) -> list[Case]:
    """The quarantined successes that fulfil a condition."""
    sql = f"""SELECT {COLUMNS} FROM cases INDEXED BY cases_quarantined
              WHERE status = 'quarantined' AND reward >= 0.5 AND {condition} ORDER BY seq"""
    return [case_of(row) for row in tx.read(sql, (value,))]


def _confirm(tx: Transaction, case: Case, feedback: str, run: str) -> None:
    update(tx, case, replace(case, provenance=replace(case.provenance, feedback=feedback)))
    change(tx, case.id, "active", action="confirmed", run=run, reason=f"confirmed by {feedback}")
    _supersede_failures(tx, case.id, case)


def _free_id(tx: Transaction, case: Case, digest: str) -> str:
    """The case's own id where it brings one that is free, else one made of its content: the same in every home."""
    return next(id for id in _ids(case, digest) if not tx.read("SELECT 1 FROM cases WHERE id = ?", (id,)))


def _ids(case: Case, digest: str) -> Iterator[str]:
    if case.id:
        yield case.id
    yield from (_content_id(digest, length) for length in (16, 32, 64))


def _content_id(digest: str, length: int = 16) -> str:
    return f"case-{digest[:length]}"
