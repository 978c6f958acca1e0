"""The record of runs: everything comes back as it went in, and a killed run is told apart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentfly.errors import InputError
from agentfly.store.home import Home
from agentfly.store.runs import RunStore
from agentfly.types import Attempt, Feedback, Learned, RunResult, Step, Task, Usage

ROOT = Path(__file__).resolve().parents[3]
TASK = Task("How many?", files=(Path("a.csv"),), reference="7", level="1", metadata={"k": [1]})
STEP = Step(index=0, thought="hm", action="print(7)", observation="7\ud800", final=True, usage=Usage(calls=1))
ATTEMPT = Attempt(task_id=TASK.id, steps=(STEP,), answer="7", status="answered", solution="print(7)", sandbox="bwrap")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def runs(home: Home) -> RunStore:
    return RunStore(home.db)


def result(run_id: str) -> RunResult:
    return RunResult(
        run_id=run_id,
        status="answered",
        answer="7",
        reward=1.0,
        steps=1,
        usage=Usage(calls=3, prompt_tokens=10),
        recalled=("case-1",),
        bullets=("str-00001",),
        learned=Learned(cases=("case-2",), accepted=True, delta=4),
        task=TASK,
        attempt=ATTEMPT,
        feedback=Feedback(reward=1.0, text="right", source="reference"),
    )


def test_a_finished_run_comes_back_whole(runs: RunStore) -> None:
    runs.start("run-1", TASK, "m", "codeact", {"limits": {"steps": 3}})
    assert runs.show("run-1").status == "running"
    runs.add_attempt("run-1", 1, ATTEMPT, Feedback(reward=0.5))
    runs.finish("run-1", result("run-1"))
    record = runs.show("run")
    assert record.id == "run-1"
    assert record.task == TASK
    assert record.task.reference == "7"
    assert record.settings == {"limits": {"steps": 3}}
    assert (record.status, record.answer, record.reward, record.sandbox) == ("answered", "7", 1.0, "bwrap")
    assert record.usage == Usage(calls=3, prompt_tokens=10)
    assert record.learned == result("x").learned
    assert record.feedback == result("x").feedback
    assert (record.shown_cases, record.shown_bullets) == (("case-1",), ("str-00001",))
    assert [trial.number for trial in record.trials] == [0, 1]
    assert record.attempts[0].steps[0].action == "print(7)"
    assert record.attempts[0].answer == "7"
    assert record.trials[1].feedback == Feedback(reward=0.5)
    assert record.finished is not None


def test_feedback_after_the_fact(runs: RunStore) -> None:
    runs.start("run-1", TASK, "m", "codeact", {})
    runs.finish("run-1", result("run-1"))
    later = Feedback(reward=0.0, text="wrong unit")
    runs.set_feedback("run-1", later, Learned(cases=("case-9",)))
    record = runs.show("run-1")
    assert (record.reward, record.feedback, record.trials[0].feedback) == (0.0, later, later)
    assert record.learned.cases == ("case-9",)


def test_recent_is_newest_first_and_limited(runs: RunStore) -> None:
    for i in range(5):
        runs.start(f"run-{i}", TASK, "m", "codeact", {})
    assert [run.id for run in runs.recent(2)] == ["run-4", "run-3"]
    assert runs.count() == 5


@pytest.mark.parametrize("given", ["nope", "", "run-", "%", "run_1"])
def test_unknown_and_ambiguous_ids(runs: RunStore, given: str) -> None:
    runs.start("run-1", TASK, "m", "codeact", {})
    runs.start("run-2", TASK, "m", "codeact", {})
    with pytest.raises(InputError) as caught:
        runs.show(given)
    assert "\n" not in str(caught.value)


def test_an_id_that_begins_another_one_is_found(runs: RunStore) -> None:
    runs.start("run-1", TASK, "m", "codeact", {})
    runs.start("run-10", TASK, "m", "codeact", {})
    assert runs.show("run-1").id == "run-1"


def test_an_id_cannot_be_used_twice_and_a_missing_run_not_finished(runs: RunStore) -> None:
    runs.start("run-1", TASK, "m", "codeact", {})
    with pytest.raises(InputError):
        runs.start("run-1", TASK, "m", "codeact", {})
    with pytest.raises(InputError):
        runs.finish("run-2", result("run-2"))
    with pytest.raises(InputError):
        runs.add_attempt("run-2", 0, ATTEMPT)


def test_an_attempt_of_the_same_number_is_replaced(runs: RunStore) -> None:
    runs.start("run-1", TASK, "m", "codeact", {})
    runs.add_attempt("run-1", 0, ATTEMPT)
    runs.add_attempt("run-1", 0, Attempt(task_id=TASK.id, status="limit", reason="steps"))
    (trial,) = runs.show("run-1").trials
    assert (trial.attempt.status, trial.attempt.steps) == ("limit", ())


def test_failed_and_reopened(runs: RunStore) -> None:
    runs.start("run-1", TASK, "m", "codeact", {})
    runs.fail("run-1", "interrupted")
    assert (runs.show("run-1").status, runs.show("run-1").reason) == ("interrupted", "interrupted")
    runs.reopen("run-1")
    assert runs.show("run-1").status == "running"
    with pytest.raises(InputError, match="being worked on"):
        runs.reopen("run-1")


KILLED = """
import sys, time
from agentfly.store.home import Home
from agentfly.store.runs import RunStore
from agentfly.types import Task
RunStore(Home.open(sys.argv[1]).db).start("run-killed", Task("q"), "m", "codeact", {})
print("started", flush=True)
time.sleep(60)
"""


def test_killed_run_is_seen_as_interrupted(home: Home, runs: RunStore) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(home.path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.readline()
    runs.start("run-alive", TASK, "m", "codeact", {})
    assert runs.show("run-killed").status == "running"
    assert runs.close_interrupted() == 0
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert {run.id: run.status for run in runs.recent()} == {"run-killed": "interrupted", "run-alive": "running"}
    assert runs.close_interrupted() == 1
    assert home.db.read("SELECT status FROM runs WHERE id = 'run-killed'")[0][0] == "interrupted"


def test_a_run_is_found_by_its_whole_id_or_not_at_all(runs: RunStore) -> None:
    for name in ("run-1", "run-10"):
        runs.start(name, TASK, "m", "codeact", {})
    found = runs.find("run-1")
    assert found is not None
    assert (found.id, found.task) == ("run-1", TASK)
    assert runs.find("run-") is None
