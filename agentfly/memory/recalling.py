"""Reading: candidates from the search, scored by the policy, of which a few are chosen (arXiv 2508.16153, section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentfly.memory import health
from agentfly.memory.filters import Filter
from agentfly.memory.nearest import Searcher
from agentfly.memory.recollection import Recollection
from agentfly.memory.rows import COLUMNS, case_of
from agentfly.memory.selection.choose import Choice, choose
from agentfly.memory.selection.keeper import PolicyKeeper
from agentfly.memory.vectors import Vectors
from agentfly.store.database import Database
from agentfly.types import Recalled

if TYPE_CHECKING:
    from agentfly.protocols import Vector


class Recaller:
    """Recalls from one bank.

    Args:
        db: the home's database.
        vectors: embeds what is asked.
        searcher: finds the nearest cases.
        keeper: has the selection policy.
    """

    def __init__(self, db: Database, vectors: Vectors, searcher: Searcher, keeper: PolicyKeeper) -> None:
        self._db = db
        self._vectors = vectors
        self._searcher = searcher
        self._keeper = keeper

    def recollect(self, text: str, where: Filter, choice: Choice, candidates: int) -> Recollection:
        """The cases to show for a text, and what they were chosen from."""
        state, found, vectors = self._scored(text, max(choice.k, candidates), where) if choice.k > 0 else _NOTHING
        return Recollection(
            text=text,
            state=state,
            chosen=tuple(choose(found, vectors, choice)) if vectors is not None else (),
            candidates=tuple(one.case.id for one in found),
            choice=choice,
            policy=self._keeper.policy.name,
            policy_version=self._keeper.version,
        )

    def search(self, text: str, limit: int, where: Filter) -> list[Recalled]:
        """What holds the text literally, newest first, then the nearest."""
        first = self._literal(text, limit, where)
        seen = {one.case.id for one in first}
        near = self._scored(text, limit, where)[1]
        return [*first, *(one for one in near if one.case.id not in seen)][:limit]

    def _scored(self, text: str, n: int, where: Filter) -> tuple[Vector | None, list[Recalled], Vector | None]:
        """Embedding of a text, the `n` nearest cases with the policy's scores, and their embeddings."""
        size = self._db.read("SELECT max(seq) FROM cases")[0][0]  # counting 100,000 rows would take milliseconds
        if not size or not text.strip():  # nothing heavy is loaded for an empty bank
            return _NOTHING
        self._vectors.check()
        state = self._vectors.of(text)
        near = self._searcher.nearest(state, n, where, size)
        if not near.seqs:
            return _NOTHING
        cases = health.load(self._db, near.seqs)
        scores = self._keeper.score(state, cases, near.vectors)
        found = [
            Recalled(case=case, similarity=similarity, score=score)
            for case, similarity, score in zip(cases, near.similarities, scores.tolist(), strict=True)
        ]
        return state, found, near.vectors

    def _literal(self, text: str, limit: int, where: Filter) -> list[Recalled]:
        import numpy as np

        condition, params = where.sql(scan=True)
        wanted = text.strip().encode("utf-8", "replace").decode()
        if not wanted:
            return []
        rows = self._db.read(
            f"""SELECT embedding, {COLUMNS} FROM cases WHERE {condition} AND
                instr(lower(id || char(10) || question || char(10) || solution || char(10) || coalesce(answer, '')
                            || char(10) || lesson), lower(:text)) ORDER BY seq DESC LIMIT :limit""",
            {"text": wanted, "limit": limit, **params},
        )
        if not rows:
            return []
        self._vectors.check()
        state = self._vectors.of(text)
        vectors = [np.frombuffer(row["embedding"], dtype="<f4") for row in rows]
        cosines = [float(vector @ state) if len(vector) == len(state) else 0.0 for vector in vectors]
        return [Recalled(case=case_of(row), similarity=c, score=1.0) for row, c in zip(rows, cosines, strict=True)]


_NOTHING: tuple[None, list[Recalled], None] = (None, [], None)
