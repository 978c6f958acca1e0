"""The record of every run: what was asked, what was tried, what it earned and what was learned from it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agentfly.errors import InputError
from agentfly.protocols import Exposure, Judged, Solved
from agentfly.records import from_json, to_data
from agentfly.store import outcomes, process
from agentfly.store.database import Database, Transaction
from agentfly.store.lookup import find_id
from agentfly.types import Attempt, Feedback, Learned, RunResult, Step, Task, Usage

RUNNING, INTERRUPTED, WAITING = "running", "interrupted", "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One line of a list of runs."""

    id: str
    status: str
    """``running``, ``interrupted`` (its process has ended without finishing it), ``waiting`` (for a person's permission) or
    how its attempt ended."""
    started: float
    finished: float | None
    question: str
    task_id: str
    level: str | None
    answer: str | None
    reward: float | None
    model: str
    strategy: str
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One attempt of a run; number 0 is the answer to the user, later ones are a gate's trials."""

    number: int
    created: float
    attempt: Attempt
    feedback: Feedback | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord(RunSummary):
    """Everything that is known about a run."""

    task: Task = field(repr=False)
    settings: Mapping[str, Any] = field(repr=False)
    trials: tuple[AttemptRecord, ...] = field(repr=False)
    feedback: Feedback | None
    learned: Learned
    shown_cases: tuple[str, ...]
    shown_bullets: tuple[str, ...]
    sandbox: str
    reason: str
    """Why it ended as it did, where that says more than the status."""

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts alone; the first is the answer to the user. None where the run never got so far."""
        return tuple(trial.attempt for trial in self.trials)


class RunStore:
    """Runs in a home's database. Every method commits before it returns."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def start(
        self, run_id: str, task: Task, model: str, strategy: str, settings: object, *, learn: bool = True
    ) -> None:
        """Write down that a run begins.

        Args:
            run_id: new and unique.
            task: with its reference, which stays in the database.
            model: name of the generator's model.
            strategy: name of the generator.
            settings: everything that was set: a mapping or a pydantic model.
            learn: whether it may be learned from, now or later.

        Raises:
            InputError: there is a run of that id.
        """
        row = (run_id, time.time(), RUNNING, process.mark(), task.id, task.question, task.level, model, strategy)
        with self._db.write(
            synced=False
        ) as tx:  # nothing has been paid for; the first reply that has is synced, and this with it
            if tx.read("SELECT 1 FROM runs WHERE id = ?", (run_id,)):
                raise InputError(f"there is a run {run_id} already")
            tx.execute(
                """INSERT INTO runs (id, started, status, owner, task_id, question, level, model, strategy, task, settings, learn)
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                (*map(_storable, row), _json(task), _json(settings), int(learn)),
            )

    def add_attempt(self, run_id: str, number: int, attempt: Attempt, feedback: Feedback | None = None) -> None:
        """Keep an attempt with its steps; one of the same number is replaced. On disk with what comes of it: feedback, a result."""
        with self._db.write(synced=False) as tx:
            self._require(tx, run_id)
            _put_attempt(tx, run_id, number, attempt, feedback)

    def append_attempt(self, run_id: str, attempt: Attempt, feedback: Feedback | None = None) -> int:
        """Keep one more attempt at a finished run's task; returns its number."""
        with self._db.write() as tx:
            self._require(tx, run_id)
            number = int(tx.read("SELECT 1 + coalesce(max(number), 0) FROM attempts WHERE run_id = ?", (run_id,))[0][0])
            _put_attempt(tx, run_id, number, attempt, feedback)
        return number

    def attempts(self, run_id: str) -> int:
        """How many attempts of a run are on record; none while it goes on."""
        return int(self._db.read("SELECT count(*) FROM attempts WHERE run_id = ?", (run_id,))[0][0])

    def solved(self, *, exclude_task: str | None = None, limit: int = 1000) -> list[Solved]:
        """As `agentfly.store.outcomes.solved`."""
        return outcomes.solved(self._db, exclude_task=exclude_task, limit=limit)

    def judged(self, *, limit: int = 400) -> list[Judged]:
        """As `agentfly.store.outcomes.judged`."""
        return outcomes.judged(self._db, limit=limit)

    def exposures(self, *, since: float = 0.0) -> list[Exposure]:
        """As `agentfly.store.outcomes.exposures`."""
        return outcomes.exposures(self._db, since=since)

    def finish(self, run_id: str, result: RunResult, reason: str = "") -> None:
        """Close a run with its result. The result's attempt becomes number 0 unless that was added before."""
        attempt = result.attempt
        shown = json.dumps({"cases": result.recalled, "bullets": result.bullets})
        with self._db.write() as tx:
            self._require(tx, run_id)
            if not tx.read("SELECT 1 FROM attempts WHERE run_id = ? AND number = 0", (run_id,)):
                _put_attempt(tx, run_id, 0, attempt, result.feedback)
            tx.execute(
                """UPDATE runs SET status = ?, finished = ?, answer = ?, reward = ?, reason = ?, sandbox = ?,
                   feedback = ?, usage = ?, shown = ?, learned = ? WHERE id = ?""",
                (
                    result.status,
                    time.time(),
                    _storable(result.answer),
                    result.reward,
                    _storable(reason or attempt.reason),
                    attempt.sandbox,
                    _json(result.feedback) if result.feedback else None,
                    _json(result.usage),
                    shown,
                    _json(result.learned),
                    run_id,
                ),
            )

    def fail(self, run_id: str, reason: str, status: str = INTERRUPTED) -> None:
        """Close a run that has no result: it was interrupted, or an error ended it."""
        with self._db.write() as tx:
            self._require(tx, run_id)
            tx.execute(
                "UPDATE runs SET status = ?, finished = ?, reason = ? WHERE id = ?",
                (status, time.time(), _storable(reason), run_id),
            )

    def pause(self, run_id: str, reason: str) -> None:
        """The run waits for a person; no process works on it."""
        with self._db.write() as tx:
            self._require(tx, run_id)
            tx.execute("UPDATE runs SET status = ?, reason = ? WHERE id = ?", (WAITING, _storable(reason), run_id))

    def reopen(self, run_id: str) -> None:
        """This process goes on with a run that was interrupted, or that waited.

        Raises:
            InputError: another one does already, or has ended it: a person may have been asked in two places.
        """
        with self._db.write() as tx:
            self._require(tx, run_id)
            row = tx.read("SELECT status, owner FROM runs WHERE id = ?", (run_id,))[0]
            if row["status"] == RUNNING and not process.gone(row["owner"]):
                raise InputError(f"run {run_id} is being worked on; wait for it to end")
            if row["status"] not in (RUNNING, INTERRUPTED, WAITING, "error"):
                raise InputError(f"run {run_id} has nothing left to do: it has ended")
            tx.execute(
                "UPDATE runs SET status = ?, owner = ?, finished = NULL, reason = '' WHERE id = ?",
                (RUNNING, process.mark(), run_id),
            )

    def set_feedback(self, run_id: str, feedback: Feedback, learned: Learned | None = None) -> None:
        """Replace the feedback on a run's answer, as a person does after the fact, and what was learned by it."""
        data = _json(feedback)
        with self._db.write() as tx:
            self._require(tx, run_id)
            tx.execute("UPDATE runs SET reward = ?, feedback = ? WHERE id = ?", (feedback.reward, data, run_id))
            tx.execute("UPDATE attempts SET feedback = ? WHERE run_id = ? AND number = 0", (data, run_id))
            if learned is not None:
                tx.execute("UPDATE runs SET learned = ?, learn = 1 WHERE id = ?", (_json(learned), run_id))

    def recent(self, limit: int = 20, offset: int = 0) -> list[RunSummary]:
        """The latest runs, newest first."""
        rows = self._db.read("SELECT * FROM runs ORDER BY seq DESC LIMIT ? OFFSET ?", (limit, offset))
        return [RunSummary(**_summary_fields(row)) for row in rows]

    def count(self) -> int:
        """How many runs there are."""
        return int(self._db.read("SELECT count(*) FROM runs")[0][0])

    def show(self, given: str) -> RunRecord:
        """The record of one run.

        Args:
            given: its id, or the beginning of it.

        Raises:
            InputError: no run, or several.
        """
        record = self.find(find_id(self._db, "runs", given))
        assert record is not None
        return record

    def find(self, run_id: str) -> RunRecord | None:
        """The record of the run of exactly this id; None where there is none."""
        rows = self._db.read("SELECT * FROM runs WHERE id = ?", (run_id,))
        if not rows:
            return None
        row = rows[0]
        shown = json.loads(row["shown"] or "{}")
        return RunRecord(
            **_summary_fields(row),
            task=from_json(Task, row["task"]),
            settings=json.loads(row["settings"]),
            trials=self._trials(run_id),
            feedback=from_json(Feedback, row["feedback"]) if row["feedback"] else None,
            learned=from_json(Learned, row["learned"]) if row["learned"] else Learned(),
            shown_cases=tuple(shown.get("cases", ())),
            shown_bullets=tuple(shown.get("bullets", ())),
            sandbox=row["sandbox"],
            reason=row["reason"],
        )

    def close_interrupted(self) -> int:
        """Mark runs whose process has ended without finishing them; returns how many there were."""
        rows = self._db.read("SELECT id, owner FROM runs WHERE status = ?", (RUNNING,))
        dead = [(row["id"],) for row in rows if process.gone(row["owner"])]
        if dead:
            with self._db.write() as tx:
                tx.executemany(
                    f"""UPDATE runs SET status = '{INTERRUPTED}', reason = 'its process ended'
                        WHERE id = ? AND status = '{RUNNING}'""",
                    dead,
                )
        return len(dead)

    def _trials(self, run_id: str) -> tuple[AttemptRecord, ...]:
        steps: dict[int, list[Step]] = {}
        for row in self._db.read("SELECT attempt, step FROM steps WHERE run_id = ? ORDER BY attempt, idx", (run_id,)):
            steps.setdefault(row["attempt"], []).append(from_json(Step, row["step"]))
        return tuple(
            AttemptRecord(
                number=row["number"],
                created=row["created"],
                attempt=replace(from_json(Attempt, row["attempt"]), steps=tuple(steps.get(row["number"], ()))),
                feedback=from_json(Feedback, row["feedback"]) if row["feedback"] else None,
            )
            for row in self._db.read("SELECT * FROM attempts WHERE run_id = ? ORDER BY number", (run_id,))
        )

    @staticmethod
    def _require(tx: Transaction, run_id: str) -> None:
        if not tx.read("SELECT 1 FROM runs WHERE id = ?", (run_id,)):
            raise InputError(f"there is no run {run_id}")


def _put_attempt(tx: Transaction, run_id: str, number: int, attempt: Attempt, feedback: Feedback | None) -> None:
    tx.execute("DELETE FROM attempts WHERE run_id = ? AND number = ?", (run_id, number))
    tx.execute(
        "INSERT INTO attempts (run_id, number, created, attempt, feedback) VALUES (?, ?, ?, ?, ?)",
        (
            run_id,
            number,
            time.time(),
            _json(replace(attempt, steps=())),
            _json(feedback) if feedback else None,
        ),
    )
    tx.executemany(
        "INSERT INTO steps (run_id, attempt, idx, step) VALUES (?, ?, ?, ?)",
        [(run_id, number, idx, _json(step)) for idx, step in enumerate(attempt.steps)],
    )


def _summary_fields(row: sqlite3.Row) -> dict[str, Any]:
    plain = ("id", "started", "finished", "question", "task_id", "level", "answer", "reward", "model", "strategy")
    killed = row["status"] == RUNNING and process.gone(row["owner"])
    return {
        **{name: row[name] for name in plain},
        "status": INTERRUPTED if killed else row["status"],
        "usage": from_json(Usage, row["usage"]) if row["usage"] else Usage(),
    }


def _storable(value: Any) -> Any:
    """Text without lone surrogates, which SQLite cannot hold and odd file names can bring in."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _json(record: object) -> str:
    return str(_storable(json.dumps(to_data(record), ensure_ascii=False)))
