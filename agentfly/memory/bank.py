"""The case bank: past tasks with what was done and what it earned, found again when a like task comes."""

from __future__ import annotations

import builtins
import os
import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from agentfly.errors import HomeError, InputError
from agentfly.memory import credit, health, writing
from agentfly.memory.health import BankStats, Health
from agentfly.memory.index import ChromaIndex
from agentfly.memory.nearest import EXACT_UP_TO, TAIL, Filter, Searcher
from agentfly.memory.rows import COLUMNS, STATUSES, case_of, checked_all, content_hash, unit
from agentfly.memory.selection.choose import choose
from agentfly.memory.selection.similarity import SimilarityPolicy
from agentfly.memory.stamp import Source
from agentfly.protocols import Embedder, Policy
from agentfly.store.home import Home
from agentfly.store.lookup import find_id
from agentfly.types import Case, CaseStatus, Recalled

if TYPE_CHECKING:
    from agentfly.protocols import Vector

_CLOSE_SECONDS = 1.0
_REMEMBERED = 128  # texts whose embedding is kept: a question is embedded for recall, for credit and for its case


class CaseBank:
    """Cases in a home. Threads, objects and processes may share one home; each sees what the others committed.

    Args:
        home: an open home (stays open), or the folder of one, made if it does not exist.
        embedder: makes the embeddings; by default all-MiniLM-L6-v2.
        policy: scores candidates; by default their similarity.
        exact_up_to: number of cases up to which no index is needed.

    Raises:
        HomeError: the home cannot be used.
    """

    def __init__(
        self,
        home: Home | str | Path,
        embedder: Embedder | None = None,
        policy: Policy | None = None,
        *,
        exact_up_to: int = EXACT_UP_TO,
    ) -> None:
        from agentfly.memory.embedding import MiniLMEmbedder

        self._home = home if isinstance(home, Home) else Home.open(home)
        self._owns_home = not isinstance(home, Home)
        self.embedder: Embedder = embedder or MiniLMEmbedder()
        self.policy: Policy = policy or SimilarityPolicy()
        self._db = self._home.db
        self._exact_up_to = exact_up_to
        self._start()

    def _start(self) -> None:
        source = Source(home=self._home.id, embedder=self.embedder.name, dimensions=self.embedder.dimensions)
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._embedded: dict[str, Vector] = {}
        self._embedder_checked = False
        self._index = ChromaIndex(self._home.index, self._db, source)
        self._searcher = Searcher(self._db, self._index, source.dimensions, self._exact_up_to)

    # Writing

    def add(self, case: Case) -> Case:
        """Store a case, on disk before this returns.

        Returns:
            The case with its id. One with the same question, solution, answer and task is the same case: then that
            one is returned, with its counts, and with the reward and lesson of the later verdict.

        Raises:
            InputError: the case cannot be stored as it is.
        """
        return self.add_many([case])[0]

    def add_many(self, cases: Sequence[Case], vectors: Vector | None = None) -> builtins.list[Case]:
        """Store many cases in one transaction: all or none.

        Args:
            cases: what to store.
            vectors: embeddings of their questions where they are at hand, shape (n, d), rows of unit length.

        Raises:
            InputError: a case or an embedding cannot be stored as it is; says which one.
        """
        self._after_fork()
        clean = checked_all(cases)
        if not clean:
            return []
        self._same_embedder()
        rows = self._embed_new(clean) if vectors is None else list(unit(vectors, len(clean), self.embedder.dimensions))
        stored = writing.write(self._db, clean, rows, self.embedder.name)
        if self._index.is_open and TAIL // 2 <= self._index.behind() <= 4 * TAIL:
            self._index.sync()
        return stored

    def set_status(self, given: str, status: CaseStatus, superseded_by: str | None = None) -> Case:
        """Change the status of a case; only active ones are recalled.

        Args:
            given: id, or the beginning of one.
            status: the new status.
            superseded_by: id of the case that takes its place.

        Raises:
            InputError: no such case, or no such status.
        """
        if status not in STATUSES:
            raise InputError(f"unknown status {status!r}; known: {', '.join(STATUSES)}")
        id = find_id(self._db, "cases", given)
        with self._db.write() as tx:
            tx.execute("UPDATE cases SET status = ?, superseded_by = ? WHERE id = ?", (status, superseded_by, id))
        return self.get(id)

    def supersede(self, given: str, by: str) -> Case:
        """Put a better case in the place of one."""
        return self.set_status(given, "superseded", find_id(self._db, "cases", by))

    # Recall

    def recall(
        self,
        text: str,
        k: int = 4,
        exclude_task: str | None = None,
        exclude: Collection[str] = (),
        floor: float | None = None,
        failures: float | None = None,
        tokens: int | None = None,
        candidates: int = 32,
        domain: str | None = None,
    ) -> builtins.list[Recalled]:
        """The cases to show for a task: the nearest `candidates`, scored by the policy, of which `k` are chosen.

        Args:
            text: the task's question.
            k: how many at most.
            exclude_task: id of a task whose own cases are left out, as evaluation demands.
            exclude: ids of cases to leave out.
            floor: cosine under which a case is not shown.
            failures: largest share of the shown cases that may be failures.
            tokens: budget of what is shown, see `agentfly.memory.selection.choose.cost`.
            candidates: how many the policy scores.
            domain: only cases of this domain.

        Returns:
            The chosen cases, all successes before the first failure, best first; empty where nothing fits.
        """
        if k <= 0 or not text.strip():
            return []
        where = Filter(exclude_task=exclude_task, exclude=exclude, domain=domain)
        found, vectors = self._candidates(text, max(k, candidates), where)
        return choose(found, vectors, k, floor=floor, failures=failures, tokens=tokens)

    def search(self, text: str, limit: int = 10) -> builtins.list[Recalled]:
        """Active cases for a person who looks for something: those that hold the text literally, then the nearest."""
        literal = self._literal(text, limit)
        near = self._candidates(text, limit, Filter())[0] if text.strip() else []
        scores = {one.case.id: one.similarity for one in near}
        first = [Recalled(case=case, similarity=scores.get(case.id, 0.0), score=1.0) for case in literal]
        seen = {one.case.id for one in first}
        return [*first, *(one for one in near if one.case.id not in seen)][:limit]

    def embed(self, text: str) -> Vector:
        """Embedding of one text, shape (d,); the latest ones are remembered."""
        self._after_fork()
        with self._lock:
            known = self._embedded.pop(text, None)
        vector = known if known is not None else self.embedder.embed([text])[0]
        with self._lock:
            self._embedded[text] = vector
            while len(self._embedded) > _REMEMBERED:
                del self._embedded[next(iter(self._embedded))]
        return vector

    def _candidates(self, text: str, n: int, where: Filter) -> tuple[list[Recalled], Vector]:
        import numpy as np

        self._after_fork()
        size = self._db.read("SELECT max(seq) FROM cases")[0][0]  # counting 100,000 rows would take milliseconds
        if not size:  # nothing heavy is loaded for an empty bank
            return [], np.zeros((0, self.embedder.dimensions), dtype=np.float32)
        self._same_embedder()
        state = self.embed(text)
        near = self._searcher.nearest(state, n, where, size)
        cases, vectors = health.load(self._db, [one.seq for one in near], self.embedder.dimensions)
        scores = self.policy.score(state, cases, vectors) if cases else np.zeros(0)
        found = [
            Recalled(case=case, similarity=one.similarity, score=float(score))
            for case, one, score in zip(cases, near, scores, strict=True)
        ]
        return found, vectors

    def _literal(self, text: str, limit: int) -> builtins.list[Case]:
        rows = self._db.read(
            f"""SELECT {COLUMNS} FROM cases WHERE status = 'active' AND
                instr(lower(id || char(10) || question || char(10) || solution || char(10) || coalesce(answer, '')
                            || char(10) || lesson), lower(?)) ORDER BY seq DESC LIMIT ?""",
            (text.strip().encode("utf-8", "replace").decode(), limit if text.strip() else 0),
        )
        return [case_of(row) for row in rows]

    # Credit

    def record_shown(
        self,
        run: str,
        task: str,
        text: str | Vector,
        recalled: Sequence[Recalled],
        candidates: Sequence[str] = (),
    ) -> None:
        """Write down what was shown for a run, and count it; see `agentfly.memory.credit.shown`.

        Args:
            run: id of the run.
            task: id of the task.
            text: what the cases were recalled for, or its embedding.
            recalled: what was shown, in that order.
            candidates: ids of the cases that the policy chose from.
        """
        if not recalled:
            return
        state = self.embed(text) if isinstance(text, str) else text
        names = {"policy": self.policy.name, "embedder": self.embedder.name}
        credit.shown(self._db, run, task, state, recalled, candidates=candidates, **names)

    def record_outcome(self, run: str, reward: float) -> int:
        """Credit a run's reward to the cases it was shown; a later verdict replaces an earlier one.

        Returns:
            How many showings were judged.

        Raises:
            InputError: reward outside [0, 1].
        """
        if not 0.0 <= reward <= 1.0:
            raise InputError(f"a reward must be in [0, 1], not {reward!r}")
        return credit.outcome(self._db, run, reward)

    # Looking

    def get(self, given: str) -> Case:
        """One case.

        Args:
            given: its id, or the beginning of it.

        Raises:
            InputError: no case, or several.
        """
        id = find_id(self._db, "cases", given)
        return case_of(self._db.read(f"SELECT {COLUMNS} FROM cases WHERE id = ?", (id,))[0])

    def list(self, limit: int = 50, offset: int = 0, status: CaseStatus | None = "active") -> builtins.list[Case]:
        """Cases of a status (None is any), newest first."""
        rows = self._db.read(
            f"SELECT {COLUMNS} FROM cases WHERE ?1 IS NULL OR status = ?1 ORDER BY seq DESC LIMIT ?2 OFFSET ?3",
            (status, limit, offset),
        )
        return [case_of(row) for row in rows]

    def count(self, status: CaseStatus | None = "active") -> int:
        """How many cases of a status there are; None counts all."""
        where, params = ("WHERE status = ?", (status,)) if status is not None else ("", ())
        return int(self._db.read(f"SELECT count(*) FROM cases {where}", params)[0][0])

    def stats(self) -> BankStats:
        """What the bank holds, counted."""
        return health.stats(self._db, self._index, self.embedder)

    # Upkeep

    def sync_index(self, seconds: float | None = None) -> int:
        """Bring the Chroma index up to date, and build it where it is missing or damaged.

        Args:
            seconds: stop soon after this time; None goes on to the end.

        Returns:
            How many changes are left to read; these are searched exactly.
        """
        self._after_fork()
        return self._index.sync(seconds) if self._index.open(build=True) else self._index.behind()

    def verify(self) -> Health:
        """Check the truth, and the index against it. Changes nothing but a damaged index, which is dropped."""
        self._after_fork()
        return health.check(self._db, self._index, self.embedder)

    def rebuild(self) -> Health:
        """Embed anew what another embedder embedded, build the index from the truth, and verify."""
        self._after_fork()
        health.embed_again(self._db, self.embedder)
        self._start_over()
        self._index.rebuild()
        return self.verify()

    def close(self) -> None:
        """Let go of the index and, if the bank opened it, of the home. May be called twice.

        An index that is open, or far behind, is brought up to date first, for one second at most; what is left is
        searched exactly until the next time. A small bank never pays for loading Chroma here.
        """
        if self._pid == os.getpid() and self._db.is_open:
            if self._index.is_open or (self.count(None) > self._exact_up_to and self._index.behind() > TAIL):
                self.sync_index(_CLOSE_SECONDS)
            self._index.close()
        if self._owns_home:
            self._home.close()

    def __enter__(self) -> CaseBank:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _after_fork(self) -> None:
        if self._pid != os.getpid():  # locks and an open index do not survive a fork
            self._start()

    def _start_over(self) -> None:
        self._index.close()
        self._start()

    def _same_embedder(self) -> None:
        """Vectors of two embedders cannot be compared: refuse to mix them."""
        if self._embedder_checked:
            return
        held = health.embedder_of(self._db)
        if held is not None and held != self.embedder.name:
            raise HomeError(
                f"the cases in {self._home.path} were embedded by {held!r}, not by {self.embedder.name!r}; "
                "`agentfly doctor --fix` embeds them anew"
            )
        self._embedder_checked = held is not None

    def _embed_new(self, cases: Sequence[Case]) -> builtins.list[Vector | None]:
        """Embeddings of the cases that are not stored yet, batched; None for the others."""
        hashes = [content_hash(case) for case in cases]
        known = writing.known(self._db, hashes)
        new = [i for i, digest in enumerate(hashes) if digest not in known]
        vectors: list[Vector | None] = [None] * len(cases)
        if len(new) == 1:
            vectors[new[0]] = self.embed(cases[new[0]].question)
        elif new:
            for i, vector in zip(new, self.embedder.embed([cases[i].question for i in new]), strict=True):
                vectors[i] = vector
        return vectors
