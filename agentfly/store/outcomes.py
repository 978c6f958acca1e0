"""What the record of runs says about how attempts ended: past successes to try again, answers to measure checks on, what
each run's bullets came with.

Runs that nothing was learned from, as in an evaluation, are left out of all of it: whoever learned from the tasks of a test
set would have nothing to measure with.
"""

from __future__ import annotations

import json
import sqlite3

from agentfly.protocols import Exposure, Judged, Solved, Subject
from agentfly.records import from_json
from agentfly.store.database import Database
from agentfly.types import Attempt, Questioned, Step, Task

_EXPOSED = ("shown_bullets", "checks", "cited", "left_out", "questioned", "leave_out")
"""What is read of an attempt: there are thousands of them, and the rest is long."""


def solved(db: Database, *, exclude_task: str | None = None, limit: int = 1000) -> list[Solved]:
    """Tasks that were solved and learned from, each by its latest success, newest first.

    A further attempt that a kept change of the playbook mended counts as well: it must not break again. Only what can be
    tried and judged again: the files are still there, and there is more to judge by than what a person said about one
    answer.

    Args:
        db: the home's database.
        exclude_task: id of a task to leave out.
        limit: how many successes to look at, the latest ones.
    """
    rows = db.read(
        """SELECT r.id, r.task, r.strategy, r.feedback, r.learn, r.learned, a.number, a.attempt, json_extract(a.feedback, '$.reward') AS reward
           FROM runs r JOIN attempts a ON a.run_id = r.id
           WHERE json_extract(a.feedback, '$.reward') >= 0.5 AND r.finished IS NOT NULL AND r.task_id IS NOT ?
           ORDER BY r.seq DESC, a.number LIMIT ?""",
        (exclude_task, limit),
    )
    found: dict[str, Solved] = {}
    for row in rows:
        task, attempt = from_json(Task, row["task"]), json.loads(row["attempt"])
        if task.id not in found and _learned_from(row) and _can_be_judged(row, task):
            found[task.id] = Solved(
                run=row["id"],
                task=task.without_reference(),
                reward=row["reward"],
                shown=tuple(attempt.get("shown_bullets", ())),
                cited=tuple(attempt.get("cited", ())),
            )
    return [one for one in found.values() if all(file.is_file() for file in one.task.files)]


def judged(db: Database, *, limit: int = 400) -> list[Judged]:
    """Answers whose worth is known, newest first: those that attempts gave, and those that checks had reconsidered.

    Of one task's attempts with one and the same answer, the latest stands for all: a task that is tried again and again
    must not count again and again.

    Args:
        db: the home's database.
        limit: how many judged attempts to look at, the latest ones.
    """
    rows = db.read(
        """SELECT r.id, r.task, a.number, a.attempt, json_extract(a.feedback, '$.reward') AS reward
           FROM runs r JOIN attempts a ON a.run_id = r.id
           WHERE a.feedback IS NOT NULL AND r.learn
             AND NOT (a.feedback ->> 'source' = 'environment' AND a.feedback ->> 'reward' = 0.5)  -- nobody checked it
           ORDER BY r.seq DESC, a.number DESC LIMIT ?""",
        (limit,),
    )
    found: dict[tuple[str, str], Judged] = {}
    for row in rows:
        task, attempt = from_json(Task, row["task"]), from_json(Attempt, row["attempt"])
        known = [(attempt.answer, row["reward"])] if attempt.answer is not None else []
        known += [(said.answer, said.reward) for said in attempt.questioned if said.reward is not None]
        fresh = [(answer, reward) for answer, reward in known if (task.id, answer) not in found]
        if not fresh:
            continue
        steps = _steps(db, row["id"], row["number"])
        files = task.file_names
        for answer, reward in fresh:
            subject = Subject(question=task.question, answer=answer, steps=steps, files=files)
            found[task.id, answer] = Judged(id=f"{row['id']}/{row['number']}", subject=subject, reward=reward)
    return list(found.values())


def exposures(db: Database, *, since: float = 0.0) -> list[Exposure]:
    """The bullets of each run that was learned from, oldest first, with the feedback that it learned from.

    Only the answer that the user got counts: further attempts are made because the first one failed.

    Args:
        db: the home's database.
        since: seconds since the epoch; runs that were started before are left out.
    """
    wanted = ", ".join(f"'$.{name}'" for name in _EXPOSED)
    rows = db.read(
        f"""SELECT r.id, r.started, json_extract(a.feedback, '$.reward') AS reward, json_extract(a.attempt, {wanted}) AS had
            FROM runs r JOIN attempts a ON a.run_id = r.id AND a.number = 0
            WHERE a.feedback IS NOT NULL AND r.learn AND r.started >= ? ORDER BY r.seq""",
        (since,),
    )
    return [_exposure(row) for row in rows]


def _exposure(row: sqlite3.Row) -> Exposure:
    shown, checks, cited, left_out, questioned, leave_out = json.loads(row["had"])
    return Exposure(
        run=row["id"],
        started=row["started"],
        reward=row["reward"],
        shown=tuple(shown or ()),
        checks=tuple(checks or ()),  # attempts of an older version have none
        cited=tuple(cited or ()),
        left_out=tuple(left_out or ()),
        leave_out=leave_out or 0.0,
        questioned=tuple(
            Questioned(answer=said["answer"], checks=tuple(said["checks"]), reward=said["reward"])
            for said in questioned or ()
        ),
    )


def _steps(db: Database, run_id: str, number: int) -> tuple[Step, ...]:
    rows = db.read("SELECT step FROM steps WHERE run_id = ? AND attempt = ? ORDER BY idx", (run_id, number))
    return tuple(from_json(Step, row["step"]) for row in rows)


def _learned_from(row: sqlite3.Row) -> bool:
    """Whether the run may be learned from; of a further attempt also whether the playbook that it tried was kept."""
    learned = json.loads(row["learned"] or "{}")
    return bool(row["learn"]) and (row["number"] == 0 or bool(learned.get("accepted")))


def _can_be_judged(row: sqlite3.Row, task: Task) -> bool:
    """Whether another attempt can be judged: not where a person said so, nor where the verdict came with a trace."""
    feedback = json.loads(row["feedback"] or "{}")
    return task.reference is not None or (feedback.get("source") != "human" and row["strategy"] != "trace")
