"""What is on record of learning over datasets: which sample came to what, and what the home held after each window."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from agentfly.errors import InputError
from agentfly.records import from_json, to_json
from agentfly.store import process
from agentfly.store.database import Database
from agentfly.types import Usage

Verdict = Literal["correct", "wrong", "limit", "error", "no_answer", "unjudged"]
"""How a sample ended; all count in the denominator. ``unjudged``: there is an answer, and nobody said whether it is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One task, worked on once."""

    phase: str
    """``base``, ``learn``, ``validate``, ``test``, or ``test`` with what was shown, such as ``test:cases``."""
    epoch: int
    """Of learning, from 1; of validation, its number from 1; else 0."""
    place: int
    """In the order of its epoch, from 0."""
    task_id: str
    run_id: str
    verdict: Verdict
    level: str | None = None
    reward: float | None = None
    """Of the answer; None where nobody judged it."""
    source: str = ""
    """Who judged, see `agentfly.types.FeedbackSource`."""
    answer: str | None = None
    usage: Usage = field(default_factory=Usage)
    """Of everything that was done for the sample, learning from it included."""
    seconds: float = 0.0
    """From its beginning to its answer, further attempts included."""
    attempts: int = 1
    """Tries at the task, further ones included."""
    solved: bool = False
    """Whether any of the tries was a success."""
    mended: str = ""
    """The kind of mistake without which its solution worked, see `agentfly.types.Mistake`; empty where no repair was needed or found."""
    cases: tuple[str, ...] = ()
    """Ids of the cases that it left."""
    kept: bool | None = None
    """Whether a change of the playbook that it asked for was kept; None where it asked for none."""

    @property
    def correct(self) -> bool:
        """Whether the answer was right."""
        return self.verdict == "correct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a home held when a window of samples had been learned from."""

    phase: str
    epoch: int
    number: int
    """Of the window within its epoch, from 0."""
    samples: int
    """Learned from up to here, in all epochs."""
    cases: int
    bullets: int
    checks: int
    version: int
    """Of the playbook."""
    kept: int = 0
    """Changes of the playbook that this window had accepted."""
    dropped: int = 0
    mark: Mapping[str, Any] = field(default_factory=dict)
    """What brings the home back to this, see `agentfly.learning.adaptation.marks`."""
    finished: float = 0.0
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptationRecord:
    """Learning over a dataset as it stands on record."""

    id: str
    created: float
    finished: float | None
    identity: str
    plan: Mapping[str, Any]
    outcome: Mapping[str, Any]


