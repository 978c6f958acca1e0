"""Writing cases: one transaction for all of them, and a case that is there already stays one case."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from agentfly.memory.rows import COLUMNS, case_of, content_hash, values
from agentfly.store.database import Database, Transaction
from agentfly.types import Case

if TYPE_CHECKING:
    from agentfly.protocols import Vector


def known(db: Database, hashes: Sequence[str]) -> set[str]:
    """Which of these content hashes are stored."""
    rows = db.read("SELECT hash FROM cases WHERE hash IN (SELECT value FROM json_each(?))", (json.dumps(list(hashes)),))
    return {row["hash"] for row in rows}


def write(db: Database, cases: Sequence[Case], vectors: Sequence[Vector | None], embedder: str) -> list[Case]:
    """Store checked cases, durably before this returns; all of them or none.

    Args:
        db: the home's database.
        cases: what to store.
        vectors: their embeddings; None only for cases that are stored already.
        embedder: who made the embeddings.

    Returns:
        The stored cases, in order: for an exact duplicate the one that was there, with its counts.
    """
    now = time.time()
    with db.write() as tx:
        return [_put(tx, case, vector, embedder, now) for case, vector in zip(cases, vectors, strict=True)]


def _put(tx: Transaction, case: Case, vector: Vector | None, embedder: str, now: float) -> Case:
    digest = content_hash(case)
    rows = tx.read(f"SELECT {COLUMNS} FROM cases WHERE hash = ?", (digest,))
    if rows:
        return _meet(tx, case_of(rows[0]), case, now)
    assert vector is not None  # nothing is ever deleted: what was known before still is
    stored = replace(case, id=_free_id(tx, case, digest), created=case.created or now)
    tx.execute(
        """INSERT INTO cases (id, hash, status, question, solution, answer, reward, lesson, task_id, domain, tags,
                              provenance, shown, helped, created, updated, embedder, embedding)
           VALUES (:id, :hash, :status, :question, :solution, :answer, :reward, :lesson, :task_id, :domain, :tags,
                   :provenance, :shown, :helped, :created, :updated, :embedder, :embedding)""",
        {
            **values(stored),
            "hash": digest,
            "updated": now,
            "embedder": embedder,
            "embedding": vector.astype("<f4").tobytes(),
        },
    )
    return stored


def _meet(tx: Transaction, old: Case, new: Case, now: float) -> Case:
    """An exact duplicate: the later verdict and lesson count, the counters stay, and a pruned case comes back."""
    later = not new.created or new.created >= old.created
    met = replace(
        old,
        reward=new.reward if later else old.reward,
        lesson=(new.lesson if later and new.lesson else old.lesson),
        status="active" if old.status == "pruned" and new.status == "active" else old.status,
    )
    if met != old:
        tx.execute(
            "UPDATE cases SET reward = ?, lesson = ?, status = ?, updated = ? WHERE id = ?",
            (met.reward, met.lesson, met.status, now, met.id),
        )
    return met


def _free_id(tx: Transaction, case: Case, digest: str) -> str:
    """The case's own id where it brings one that is free, else one made of its content: the same in every home."""
    return next(id for id in _ids(case, digest) if not _taken(tx, id))


def _ids(case: Case, digest: str) -> Iterator[str]:
    if case.id:
        yield case.id
    yield from (f"case-{digest[:length]}" for length in (16, 32, 64))


def _taken(tx: Transaction, id: str) -> list[sqlite3.Row]:
    return tx.read("SELECT 1 FROM cases WHERE id = ?", (id,))
