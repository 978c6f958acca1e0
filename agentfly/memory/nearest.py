"""The cases nearest to an embedding, that pass a filter: by exact search, or by the index and an exact tail."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentfly.memory.exact import ExactIndex
from agentfly.memory.index import ChromaIndex
from agentfly.store.database import Database

if TYPE_CHECKING:
    from agentfly.protocols import Vector

EXACT_UP_TO = 20_000
"""Number of cases up to which search is exact: 1.5 ms for 20,000 cases of 384 dimensions where a query to Chroma takes 2
to 4 ms, after 0.1 s to read the embeddings where importing and opening Chroma takes 0.7 to 1.4 s (2 cores)."""

TAIL = 512
"""Changes that the index need not have read yet: they are searched exactly beside it."""

_WIDEST = 256  # neighbours beyond which a filter is too narrow for the index


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which active cases may be recalled."""

    exclude_task: str | None = None
    exclude: Collection[str] = ()
    domain: str | None = None

    def sql(self) -> tuple[str, dict[str, Any]]:
        """A condition on the table `cases`, and its parameters.

        The plus signs keep SQLite from scanning an index on one of these where sequence numbers are given.
        """
        parts, params = ["+status = 'active'"], dict[str, Any]()
        if self.exclude_task:
            parts.append("+task_id <> :task")
            params["task"] = self.exclude_task
        if self.exclude:
            parts.append("id NOT IN (SELECT value FROM json_each(:exclude))")
            params["exclude"] = json.dumps(list(self.exclude))
        if self.domain is not None:
            parts.append("+domain = :domain")
            params["domain"] = self.domain
        return " AND ".join(parts), params


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A case by its sequence number, with the cosine of its embedding and the query."""

    seq: int
    similarity: float


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

    def nearest(self, vector: Vector, n: int, where: Filter, size: int) -> list[Neighbour]:
        """The `n` nearest cases that pass the filter, best first; equals in the order in which they were stored.

        Args:
            vector: unit vector of shape (d,).
            n: how many, fewer where there are no more.
            where: which cases may be found.
            size: number of cases in the bank.
        """
        wanted = n + 8
        while True:
            found, all_of_them = self._candidates(vector, wanted, size)
            passed = self._look_up(vector, found, where)
            if len(passed) >= n or all_of_them:
                return passed[:n]
            wanted *= 4

    def _candidates(self, vector: Vector, n: int, size: int) -> tuple[list[int], bool]:
        """At least the `n` nearest active cases; and whether these are all that there are."""
        if size > self._exact_up_to and n <= _WIDEST and self._usable():
            rev = self._index.rev  # before the query: what is read into the index meanwhile is in the tail too
            found = self._index.nearest(vector, n)
            if found is not None:
                tail = self._db.read("SELECT seq FROM cases WHERE rev > ? AND +status = 'active'", (rev,))
                return list({*found, *(row["seq"] for row in tail)}), False
        with self._lock:
            if self._exact is None:
                self._exact = ExactIndex(self._db, self._dimensions)
        found = self._exact.nearest(vector, n)
        return found, len(found) < n

    def _usable(self) -> bool:
        """Whether the index is open here and nearly up to date. An index that is not to be had is not asked for again."""
        if not self._index.is_open and (self._declined or not self._index.open()):
            self._declined = True
            return False
        return self._index.behind() <= TAIL

    def _look_up(self, vector: Vector, seqs: list[int], where: Filter) -> list[Neighbour]:
        """What the truth says of the found cases: who passes, and how near each is."""
        import numpy as np

        condition, params = where.sql()
        rows = self._db.read(
            f"SELECT seq, embedding FROM cases WHERE seq IN (SELECT value FROM json_each(:seqs)) AND {condition}",
            {"seqs": json.dumps(seqs), **params},
        )
        rows = [row for row in rows if len(row["embedding"]) == 4 * len(vector)]
        if not rows:
            return []
        matrix = np.frombuffer(b"".join(row["embedding"] for row in rows), dtype="<f4").reshape(len(rows), -1)
        cosines = np.vecdot(matrix, vector)
        pairs = sorted(zip((-cosines).tolist(), (row["seq"] for row in rows), strict=True))
        return [Neighbour(seq=seq, similarity=-distance) for distance, seq in pairs]
