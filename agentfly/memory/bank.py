"""The case bank: past tasks with what was done and what it earned, found again when a like task comes."""

from __future__ import annotations

import builtins
import os
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from zlib import crc32

from agentfly.errors import InputError
from agentfly.memory import credit, health, marks, writing
from agentfly.memory.filters import Filter
from agentfly.memory.health import Health
from agentfly.memory.index import ChromaIndex
from agentfly.memory.marks import MemoryMark
from agentfly.memory.merging import merge_all
from agentfly.memory.nearest import EXACT_UP_TO, TAIL, Searcher
from agentfly.memory.recalling import Recaller
from agentfly.memory.recollection import Recollection
from agentfly.memory.rows import COLUMNS, case_of, checked_all, unit
from agentfly.memory.selection.choose import Choice
from agentfly.memory.selection.keeper import PolicyKeeper
from agentfly.memory.stamp import Source
from agentfly.memory.stats import BankStats, stats
from agentfly.memory.status import CaseEvent, change_status, events_of
from agentfly.memory.vectors import Vectors
from agentfly.protocols import Embedder, Policy
from agentfly.store.home import Home
from agentfly.store.lookup import find_id
from agentfly.types import Case, CaseStatus, Recalled

if TYPE_CHECKING:
    from agentfly.memory.exchange import ImportReport
    from agentfly.memory.retention import Pruning
    from agentfly.memory.selection.compare import Comparison
    from agentfly.memory.selection.keeper import PolicyReport
    from agentfly.protocols import Vector

_CLOSE_SECONDS = 1.0


