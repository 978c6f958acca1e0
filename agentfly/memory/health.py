"""Checking what a bank holds, and mending what can be mended."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentfly.memory.index import ChromaIndex, IndexState
from agentfly.memory.rows import COLUMNS, case_of, content_hash
from agentfly.protocols import Embedder
from agentfly.store.database import Database
from agentfly.types import Case

_BATCH = 256  # questions embedded at a time
_ROWS = 4096  # cases read at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a check found."""

    cases: int
    problems: tuple[str, ...]
    """What is wrong with the truth, one line each; empty when all is well."""
    index: IndexState
    """The index; its `problem` says why it cannot be used. It can always be rebuilt, so this is no loss."""

    @property
    def ok(self) -> bool:
        return not self.problems and not self.index.problem


def load(db: Database, seqs: Sequence[int]) -> list[Case]:
    """Cases in the order of their sequence numbers as given."""
    rows = db.read(
        f"SELECT seq, {COLUMNS} FROM cases WHERE seq IN (SELECT value FROM json_each(?))", (json.dumps(list(seqs)),)
    )
    place = {seq: i for i, seq in enumerate(seqs)}
    return [case_of(row) for row in sorted(rows, key=lambda row: place[row["seq"]])]


def embedder_of(db: Database) -> str | None:
    """Who embedded the cases; None while there are none."""
    rows = db.read("SELECT embedder FROM cases ORDER BY seq DESC LIMIT 1")
    return str(rows[0]["embedder"]) if rows else None


def check(db: Database, index: ChromaIndex, embedder: Embedder) -> Health:
    """Check SQLite's pages, each case and what refers to it, and the index against them; says in words what is wrong."""
    problems = [f"database: {row[0]}" for row in db.read("PRAGMA quick_check") if row[0] != "ok"]
    others = db.read("SELECT embedder, count(*) FROM cases WHERE embedder <> ? GROUP BY embedder", (embedder.name,))
    problems += [f"{n} cases were embedded by {who!r}, not by {embedder.name!r}: rebuild" for who, n in others]
    found = {sql: db.read(sql)[0][0] for sql in _DANGLING}
    problems += [_DANGLING[sql].format(n=n) for sql, n in found.items() if n]
    problems += _in_rows(db, embedder)
    index.inspect()
    return Health(cases=db.read("SELECT count(*) FROM cases")[0][0], problems=tuple(problems), index=index.state())


_DANGLING = {
    "SELECT count(*) FROM cases AS one WHERE superseded_by IS NOT NULL "
    "AND NOT EXISTS (SELECT 1 FROM cases WHERE id = one.superseded_by)": (
        "{n} cases gave way to a case that is not there: rebuild"
    ),
    "SELECT count(*) FROM interactions WHERE NOT EXISTS (SELECT 1 FROM cases WHERE id = case_id)": (
        "{n} recorded showings are of cases that are not there"
    ),
    "SELECT count(*) FROM interactions WHERE NOT EXISTS (SELECT 1 FROM recalls WHERE id = recall_id)": (
        "{n} recorded showings belong to no recall"
    ),
    "SELECT count(*) FROM case_events WHERE NOT EXISTS (SELECT 1 FROM cases WHERE id = case_id)": (
        "{n} recorded events are of cases that are not there"
    ),
    "SELECT count(*) FROM cases, case_revision WHERE rev > value OR rev < 1": (
        "{n} cases have a revision that was never handed out: rebuild"
    ),
    "SELECT count(*) FROM cases WHERE NOT json_valid(tags) OR NOT json_valid(provenance)": (
        "{n} cases have tags or a provenance that cannot be read"
    ),
}


def _in_rows(db: Database, embedder: Embedder) -> list[str]:
    """What can only be seen case by case: embeddings that are no vectors, texts that are not the ones that were stored."""
    import numpy as np

    width = 4 * embedder.dimensions
    wrong_size = not_finite = edited = 0
    for rows in _batches(db, "seq, hash, question, solution, answer, task_id, embedder, embedding"):
        edited += sum(row["hash"] != content_hash(_content(row)) for row in rows)
        ours = [row["embedding"] for row in rows if row["embedder"] == embedder.name]
        sized = [embedding for embedding in ours if len(embedding) == width]
        wrong_size += len(ours) - len(sized)
        matrix = np.frombuffer(b"".join(sized), dtype="<f4").reshape(len(sized), embedder.dimensions)
        not_finite += int((~np.isfinite(matrix).all(axis=1)).sum())
    problems = {
        "embeddings have the wrong size: rebuild": wrong_size,
        "embeddings hold numbers that are not finite: rebuild": not_finite,
        "cases are not what was stored: something else has edited them": edited,
    }
    return [f"{n} {text}" for text, n in problems.items() if n]


def _batches(db: Database, columns: str) -> Iterator[list[sqlite3.Row]]:
    last = 0
    while rows := db.read(f"SELECT {columns} FROM cases WHERE seq > ? ORDER BY seq LIMIT ?", (last, _ROWS)):
        yield rows
        last = rows[-1]["seq"]


def _content(row: sqlite3.Row) -> Case:
    return Case(
        question=row["question"], solution=row["solution"], answer=row["answer"], task_id=row["task_id"]
    )  # fmt: skip


def _finite(embedding: bytes) -> bool:
    import numpy as np

    return bool(np.isfinite(np.frombuffer(embedding, dtype="<f4")).all())


def embed_again(db: Database, embedder: Embedder) -> int:
    """Embed every case anew that another embedder embedded, or whose embedding is no vector of the right size; and mend
    what else a rebuild can mend.

    Returns:
        How many were embedded.
    """
    bad = [
        row["seq"]
        for rows in _batches(db, "seq, embedder, embedding")
        for row in rows
        if row["embedder"] != embedder.name
        or len(row["embedding"]) != 4 * embedder.dimensions
        or not _finite(row["embedding"])
    ]
    # Embedding takes minutes for a large bank, and a transaction would lock the others out for as long.
    done = []
    for start in range(0, len(bad), _BATCH):
        batch = json.dumps(bad[start : start + _BATCH])
        rows = db.read("SELECT seq, question FROM cases WHERE seq IN (SELECT value FROM json_each(?))", (batch,))
        vectors = embedder.embed([row["question"] for row in rows]).astype("<f4")
        done += [(embedder.name, vector.tobytes(), row["seq"]) for row, vector in zip(rows, vectors, strict=True)]
    with db.write() as tx:
        tx.execute("UPDATE case_revision SET value = max(value, (SELECT coalesce(max(rev), 0) FROM cases))")
        tx.executemany("UPDATE cases SET embedder = ?, embedding = ? WHERE seq = ?", done)
        tx.execute("UPDATE cases SET status = status WHERE rev < 1")  # the trigger hands out a revision
        tx.execute(
            "UPDATE cases SET superseded_by = NULL "
            "WHERE superseded_by IS NOT NULL AND superseded_by NOT IN (SELECT id FROM cases)"
        )
    return len(done)
