"""The cases nearest to an embedding, that pass a filter: by exact search, or by the index and an exact tail."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentfly.memory.exact import ExactIndex
from agentfly.memory.filters import Filter
from agentfly.memory.index import TAIL as TAIL
from agentfly.memory.index import ChromaIndex
from agentfly.store.database import Database

if TYPE_CHECKING:
    from agentfly.protocols import Vector

EXACT_UP_TO = 20_000
"""Number of cases up to which search is exact: 1.5 ms for 20,000 cases of 384 dimensions where a query to Chroma takes 1
to 4 ms, after 0.1 s to read the embeddings where importing and opening Chroma takes 0.7 to 1.4 s (2 cores)."""

_SPARE = 8  # asked for beyond what is wanted: the task's own cases are often among the nearest
_WIDEST = 512  # neighbours beyond which the index is slower than the exact search: 4 ms, with 100,000 cases
_FEW = 4096  # cases whose embeddings are read from the database for one query


@dataclass(frozen=True, slots=True)
class Nearest:
    """Cases by their sequence numbers, nearest first."""

    seqs: Sequence[int]
    similarities: Sequence[float]
    """Cosine of each case's embedding and the query."""
    vectors: Vector
    """The embeddings, shape (n, d)."""

    def __len__(self) -> int:
        return len(self.seqs)

    def first(self, n: int) -> Nearest:
        return Nearest(self.seqs[:n], self.similarities[:n], self.vectors[:n])


class Searcher:
    """Chooses between the exact search and the index; the answers are the same.

    Args:
        db: the truth, in which everything that is found is looked up.
        index: used by the process that owns it, once the bank is large.
        dimensions: d of the embeddings.
        exact_up_to: number of cases up to which the index is left alone.
    """

    def __init__(self, db: Database, index: ChromaIndex, dimensions: int, exact_up_to: int = EXACT_UP_TO) -> None:
        self._db = db
        self._index = index
        self._exact_up_to = exact_up_to
        self._dimensions = dimensions
        self._exact: ExactIndex | None = None
        self._lock = threading.Lock()
        self._declined = False

    def nearest(self, vector: Vector, n: int, where: Filter, size: int) -> Nearest:
        """The `n` nearest cases that pass the filter, best first; equals in the order in which they were stored.

        The nearest cases of any kind are found first and filtered then. Where too few of them pass, their share tells
        whether a wider search will do; if not, the filter is put to the database and what passes is searched exactly.

        Args:
            vector: unit vector of shape (d,).
            n: how many, fewer where there are no more.
            where: which cases may be found.
            size: number of cases in the bank.
        """
        wanted = n + _SPARE
        for _ in range(2):
            found, tail = self._found(vector, wanted, size)
            near = self._look_up(vector, list({*found, *tail}), where)
            # A case of the tail may be farther off than one that was not found: it does not count here.
            passed = len(set(found).difference(tail).intersection(near.seqs))
            if passed >= n or len(found) < wanted:
                return near.first(n)
            wanted = math.ceil(1.5 * n * len(found) / passed) + _SPARE if passed else _WIDEST + 1
            if wanted > _WIDEST:
                break
        return self._among_all(vector, n, where)

    def _found(self, vector: Vector, n: int, size: int) -> tuple[list[int], list[int]]:
        """The `n` nearest active cases, fewer only where there are no more; and others that may be as near."""
        if size > self._exact_up_to and n <= _WIDEST and self._open():
            rev = self._index.rev  # before the query: what is read into the index meanwhile is in the tail too
            tail = self._db.read("SELECT seq FROM cases WHERE rev > ? AND +status = 'active' LIMIT ?", (rev, TAIL + 1))
            found = self._index.nearest(vector, n) if len(tail) <= TAIL else None
            if found is not None and len(found) >= n:  # a damaged index may find too few
                return found, [row["seq"] for row in tail]
        return self._exactly(vector, n), []

    def _open(self) -> bool:
        """Whether the index is open here. One that is not to be had is not asked for again."""
        if not self._index.is_open and (self._declined or not self._index.open()):
            self._declined = not self._index.building
            return False
        return True

    def _exactly(self, vector: Vector, n: int, among: Sequence[int] | None = None) -> list[int]:
        with self._lock:
            if self._exact is None:
                self._exact = ExactIndex(self._db, self._dimensions)
        return self._exact.nearest(vector, n, among)

    def _among_all(self, vector: Vector, n: int, where: Filter) -> Nearest:
        """The nearest of all cases that pass: for a filter that few pass, or none of those near by."""
        condition, params = where.sql(scan=True)
        seqs = [row[0] for row in self._db.read(f"SELECT seq FROM cases WHERE {condition}", params)]
        if len(seqs) > _FEW:
            seqs = self._exactly(vector, n, among=seqs)
        return self._look_up(vector, seqs, where).first(n)

    def _look_up(self, vector: Vector, seqs: Sequence[int], where: Filter) -> Nearest:
        """What the truth says of the found cases: who passes, and how near each is."""
        import numpy as np

        condition, params = where.sql()
        rows = self._db.read(
            f"SELECT seq, embedding FROM cases WHERE seq IN (SELECT value FROM json_each(:seqs)) AND {condition}",
            {"seqs": json.dumps(seqs), **params},
        )
        rows = [row for row in rows if len(row["embedding"]) == 4 * len(vector)]
        matrix = np.frombuffer(b"".join(row["embedding"] for row in rows), dtype="<f4").reshape(len(rows), len(vector))
        cosines = np.vecdot(matrix, vector)
        places = np.array([row["seq"] for row in rows], dtype=np.int64)
        order = np.lexsort((places, -cosines))
        order = order[(np.isfinite(cosines) & matrix.any(axis=1))[order]]  # a zero vector has no direction
        return Nearest(places[order].tolist(), cosines[order].tolist(), matrix[order])
