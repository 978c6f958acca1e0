"""What the home knows of its active cases at one moment, as arrays: what retention decides on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentfly.memory.worth import Facts
from agentfly.store.database import Database

if TYPE_CHECKING:
    import sqlite3

    from agentfly.memory.clusters import Labels
    from agentfly.memory.worth import Floats
    from agentfly.protocols import Vector

_CHUNK = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The active cases, oldest first."""

    revision: int
    """Of the cases as a whole, from before they were read: the same one later says that nothing has changed."""
    ids: tuple[str, ...]
    vectors: Vector
    """Embeddings, shape (n, d); zeros where one cannot be compared with the others."""
    facts: Facts
    age: Labels
    """Rank by age, 0 is the newest."""


def snapshot(db: Database, dimensions: int) -> Snapshot:
    """Read the active cases.

    Args:
        db: the home's database.
        dimensions: d of the embeddings.
    """
    import numpy as np

    revision = int(db.read("SELECT value FROM case_revision")[0][0])
    newest = db.read("SELECT embedder FROM cases ORDER BY seq DESC LIMIT 1")
    embedder = newest[0][0] if newest else ""
    unjudged = dict(
        map(tuple, db.read("SELECT case_id, count(*) FROM interactions WHERE reward IS NULL GROUP BY case_id"))
    )
    ids: list[str] = []
    parts: list[Vector] = []
    table: list[tuple[float, ...]] = []
    tasks: list[str] = []
    last = -1
    while rows := _chunk(db, last):
        last = rows[-1]["seq"]
        ids += [row["id"] for row in rows]
        parts.append(_vectors(rows, embedder, dimensions))
        table += [
            (
                row["reward"],
                row["seen"],
                max(0, row["shown"] - unjudged.get(row["id"], 0)),
                max(0.0, row["helped"]),
                row["lesson"],
                row["created"],
            )
            for row in rows
        ]
        tasks += [row["task_id"] for row in rows]
    reward, seen, judged, helped, lesson, created = np.array(table, dtype=np.float64).reshape(len(ids), 6).T
    age = np.empty(len(ids), dtype=np.int64)
    age[np.lexsort((-np.arange(len(ids)), -created))] = np.arange(len(ids))
    number, tried, failed = _tries(db, tasks, reward, seen)
    facts = Facts(
        reward=reward, seen=seen, judged=np.maximum(judged, helped), helped=helped, lesson=lesson > 0,
        task=number, tried=tried, failed=failed,
    )  # fmt: skip
    vectors = np.concatenate([np.zeros((0, dimensions), dtype=np.float32), *parts])
    return Snapshot(revision=revision, ids=tuple(ids), vectors=vectors, facts=facts, age=age)


def _chunk(db: Database, after: int) -> list[sqlite3.Row]:
    return db.read(
        """SELECT seq, id, reward, seen, shown, helped, trim(lesson) <> '' AS lesson, created, task_id, embedder,
                  embedding
           FROM cases WHERE status = 'active' AND seq > ? ORDER BY seq LIMIT ?""",
        (after, _CHUNK),
    )


def _vectors(rows: Sequence[sqlite3.Row], embedder: str, dimensions: int) -> Vector:
    """Embeddings of unit length; zeros for those of another embedder or of the wrong size."""
    import numpy as np

    vectors: Vector = np.zeros((len(rows), dimensions), dtype=np.float32)
    for i, row in enumerate(rows):
        if row["embedder"] == embedder and len(row["embedding"]) == 4 * dimensions:
            vectors[i] = np.frombuffer(row["embedding"], dtype="<f4")
    vectors[~np.isfinite(vectors).all(axis=1)] = 0.0
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.where(lengths > 0, lengths, np.float32(1.0))
    return vectors


def _tries(db: Database, tasks: Sequence[str], reward: Floats, seen: Floats) -> tuple[Labels, Floats, Floats]:
    """Number of each case's task, judged attempts at it, and how many of them failed.

    Attempts are the home's runs, by the feedback that they were learned from and not by what the result reports, and what
    is remembered of others: imported cases, and those of other agents.
    """
    import numpy as np

    known = {
        row[0]: (row[1], row[2])
        for row in db.read(
            """WITH judged AS (
                   SELECT r.id, r.task_id,
                          CASE WHEN a.run_id IS NULL THEN r.reward ELSE a.feedback ->> 'reward' END AS reward
                   FROM runs r LEFT JOIN attempts a ON a.run_id = r.id AND a.number = 0
               )
               SELECT task_id, sum(n), sum(n * (reward < 0.5)) FROM (
                   SELECT task_id, reward, 1 AS n FROM judged WHERE reward IS NOT NULL
                   UNION ALL
                   SELECT task_id, reward, seen FROM cases WHERE NOT EXISTS (
                       SELECT 1 FROM judged WHERE judged.id = provenance ->> 'run' AND judged.reward IS NOT NULL)
               ) WHERE task_id <> '' GROUP BY task_id"""
        )
    }
    # A case without a task is a task of its own, tried as often as it was seen.
    numbers: dict[object, int] = {}
    number = np.array([numbers.setdefault(task or i, len(numbers)) for i, task in enumerate(tasks)], dtype=np.int64)
    own = zip(seen.tolist(), (seen * (reward < 0.5)).tolist(), strict=True)
    counts = np.array([known.get(task, alone) for task, alone in zip(tasks, own, strict=True)], dtype=np.float64)
    tries = counts.reshape(len(tasks), 2)
    return number, tries[:, 0], tries[:, 1]
