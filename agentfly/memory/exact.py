"""Exact nearest neighbours over the embeddings in SQLite, held in memory and kept up to date by revision."""

from __future__ import annotations

import threading
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

    def nearest(self, vector: Vector, n: int) -> list[int]:
        """Sequence numbers of the `n` active cases nearest to a unit vector of shape (d,), best first.

        Fewer than `n` come back only where there are no more.
        """
        import numpy as np

        with self._lock:
            self._catch_up()
            size = len(self._place)
            # One thread: BLAS would wait for its other threads, 20 ms at a time on a busy machine.
            scores = np.vecdot(self._matrix[:size], vector)
            scores[~self._active[:size]] = -np.inf
            top = np.argpartition(-scores, n)[:n] if n < size else np.arange(size)
            top = top[np.argsort(-scores[top], kind="stable")]
            return [int(self._seqs[i]) for i in top if scores[i] != -np.inf]

    def _catch_up(self) -> None:
        """Read what was committed since the last time; revisions are handed out in the order of commits."""
        import numpy as np

        while True:
            rows = self._db.read(
                "SELECT seq, rev, status, embedding FROM cases WHERE rev > ? ORDER BY rev LIMIT ?", (self._rev, _CHUNK)
            )
            if not rows:
                return
            self._make_room(len(rows))
            for row in rows:
                i = self._place.setdefault(row["seq"], len(self._place))
                vector = np.frombuffer(row["embedding"], dtype="<f4")
                fits = len(vector) == self._matrix.shape[1] and bool(vector.any())
                self._seqs[i] = row["seq"]
                self._active[i] = fits and row["status"] == "active"
                self._matrix[i] = vector if fits else 0.0
            self._rev = rows[-1]["rev"]

    def _make_room(self, more: int) -> None:
        import numpy as np

        need, have = len(self._place) + more, len(self._seqs)
        if need <= have:
            return
        grow = max(need, have * 2) - have
        self._matrix = np.concatenate([self._matrix, np.zeros((grow, self._matrix.shape[1]), dtype=np.float32)])
        self._seqs = np.concatenate([self._seqs, np.zeros(grow, dtype=np.int64)])
        self._active = np.concatenate([self._active, np.zeros(grow, dtype=np.bool_)])
