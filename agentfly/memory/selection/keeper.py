"""Keeps a policy's learned state: loads it, catches up with the record, saves it where all processes see it.

The record of judged recalls is the truth, and the saved state is a place to start from, as the index is behind the
cases: what is lost of it is learned again.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentfly.errors import HomeBusyError, HomeError, InputError, PolicyError
from agentfly.memory.selection import checkpoint, record
from agentfly.memory.selection.named import policy_named
from agentfly.memory.selection.report import PolicyReport, report
from agentfly.memory.selection.scores import RETRAIN, checked
from agentfly.protocols import Embedder, LearningPolicy, Policy
from agentfly.store.database import Database
from agentfly.types import Case

if TYPE_CHECKING:
    from agentfly.protocols import Scores, Vector

__all__ = ["PolicyKeeper", "PolicyReport"]

SAVE_EVERY = 16
"""Episodes after which the state is saved; a long record is saved after a 32nd part more, since states grow with it."""

_PAGE = 1000  # episodes read at once: 6 MB of embeddings with four cases each
_PATIENCE = 0.01  # seconds of catching up that one recall waits for, and the one episode that is then under way
_LEAP = 64  # judgements behind another process's saved state from which on that state is taken over


class PolicyKeeper:
    """One policy in one process. Threads may share it.

    Args:
        db: the home's database.
        policy: a policy's name, or an object of one's own. One that only scores is kept as it is; one that learns too
            begins with what it knows now.
        embedder: the embedder in use.

    Raises:
        InputError: no such policy.
    """

    def __init__(self, db: Database, policy: Policy | str, embedder: Embedder) -> None:
        self._db = db
        self._embedder = embedder
        self.policy: Policy = policy_named(policy, embedder.dimensions) if isinstance(policy, str) else policy
        self._learner: LearningPolicy | None = self.policy if isinstance(self.policy, LearningPolicy) else None
        self._blank: bytes | None = None
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._loaded = False
        self._read = 0
        self._unsaved = 0
        self.version = 0
        """Of the saved state that the policy in force came from or was saved as; 0 where there is none."""

    @property
    def learns(self) -> bool:
        """Whether the policy learns from what is judged."""
        return self._learner is not None

    def score(self, state: Vector, cases: Sequence[Case], vectors: Vector) -> Scores:
        """Q(s, c) of each candidate, by a policy that has caught up with what other processes recorded.

        Once the state is loaded, a recall waits some 10 ms at most for this; what is left is learned at the next one.

        Args:
            state: as in `agentfly.protocols.Policy`.
            cases: as there.
            vectors: as there.

        Raises:
            PolicyError: the saved state cannot be used, or the policy's scores cannot.
        """
        if self._learner is None:
            return checked(self.policy.score(state, cases, vectors), len(cases), self.policy)
        self._after_fork()
        with self._lock:
            self._ready(self._learner)
            self._catch_up(self._learner, time.monotonic() + _PATIENCE)
            return checked(self._learner.score(state, cases, vectors), len(cases), self._learner)

    def learn(self) -> int:
        """Learn from what was judged since the last time, here or in other processes.

        Returns:
            Number of new episodes; 0 for a policy that does not learn.

        Raises:
            PolicyError: the saved state cannot be used.
        """
        if self._learner is None:
            return 0
        self._after_fork()
        with self._lock:
            learned = self._ready(self._learner)
            learned += self._catch_up(self._learner)
            self._save_in_time(self._learner, max(SAVE_EVERY, self._read // 32))
            return learned

    def retrain(self) -> PolicyReport:
        """Forget, and learn anew from the whole record; the result is saved, and other processes take it over.

        Also mends a saved state that cannot be used.

        Raises:
            InputError: the policy does not learn.
        """
        if self._learner is None:
            raise InputError(f"the policy {self.policy.name!r} does not learn: there is nothing to retrain")
        self._after_fork()
        with self._lock:
            self._forget(self._learner)
            # Where this is interrupted, the next use starts from what is saved.
            self._read = self._unsaved = 0
            self._learn_all(self._learner)
            self._save(self._learner, retrained=True)
            self._loaded = True
            return self.report()

    def report(self) -> PolicyReport:
        """What the policy has learned, and the record that it rests on; learns nothing new.

        Raises:
            PolicyError: the saved state cannot be used.
        """
        self._after_fork()
        with self._lock:
            if self._learner is not None and not self._loaded:
                self._load(self._learner)
            return report(
                self._db,
                self.policy,
                version=self.version,
                read=self._read,
                learns=self._learner is not None,
                embedder=self._embedder.name,
            )

    def close(self) -> None:
        """Save what was learned since the last time. May be called twice, and never fails for the policy's sake."""
        if self._learner is None or self._pid != os.getpid() or not self._db.is_open:
            return
        with self._lock:
            if self._loaded and self._unsaved:
                try:
                    self._save(self._learner)
                except HomeError:
                    self._unsaved = 0  # it saves time only: the record holds everything that it was learned from

    def _after_fork(self) -> None:
        if self._pid != os.getpid():
            # The lock may be held, and the policy half changed, by a thread that is not here.
            self._start()

    def _ready(self, learner: LearningPolicy) -> int:
        """Load the state where that is to be done, and read what it lacks; how many episodes that were."""
        marks = checkpoint.marks(self._db, learner.name)
        if self._loaded and marks.retrained <= self.version and marks.judged <= self._read + _LEAP:
            return 0
        self._load(learner)
        learned = self._learn_all(learner)
        self._save_in_time(learner, SAVE_EVERY)
        return learned

    def _load(self, learner: LearningPolicy) -> None:
        """Take over the latest saved state."""
        self._forget(learner)
        saved = checkpoint.newest(self._db, learner.name)
        self.version, self._read, self._unsaved = 0, 0, 0
        if saved is not None:
            try:
                self._take(learner, saved)
            except PolicyError as error:
                if RETRAIN in str(error):
                    raise
                raise PolicyError(
                    f"the learned state of the policy {learner.name!r} (version {saved.version}) cannot be used: "
                    f"{error}; {RETRAIN} learns it anew from the record"
                ) from error
            self.version, self._read = saved.version, saved.judged
        self._loaded = True

    def _take(self, learner: LearningPolicy, saved: checkpoint.Saved) -> None:
        if saved.embedder != self._embedder.name:
            raise PolicyError(f"it was learned with the embedder {saved.embedder!r}, not {self._embedder.name!r}")
        if not isinstance(saved.state, bytes):
            raise PolicyError("it is damaged")
        learner.load(saved.state)

    def _forget(self, learner: LearningPolicy) -> None:
        self._loaded = False
        if self._blank is None:
            self._blank = learner.dump()
        else:
            learner.load(self._blank)

    def _learn_all(self, learner: LearningPolicy) -> int:
        return self._learn(learner, _PAGE, None)

    def _catch_up(self, learner: LearningPolicy, deadline: float | None = None) -> int:
        """Read what is new: all of it, or one episode after the other until a deadline."""
        return self._learn(learner, _PAGE if deadline is None else 1, deadline)

    def _learn(self, learner: LearningPolicy, size: int, deadline: float | None) -> int:
        latest, learned = record.latest(self._db), 0
        if self._read >= latest:
            return 0
        reader = record.Reader(self._db, self._read, self._embedder.name, self._embedder.dimensions)
        while self._read < latest and (deadline is None or time.monotonic() < deadline):
            new = reader.read(size)
            if new:
                try:
                    learner.learn(new)
                except BaseException:
                    self._loaded = False  # half learned: start again from what is saved
                    raise
            self._read = reader.upto
            self._unsaved += len(new)
            learned += len(new)
        return learned

    def _save_in_time(self, learner: LearningPolicy, every: int) -> None:
        """Save what is not saved yet where it has become much."""
        if self._unsaved >= every:
            with contextlib.suppress(HomeBusyError):  # it saves time only, and the next time comes
                self._save(learner)

    def _save(self, learner: LearningPolicy, *, retrained: bool = False) -> None:
        version = checkpoint.save(
            self._db,
            learner.name,
            learner.dump(),
            judged=self._read,
            embedder=self._embedder.name,
            base=self.version,
            retrained=retrained,
        )
        self._unsaved = 0
        self.version = version or self.version
