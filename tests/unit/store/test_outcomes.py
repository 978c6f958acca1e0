"""What the record says of the bullets that runs had."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agentfly.protocols import Exposure
from agentfly.store.home import Home
from agentfly.store.runs import RunStore
from agentfly.types import Attempt, Feedback, Learned, Questioned, RunResult, Task, Usage

TASK = Task("How many?", reference="7")
ASKED = Questioned(answer="7.00", checks=("che-00002",), reward=0.0)
ATTEMPT = Attempt(
    task_id=TASK.id,
    answer="7",
    status="answered",
    solution="print(7)\n" * 100,
    shown_bullets=("str-00001",),
    cited=("str-00001", "case-1"),
    left_out=("str-00003",),
    leave_out=0.05,
    checks=("che-00002",),
    questioned=(ASKED, Questioned(answer="\ud800", checks=("che-00002", "che-00004"))),
)
RIGHT = Feedback(reward=1.0, source="reference")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def runs(home: Home) -> RunStore:
    return RunStore(home.db)


def done(
    runs: RunStore, run: str, attempt: Attempt = ATTEMPT, feedback: Feedback | None = RIGHT, learn: bool = True
) -> None:
    runs.start(run, TASK, "m", "codeact", {}, learn=learn)
    result = RunResult(
        run_id=run,
        status="answered",
        answer=attempt.answer,
        reward=feedback.reward if feedback else None,
        steps=0,
        usage=Usage(),
        learned=Learned(),
        task=TASK,
        attempt=attempt,
        feedback=feedback,
    )
    runs.finish(run, result)


def test_one_record_for_each_run_that_was_learned_from(runs: RunStore) -> None:
    begun = time.time()
    done(runs, "r1")
    done(runs, "r2", replace(ATTEMPT, left_out=(), questioned=()), Feedback(reward=0.25))
    first, second = runs.exposures()
    assert begun <= first.started <= time.time()
    unknown = Questioned(answer="?", checks=("che-00002", "che-00004"))
    assert replace(first, started=0.0) == Exposure(
        run="r1",
        reward=1.0,
        shown=("str-00001",),
        checks=("che-00002",),
        cited=("str-00001", "case-1"),
        left_out=("str-00003",),
        leave_out=0.05,
        questioned=(ASKED, unknown),
    )
    assert (second.run, second.reward, second.left_out, second.questioned) == ("r2", 0.25, (), ())
    assert [one.run for one in runs.exposures(since=second.started)] == ["r2"]


def test_evaluations_unjudged_runs_and_further_attempts_are_left_out(runs: RunStore) -> None:
    done(runs, "evaluation", learn=False)
    done(runs, "unjudged", feedback=None)
    runs.start("going on", TASK, "m", "codeact", {})
    done(runs, "r1", feedback=Feedback(reward=0.0))
    runs.append_attempt("r1", ATTEMPT, RIGHT)
    assert [(one.run, one.reward) for one in runs.exposures()] == [("r1", 0.0)]


def test_an_attempt_of_an_older_version_has_less(home: Home, runs: RunStore) -> None:
    done(runs, "r1")
    with home.db.write() as tx:
        tx.execute(
            "UPDATE attempts SET attempt = json_remove(attempt, '$.checks', '$.left_out', '$.leave_out', '$.questioned')"
        )
    (found,) = runs.exposures()
    assert (found.shown, found.checks, found.left_out, found.leave_out, found.questioned) == (
        ("str-00001",),
        (),
        (),
        0.0,
        (),
    )


def test_what_a_person_said_later_counts(runs: RunStore) -> None:
    done(runs, "r1", feedback=None)
    runs.set_feedback("r1", Feedback(reward=0.5), Learned(cases=("case-1",)))
    assert [one.reward for one in runs.exposures()] == [0.5]


def test_ten_thousand_runs_are_read_in_time(home: Home, runs: RunStore) -> None:
    bullets = tuple(f"str-{number:05d}" for number in range(40))
    done(runs, "r0", replace(ATTEMPT, shown_bullets=bullets))
    with home.db.write() as tx:
        for table, columns in (
            ("runs", "started, finished, status, task_id, question, task, settings, feedback, learned, learn"),
            ("attempts", "number, created, attempt, feedback"),
        ):
            name = "id" if table == "runs" else "run_id"
            tx.execute(
                f"""WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
                    INSERT INTO {table} ({name}, {columns}) SELECT 'r' || i, {columns} FROM {table}, n"""
            )
    begun = time.process_time()  # what other processes take does not count
    found = runs.exposures()
    took = time.process_time() - begun
    assert (len(found), found[-1].shown) == (10_000, bullets)
    assert took < 5
