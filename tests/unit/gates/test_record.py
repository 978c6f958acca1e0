"""What the record of runs offers a gate to try again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agentfly.errors import InputError
from agentfly.store.home import Home
from agentfly.store.runs import RunStore
from agentfly.types import Attempt, Feedback, Learned, RunResult, Task, Usage

KEPT = Learned(cases=("case-1",), accepted=True, delta=1)


@pytest.fixture
def runs(tmp_path: Path) -> RunStore:
    return RunStore(Home.open(tmp_path / "home").db)


def done(
    runs: RunStore,
    run: str,
    task: Task,
    reward: float = 1.0,
    learned: Learned = KEPT,
    source: str = "reference",
    learn: bool = True,
) -> None:
    attempt = Attempt(
        task_id=task.id, answer="a", status="answered", shown_bullets=("str-00001",), cited=("str-00001",)
    )
    feedback = Feedback(reward=reward, source=source)  # type: ignore[arg-type]
    runs.start(run, task, "m", "s", {}, learn=learn)
    result = RunResult(
        run_id=run,
        status="answered",
        answer="a",
        reward=reward,
        steps=1,
        usage=Usage(),
        learned=learned,
        task=task,
        attempt=attempt,
        feedback=feedback,
    )
    runs.finish(run, result)


def test_each_solved_task_stands_once_by_its_latest_success_and_without_its_reference(runs: RunStore) -> None:
    one, two = Task("one", reference="secret"), Task("two", reference="secret")
    for run, task in (("r1", one), ("r2", two), ("r3", one)):
        done(runs, run, task)
    found = runs.solved()
    assert [(item.run, item.task.question) for item in found] == [("r3", "one"), ("r2", "two")]
    assert all(item.task.reference is None for item in found)
    assert (found[0].shown, found[0].cited, found[0].reward) == (("str-00001",), ("str-00001",), 1.0)
    assert [item.run for item in runs.solved(exclude_task=one.id)] == ["r2"]


def test_failures_and_runs_without_learning_are_left_out(runs: RunStore) -> None:
    done(runs, "r1", Task("one", reference="x"), reward=0.0, learned=replace(KEPT, accepted=False))
    done(runs, "r2", Task("two", reference="x"), learned=Learned(), learn=False)
    done(runs, "r3", Task("three"), source="human")
    runs.start("r4", Task("four", reference="x"), "m", "s", {})
    assert runs.solved() == []


def test_a_task_that_a_kept_change_mended_counts_and_one_that_a_dropped_change_mended_does_not(runs: RunStore) -> None:
    right = Feedback(reward=1.0, source="reference")
    for run, accepted in (("r1", True), ("r2", False)):
        done(runs, run, Task(run, reference="x"), reward=0.0, learned=replace(KEPT, accepted=accepted))
        assert runs.append_attempt(run, Attempt(task_id="t", answer="b"), right) == 1
    assert [item.run for item in runs.solved()] == ["r1"]


def test_a_file_that_is_gone_takes_its_task_out(runs: RunStore, tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_text("a")
    done(runs, "r1", Task("one", (file,), reference="x"))
    assert [item.run for item in runs.solved()] == ["r1"]
    file.unlink()
    assert runs.solved() == []


def test_appended_attempts_are_numbered_on_and_need_a_run(runs: RunStore) -> None:
    done(runs, "r1", Task("one", reference="x"))
    assert [runs.append_attempt("r1", Attempt(task_id="t")) for _ in range(2)] == [1, 2]
    assert runs.attempts("r1") == 3
    assert len(runs.show("r1").trials) == 3
    with pytest.raises(InputError):
        runs.append_attempt("r9", Attempt(task_id="t"))