class AdaptationStore:
    """Adaptations in a home's database. Every method commits before it returns, unless it is part of a transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def open(self, identity: str, plan: Mapping[str, Any], *, again: bool = False) -> tuple[str, bool]:
        """Begin, or go on with the unfinished one of the same identity.

        Args:
            identity: hash of all that its result depends on.
            plan: what was asked for, as plain data.
            again: begin anew even where there is one to go on with.

        Returns:
            Its id, and whether it goes on.

        Raises:
            InputError: another process works on it.
        """
        with self._db.write() as tx:
            found = tx.read(
                "SELECT id, owner FROM adaptations WHERE identity = ? AND finished IS NULL ORDER BY created DESC LIMIT 1",
                (identity,),
            )
            if found and not again:
                id, owner = found[0]
                if owner not in ("", process.mark()) and not process.gone(owner):
                    raise InputError(
                        f"{id} is being worked on by another process ({_named(owner)}); wait for it to end"
                    )
                tx.execute("UPDATE adaptations SET owner = ? WHERE id = ?", (process.mark(), id))
                return id, True
            id = f"learn-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
            tx.execute(
                "INSERT INTO adaptations (id, created, identity, owner, plan) VALUES (?, ?, ?, ?, ?)",
                (id, time.time(), identity, process.mark(), json.dumps(plan, default=str)),
            )
            return id, False

    def release(self, id: str) -> None:
        """This process works on it no more; somebody may go on with it."""
        with self._db.write() as tx:
            tx.execute("UPDATE adaptations SET owner = '' WHERE id = ?", (id,))

    def note(self, id: str, told: Mapping[str, Any]) -> None:
        """Note what has become of it so far, beside what was noted before; `finish` puts the outcome in its place."""
        with self._db.write() as tx:
            known = json.loads(tx.read("SELECT outcome FROM adaptations WHERE id = ?", (id,))[0][0])
            outcome = json.dumps({**known, **told}, default=str)
            tx.execute("UPDATE adaptations SET outcome = ? WHERE id = ?", (outcome, id))

    def finish(self, id: str, outcome: Mapping[str, Any]) -> None:
        """Close it."""
        with self._db.write() as tx:
            tx.execute(
                "UPDATE adaptations SET finished = ?, owner = '', outcome = ? WHERE id = ?",
                (time.time(), json.dumps(outcome, default=str), id),
            )

    def show(self, id: str) -> AdaptationRecord:
        """The record of one.

        Raises:
            InputError: there is none of that id.
        """
        rows = self._db.read(
            "SELECT id, created, finished, identity, plan, outcome FROM adaptations WHERE id = ?", (id,)
        )
        if not rows:
            raise InputError(f"there is no record of learning {id}")
        row = rows[0]
        return AdaptationRecord(
            id=row[0],
            created=row[1],
            finished=row[2],
            identity=row[3],
            plan=json.loads(row[4]),
            outcome=json.loads(row[5]),
        )

    def latest(self) -> str | None:
        """Id of the one that was begun last; None where there is none."""
        rows = self._db.read("SELECT id FROM adaptations ORDER BY created DESC LIMIT 1")
        return rows[0][0] if rows else None

    def unfinished(self) -> list[str]:
        """Ids of those that can be gone on with, the latest first."""
        rows = self._db.read("SELECT id FROM adaptations WHERE finished IS NULL ORDER BY created DESC")
        return [row[0] for row in rows]

    def add(self, id: str, samples: Iterable[Sample]) -> None:
        """Put samples on record; one of the same phase, epoch and place is replaced."""
        with self._db.write() as tx:
            tx.executemany(
                "INSERT OR REPLACE INTO samples (adaptation, phase, epoch, place, run_id, sample) VALUES (?, ?, ?, ?, ?, ?)",
                [(id, one.phase, one.epoch, one.place, one.run_id, to_json(one)) for one in samples],
            )

    def forget(self, id: str, samples: Iterable[Sample], stages: Iterable[Stage] = ()) -> None:
        """Take samples off the record, and windows that taught nothing, because they are tried again."""
        with self._db.write() as tx:
            tx.executemany(
                "DELETE FROM samples WHERE adaptation = ? AND phase = ? AND epoch = ? AND place = ?",
                [(id, one.phase, one.epoch, one.place) for one in samples],
            )
            tx.executemany(
                "DELETE FROM stages WHERE adaptation = ? AND phase = ? AND epoch = ? AND number = ?",
                [(id, one.phase, one.epoch, one.number) for one in stages],
            )

    def samples(self, id: str, phase: str | None = None) -> list[Sample]:
        """Samples on record in their order, of one phase or of all."""
        rows = self._db.read(
            """SELECT sample FROM samples WHERE adaptation = :id AND (:phase IS NULL OR phase = :phase)
               ORDER BY phase, epoch, place""",
            {"id": id, "phase": phase},
        )
        return [from_json(Sample, row[0]) for row in rows]

    def reach(self, id: str, stage: Stage) -> None:
        """Put on record that a window has been learned from."""
        stage = stage if stage.finished else replace(stage, finished=time.time())
        with self._db.write() as tx:
            tx.execute(
                "INSERT OR REPLACE INTO stages (adaptation, phase, epoch, number, finished, stage) VALUES (?, ?, ?, ?, ?, ?)",
                (id, stage.phase, stage.epoch, stage.number, stage.finished, to_json(stage)),
            )

    def stages(self, id: str) -> list[Stage]:
        """Stages on record in their order."""
        rows = self._db.read("SELECT stage FROM stages WHERE adaptation = ? ORDER BY epoch, number", (id,))
        return [from_json(Stage, row[0]) for row in rows]


def _named(owner: str) -> str:
    """A process as people know it, from its mark."""
    host, pid, *_ = [*owner.split("|"), "", ""]
    return f"{pid} on {host}"