class CaseBank:
    """Cases in a home. Threads, objects and processes may share one home; each sees what the others committed.

    Args:
        home: an open home (stays open), or the folder of one, made if it does not exist.
        embedder: makes the embeddings; by default all-MiniLM-L6-v2.
        policy: scores candidates: ``similarity``, ``episodic``, ``neural``, or an object of one's own.
        capacity: number of active cases from which on the least useful are pruned; None keeps all.
        exact_up_to: number of cases up to which no index is needed.

    Raises:
        HomeError: the home cannot be used.
        InputError: no such policy.
    """

    def __init__(
        self,
        home: Home | str | Path,
        embedder: Embedder | None = None,
        policy: Policy | str = "similarity",
        *,
        capacity: int | None = None,
        exact_up_to: int = EXACT_UP_TO,
    ) -> None:
        from agentfly.memory.embedding import MiniLMEmbedder

        self._home = home if isinstance(home, Home) else Home.open(home)
        self._owns_home = not isinstance(home, Home)
        self.embedder: Embedder = embedder or MiniLMEmbedder()
        self._db = self._home.db
        self._keeper = PolicyKeeper(self._db, policy, self.embedder)
        self._capacity = capacity
        self._exact_up_to = exact_up_to
        self._start()

    @property
    def policy(self) -> Policy:
        """The selection policy in force."""
        return self._keeper.policy

    def _start(self) -> None:
        source = Source(home=self._home.id, embedder=self.embedder.name, dimensions=self.embedder.dimensions)
        self._pid = os.getpid()
        self._vectors = Vectors(self._db, self.embedder, self._home.path)
        self._index = ChromaIndex(self._home.index, self._db, source)
        searcher = Searcher(self._db, self._index, source.dimensions, self._exact_up_to)
        self._recaller = Recaller(self._db, self._vectors, searcher, self._keeper)

    # Writing

    def add(self, case: Case, *, merge: bool = False) -> Case:
        """Store a case, on disk before this returns.

        Args:
            case: what to store. A success takes the place of the active failures of the same task.
            merge: take a near-identical case that is there for the same one, see `agentfly.memory.merging`.

        Returns:
            The case with its id. One with the same question, solution, answer and task is the same case: then that
            one is returned, with its counts, and with the reward and lesson of the later verdict.

        Raises:
            InputError: the case cannot be stored as it is.
        """
        return self.add_many([case], merge=merge)[0]

    def add_many(
        self, cases: Sequence[Case], vectors: Vector | None = None, *, merge: bool = False
    ) -> builtins.list[Case]:
        """Store many cases in one transaction: all or none.

        Args:
            cases: what to store.
            vectors: embeddings of their questions where they are at hand, shape (n, d), rows of unit length.
            merge: as in `add`.

        Raises:
            InputError: a case or an embedding cannot be stored as it is; says which one.
        """
        self._after_fork()
        clean = checked_all(cases)
        if not clean:
            return []
        self._vectors.check()
        rows = (
            self._vectors.of_new(clean) if vectors is None else [*unit(vectors, len(clean), self.embedder.dimensions)]
        )
        stored = writing.write(self._db, clean, rows, self.embedder.name, merge=merge)
        self._index.follow(len(stored))
        self._keep_to_capacity(len(stored))
        return stored

    def set_status(
        self, given: str, status: CaseStatus, superseded_by: str | None = None, reason: str = "asked for"
    ) -> Case:
        """Change the status of a case; only active ones are recalled. The change is recorded, see `events`.

        Args:
            given: id, or the beginning of one.
            status: the new status.
            superseded_by: id of the case that takes its place.
            reason: why, for the record.

        Raises:
            InputError: no such case, or no such status.
        """
        id = find_id(self._db, "cases", given)
        change_status(self._db, [id], status, other=superseded_by, reason=reason)
        return self.get(id)

    def supersede(self, given: str, by: str) -> Case:
        """Put a better case in the place of one."""
        return self.set_status(given, "superseded", find_id(self._db, "cases", by))

    def confirm(self, run: str, feedback: str) -> int:
        """Take the quarantined successes of a run into recall: a trusted outcome has confirmed them.

        Args:
            run: id of the run that they came from.
            feedback: who says so, for the record.

        Returns:
            How many there were.
        """
        return writing.confirm(self._db, run, feedback)

    def merge_all(self) -> int:
        """Merge all active cases that are near-identical, see `agentfly.memory.merging`; how many went into others."""
        return merge_all(self._db)

    def events(self, given: str) -> builtins.list[CaseEvent]:
        """What happened to a case, oldest first: why it was superseded, merged, pruned, quarantined or brought back."""
        return events_of(self._db, find_id(self._db, "cases", given))

    def prune(self, capacity: int | None = None, *, dry_run: bool = False) -> Pruning:
        """Take the least useful cases out of recall until at most `capacity` are active; nothing is deleted.

        Args:
            capacity: how many may stay active; by default the bank's own capacity.
            dry_run: only say what would go.

        Raises:
            InputError: no capacity is given, or it is not positive.
        """
        from agentfly.memory import retention

        limit = self._capacity if capacity is None else capacity
        if limit is None:
            raise InputError("say how many cases may stay: `agentfly memory prune --capacity N`")
        return retention.prune(self._db, limit, self.embedder.dimensions, dry_run=dry_run)

    def _keep_to_capacity(self, added: int) -> None:
        if self._capacity is not None and added:
            from agentfly.memory import retention

            retention.keep_to(self._db, self._capacity, self.embedder.dimensions)

    # Going back

    def mark(self) -> MemoryMark:
        """The present moment, to go back to."""
        return marks.mark(self._db)

    def back_to(self, moment: MemoryMark, runs: str, reason: str) -> int:
        """Undo what some runs have done since a mark; a learning policy is learned anew from what is left.

        Args:
            moment: the mark.
            runs: what the ids of these runs begin with; what others did stays.
            reason: for the record.

        Returns:
            How many cases left recall or came back.
        """
        changed = marks.back_to(self._db, moment, runs, reason)
        if self._keeper.learns:
            self._keeper.retrain()
        return changed

    # Exchange

    def export_to(self, path: str | Path, *, everything: bool = False) -> int:
        """Write the cases to a JSONL file, replaced in one step.

        Args:
            path: the file; ``-`` is standard output.
            everything: cases of every status, not only the active ones.

        Returns:
            How many were written.
        """
        from agentfly.memory import exchange

        return exchange.export_cases(self._db, path, everything=everything)

    def import_from(
        self,
        path: str | Path,
        *,
        domain: str = "",
        tags: Iterable[str] = (),
        quarantine: bool = False,
        progress: Callable[[int], None] = lambda done: None,
    ) -> ImportReport:
        """Read cases from a JSONL file: agentfly's own, Memento's, or plain questions and answers.

        Args:
            path: the file.
            domain: for cases that bring none.
            tags: further tags for all of them.
            quarantine: keep them out of recall until a trusted outcome confirms them.
            progress: called with the number of lines done.

        Returns:
            What was new, what was there already, and which lines could not be read.

        Raises:
            InputError: the file cannot be read, or no line of it can.
        """
        from agentfly.memory import exchange

        self._after_fork()
        self._vectors.check()
        report = exchange.import_cases(
            self._db, self.embedder, path, domain=domain, tags=tuple(tags), quarantine=quarantine, progress=progress
        )
        if self._index.is_open:
            self._index.sync()
        self._keep_to_capacity(report.new)
        return report

    # Recall

    def recall(self, text: str, k: int = 4, exclude_task: str | None = None, **options: Any) -> builtins.list[Recalled]:
        """The cases to show for a task; see `recollect` for the options.

        Returns:
            The chosen cases, all successes before the first failure, best first; empty where nothing fits.
        """
        return list(self.recollect(text, k, exclude_task, **options).shown)

    def recollect(
        self,
        text: str,
        k: int = 4,
        exclude_task: str | None = None,
        *,
        exclude_question: str | None = None,
        exclude: Collection[str] = (),
        domain: str | None = None,
        tags: Collection[str] = (),
        min_reward: float | None = None,
        max_age: float | None = None,
        candidates: int = 32,
        floor: float | None = None,
        failures: float | None = None,
        tokens: int | None = None,
        diversity: float = 0.2,
        temperature: float = 0.0,
        seed: int | None = None,
        draw: str | None = None,
    ) -> Recollection:
        """`recall`, with what the choice was made from: the nearest `candidates`, scored by the policy, of which `k`
        are chosen (AgentFly's two-stage read, arXiv 2508.16153, section 3).

        Args:
            text: the task's question.
            k: how many at most.
            exclude_task: id of a task whose own cases are left out, as evaluation demands.
            exclude_question: question whose cases are left out, of whichever task.
            exclude: ids of cases to leave out.
            domain: only cases of this domain.
            tags: only cases that carry all of these.
            min_reward: only cases that earned at least this.
            max_age: only cases made at most so many seconds ago.
            candidates: how many the policy scores.
            floor: cosine under which a case is not shown.
            failures: largest share of the shown cases that may be failures.
            tokens: budget of what is shown, see `agentfly.memory.selection.choose.cost`.
            diversity: weight of being unlike what is chosen already, in [0, 1].
            temperature: of the soft (Boltzmann) choice; 0 is greedy.
            seed: of the soft choice; None takes a fresh one.
            draw: names the draw: with a seed, the same name chooses the same. By default each recall is another one.
        """
        if seed is not None and temperature > 0:
            named = draw or self._db.read("SELECT coalesce(max(id), 0) FROM recalls")[0][0]
            seed = crc32(f"{seed} {named}".encode())
        choice = Choice(
            k=k, floor=floor, failures=failures, tokens=tokens, diversity=diversity, temperature=temperature, seed=seed
        )
        created_after = None if max_age is None else time.time() - max_age
        where = Filter(
            exclude_task=exclude_task, exclude_question=exclude_question, exclude=exclude, domain=domain, tags=tags,
            min_reward=min_reward, created_after=created_after,
        )  # fmt: skip
        self._after_fork()
        return self._recaller.recollect(text, where, choice, candidates)

    def search(self, text: str, limit: int = 10, where: Filter = Filter()) -> builtins.list[Recalled]:
        """Active cases for a person who looks for something: those that hold the text literally, then the nearest."""
        self._after_fork()
        return self._recaller.search(text, limit, where)

    def embed(self, text: str) -> Vector:
        """Embedding of one text, shape (d,); the latest ones are remembered."""
        self._after_fork()
        return self._vectors.of(text)

    def expect(self, texts: Iterable[str]) -> None:
        """Texts that will be recalled for soon, in this order: embedded in batches, together with those that are wanted at the time.

        Args:
            texts: instead of those that were expected before.
        """
        self._after_fork()
        self._vectors.expect(texts)

    # Credit and the policy that learns from it

    def record_shown(self, run: str, task: str, recollection: Recollection) -> None:
        """Write down what was shown for a run or a part of it, and count it; see `agentfly.memory.credit.shown`.

        Args:
            run: id of the run.
            task: id of the task.
            recollection: what was recalled.
        """
        if recollection.chosen:
            credit.shown(self._db, run, task, recollection, self.embedder.name)

    def record_outcome(self, run: str, reward: float) -> int:
        """Credit a run's reward to the cases it was shown, and let the policy learn from it; a later verdict replaces an
        earlier one.

        Returns:
            How many showings were judged.

        Raises:
            InputError: reward outside [0, 1].
            PolicyError: the policy's learned state cannot be used.
        """
        if not 0.0 <= reward <= 1.0:
            raise InputError(f"a reward must be in [0, 1], not {reward!r}")
        judged = credit.outcome(self._db, run, reward)
        if judged:
            self._keeper.learn()
        return judged

    def policy_report(self) -> PolicyReport:
        """What the selection policy has learned, and the record that it rests on."""
        return self._keeper.report()

    def retrain(self, policy: str | None = None) -> PolicyReport:
        """Learn a policy anew from the whole record; by default the one in force."""
        return (self._keeper if policy is None else PolicyKeeper(self._db, policy, self.embedder)).retrain()

    def compare(self, policies: Sequence[str] = ("similarity", "episodic", "neural")) -> Comparison:
        """Estimate from the record what each policy would have earned (off-policy), with standard errors."""
        from agentfly.memory.selection.compare import compare

        return compare(self._db, policies, self.embedder)

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
        return stats(self._db, self._index, self.embedder)

    # Upkeep

    def sync_index(self, seconds: float | None = None) -> int:
        """Bring the Chroma index up to date, and build it where it is missing or damaged.

        Args:
            seconds: stop soon after this time; None goes on to the end.

        Returns:
            How many changes are left to read; these are searched exactly.
        """
        self._after_fork()
        return self._index.catch_up(seconds)

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
            self._keeper.close()
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
