"""Whether an index on disk can be trusted: by its stamp, and if that leaves a doubt by use, in a child process."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from agentfly.memory import stamp as stamps
from agentfly.memory.probe import locked, probe
from agentfly.memory.stamp import Source, Stamp
from agentfly.store.database import Database

if TYPE_CHECKING:
    from agentfly.protocols import Vector

_SAMPLES = 12
_NEWEST = 4


def doubt(index: Path, db: Database, source: Source, *, suspicious: bool = False) -> str:
    """Why an index must not be used; empty when it is sound.

    Args:
        index: the home's index folder.
        db: the truth.
        source: what the index must have been built from.
        suspicious: test it by use even if its files are as they were.
    """
    stamp = stamps.read(index)
    if stamp is None or not stamp.folder or not (index / stamp.folder).is_dir():
        return "there is none"
    if stamp.source != source:
        return "it was built for another home or embedder"
    if not _fits_truth(stamp, db):
        return "it was built from another state of the database"
    folder = index / stamp.folder
    if suspicious or stamp.files != stamps.files_of(folder):
        if locked(folder / "chroma.sqlite3"):
            return "its database is locked by another process"
        if not _passes(folder, stamp, db):
            return "its files are damaged"
    return ""


def searchable(rows: Iterable[sqlite3.Row], dimensions: int) -> dict[str, Vector]:
    """The embeddings that can be searched for, by Chroma id: finite, of the right size, and not zero, which has no
    direction."""
    import numpy as np

    vectors = {str(row["seq"]): np.frombuffer(row["embedding"], dtype="<f4") for row in rows}
    return {
        seq: vector
        for seq, vector in vectors.items()
        if len(vector) == dimensions and vector.any() and np.isfinite(vector).all()
    }


def _fits_truth(stamp: Stamp, db: Database) -> bool:
    revision = db.read("SELECT value FROM case_revision")[0][0]
    if stamp.tip is None or stamp.rev > revision:
        return stamp.tip is None and stamp.rev == 0
    rows = db.read("SELECT id FROM cases WHERE seq = ?", (stamp.tip[0],))
    return bool(rows) and rows[0]["id"] == stamp.tip[1]


def _passes(folder: Path, stamp: Stamp, db: Database) -> bool:
    """Try the index in a child process: a damaged one can bring down or hang whoever queries it."""
    must = {row[0] for row in db.read("SELECT seq FROM cases WHERE rev <= ? AND status = 'active'", (stamp.rev,))}
    # The newest ones too: what is not yet in Chroma's graph is in its log, which can be lost alone.
    chosen = sorted({*sorted(must)[:: max(1, len(must) // _SAMPLES)], *sorted(must)[-_NEWEST:]})
    samples = {seq: vector.tolist() for seq, vector in _held(db, chosen, stamp).items()}
    report = probe(folder, samples)
    if report is None or report["missed"] or report["count"] != len(report["ids"]):
        return False
    return not _held(db, sorted(must - set(report["ids"])), stamp)


def _held(db: Database, seqs: list[int], stamp: Stamp) -> dict[str, Vector]:
    rows = db.read(
        "SELECT seq, embedding FROM cases WHERE seq IN (SELECT value FROM json_each(?))", (json.dumps(seqs),)
    )
    return searchable(rows, stamp.source.dimensions)
