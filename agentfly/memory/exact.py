"""Exact nearest neighbours over the embeddings in SQLite, held in memory and kept up to date by revision."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentfly.store.database import Database

if TYPE_CHECKING:
    from agentfly.protocols import Vector

_CHUNK = 8192


class ExactIndex:
    """Embeddings of all active cases as one matrix. Any process may have one; each reads what the others committed.

    Args:
        db: where the cases are.
        dimensions: d of the embeddings.
    """

    def __init__(self, db: Database, dimensions: int) -> None:
        import numpy as np

        self._db = db
        self._lock = threading.Lock()
        self._matrix = np.zeros((0, dimensions), dtype=np.float32)
        self._seqs = np.zeros(0, dtype=np.int64)
        self._active = np.zeros(0, dtype=np.bool_)
        self._place: dict[int, int] = {}
        self._rev = 0

    def nearest(self, vector: Vector, n: int, among: Sequence[int] | None = None) -> list[int]:
        """Sequence numbers of the `n` active cases nearest to a unit vector of shape (d,), best first.

        Fewer than `n` come back only where there are no more.

        Args:
            vector: the query.
            n: how many.
            among: sequence numbers of the only cases that count; None is all.
        """
        import numpy as np

        with self._lock:
            self._catch_up()
            size = len(self._place)
            # One thread: BLAS would wait for its other threads, 20 ms at a time on a busy machine.
            scores = np.vecdot(self._matrix[:size], vector)
            scores[~self._active[:size]] = -np.inf
            if among is not None:
                scores[~np.isin(self._seqs[:size], among)] = -np.inf
            top = np.argpartition(-scores, n)[:n] if n < size else np.arange(size)
            top = top[np.argsort(-scores[top], kind="stable")]
            return [int(self._seqs[i]) for i in top if scores[i] != -np.inf]

    def _catch_up(self) -> None:
        """Read what was committed since the last time; revisions are handed out in the order of commits."""

        while True:
            rows = self._db.read(
                "SELECT seq, rev, status, embedding FROM cases WHERE rev > ? ORDER BY rev LIMIT ?", (self._rev, _CHUNK)
            )
            if not rows:
                return
            self._make_room(len(rows))
            self._take_in(rows)
            self._rev = rows[-1]["rev"]

    def _take_in(self, rows: Sequence[sqlite3.Row]) -> None:
        import numpy as np

        width = 4 * self._matrix.shape[1]
        blank = bytes(width)
        blobs = (row["embedding"] if len(row["embedding"]) == width else blank for row in rows)
        vectors = np.frombuffer(b"".join(blobs), dtype="<f4").reshape(len(rows), -1)
        fits = np.isfinite(vectors).all(axis=1) & vectors.any(axis=1)  # a zero vector has no direction
        places = [self._place.setdefault(row["seq"], len(self._place)) for row in rows]
        self._seqs[places] = [row["seq"] for row in rows]
        self._active[places] = fits & [row["status"] == "active" for row in rows]
        self._matrix[places] = np.where(fits[:, None], vectors, 0.0)

    def _make_room(self, more: int) -> None:
        import numpy as np

        need, have = len(self._place) + more, len(self._seqs)
        if need <= have:
            return
        # The first time, room for all that there are: growing by steps would take twice the memory in between.
        known = 0 if have else int(self._db.read("SELECT count(*) FROM cases")[0][0])
        grow = max(need, have * 2, known) - have
        self._matrix = np.concatenate([self._matrix, np.zeros((grow, self._matrix.shape[1]), dtype=np.float32)])
        self._seqs = np.concatenate([self._seqs, np.zeros(grow, dtype=np.int64)])
        self._active = np.concatenate([self._active, np.zeros(grow, dtype=np.bool_)])
