"""Counting and checking what a bank holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentfly.memory.index import ChromaIndex, IndexState
from agentfly.memory.rows import COLUMNS, case_of
from agentfly.protocols import Embedder
from agentfly.store.database import Database
from agentfly.types import Case

if TYPE_CHECKING:
    from agentfly.protocols import Vector

_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class BankStats:
    """What a bank holds."""

    total: int
    by_status: Mapping[str, int]
    by_domain: Mapping[str, int]
    successes: int
    """Active cases with a reward of at least 0.5."""
    shown: int
    """How often any case was shown."""
    judged: int
    """Part of `shown` whose run was judged."""
    mean_reward: float | None
    """Mean reward of the judged ones; None where there are none."""
    most_shown: tuple[Case, ...]
    embedder: str
    index: IndexState

    @property
    def success_rate(self) -> float | None:
        """Share of the active cases that are successes."""
        active = self.by_status.get("active", 0)
        return self.successes / active if active else None


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


def load(db: Database, seqs: Sequence[int], dimensions: int) -> tuple[list[Case], Vector]:
    """Cases and their embeddings, shape (n, d), in the order of `seqs`."""
    import numpy as np

    rows = db.read(
        f"SELECT seq, embedding, {COLUMNS} FROM cases WHERE seq IN (SELECT value FROM json_each(?))",
        (json.dumps(list(seqs)),),
    )
    place = {seq: i for i, seq in enumerate(seqs)}
    rows.sort(key=lambda row: place[row["seq"]])
    vectors = np.frombuffer(b"".join(row["embedding"] for row in rows), dtype="<f4").reshape(len(rows), dimensions)
    return [case_of(row) for row in rows], vectors


def stats(db: Database, index: ChromaIndex, embedder: Embedder) -> BankStats:
    """Count what the bank holds."""
    by_status = {row[0]: row[1] for row in db.read("SELECT status, count(*) FROM cases GROUP BY status")}
    domains = db.read("SELECT domain, count(*) FROM cases WHERE status = 'active' AND domain <> '' GROUP BY domain")
    shown, judged, mean = db.read("SELECT count(*), count(reward), avg(reward) FROM interactions")[0]
    most = db.read(f"SELECT {COLUMNS} FROM cases WHERE shown > 0 ORDER BY shown DESC, seq LIMIT 5")
    return BankStats(
        total=sum(by_status.values()),
        by_status=by_status,
        by_domain={row[0]: row[1] for row in domains},
        successes=db.read("SELECT count(*) FROM cases WHERE status = 'active' AND reward >= 0.5")[0][0],
        shown=shown,
        judged=judged,
        mean_reward=mean,
        most_shown=tuple(case_of(row) for row in most),
        embedder=embedder.name,
        index=index.state(),
    )


def embedder_of(db: Database) -> str | None:
    """Who embedded the cases; None while there are none."""
    rows = db.read("SELECT embedder FROM cases ORDER BY seq DESC LIMIT 1")
    return str(rows[0]["embedder"]) if rows else None


def check(db: Database, index: ChromaIndex, embedder: Embedder) -> Health:
    """Check SQLite's pages, every embedding's size and maker, and the index against them."""
    problems = [f"database: {row[0]}" for row in db.read("PRAGMA quick_check") if row[0] != "ok"]
    wrong = db.read(
        "SELECT count(*) FROM cases WHERE embedder = ? AND length(embedding) <> ?",
        (embedder.name, 4 * embedder.dimensions),
    )[0][0]
    if wrong:
        problems.append(f"{wrong} embeddings have the wrong size: rebuild")
    others = db.read("SELECT embedder, count(*) FROM cases WHERE embedder <> ? GROUP BY embedder", (embedder.name,))
    problems += [f"{n} cases were embedded by {who!r}, not by {embedder.name!r}: rebuild" for who, n in others]
    index.inspect()
    return Health(cases=db.read("SELECT count(*) FROM cases")[0][0], problems=tuple(problems), index=index.state())


def embed_again(db: Database, embedder: Embedder) -> int:
    """Embed every case anew that another embedder embedded, or whose embedding has the wrong size.

    Returns:
        How many these were.
    """
    rows = db.read(
        "SELECT seq, question FROM cases WHERE embedder <> ? OR length(embedding) <> ?",
        (embedder.name, 4 * embedder.dimensions),
    )
    # Embedding takes minutes for a large bank, and a transaction would lock the others out for as long.
    done = []
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        vectors = embedder.embed([row["question"] for row in batch]).astype("<f4")
        done += [(embedder.name, vector.tobytes(), row["seq"]) for row, vector in zip(batch, vectors, strict=True)]
    if done:
        with db.write() as tx:
            tx.executemany("UPDATE cases SET embedder = ?, embedding = ? WHERE seq = ?", done)
    return len(done)
