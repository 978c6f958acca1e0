"""The records: sums, checks, and what a generator may see."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentfly.records import from_json, to_json
from agentfly.types import Attempt, Feedback, Step, Task, Usage


def test_usage_adds_up_field_by_field() -> None:
    total = Usage(calls=1, prompt_tokens=5, cost_usd=0.5) + Usage(calls=2, completion_tokens=7, failed_calls=1)
    assert total == Usage(calls=3, prompt_tokens=5, completion_tokens=7, cost_usd=0.5, failed_calls=1)
    assert total.tokens == 12


def test_the_same_task_has_the_same_id_and_another_task_another() -> None:
    assert Task("q", files=(Path("/a/x.csv"),)).id == Task("q", files=(Path("/b/x.csv"),)).id
    assert len({Task("q").id, Task("r").id, Task("q", files=(Path("x.csv"),)).id}) == 3


def test_without_reference_hides_reference_and_metadata_and_keeps_the_id() -> None:
    task = Task("q", reference="secret", metadata={"steps": "secret"})
    hidden = task.without_reference()
    assert hidden.id == task.id
    assert "secret" not in to_json(hidden)
    assert "secret" not in repr(task)


@pytest.mark.parametrize("reward", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_reward_outside_zero_to_one_is_refused(reward: float) -> None:
    with pytest.raises(ValueError, match="reward"):
        Feedback(reward=reward)


def test_records_survive_json() -> None:
    attempt = Attempt(task_id="t", steps=(Step(index=1, action="x\n'\"", observation="é\u2028"),), answer="4")
    assert from_json(Attempt, to_json(attempt)) == attempt
    task = Task("q", files=(Path("a b.csv"),), reference="r", metadata={"n": [1]})
    assert from_json(Task, to_json(task)) == task


def test_half_a_surrogate_pair_spoils_neither_an_id_nor_a_record() -> None:
    task = Task("odd \ud800 name", files=(Path("x\udcff.csv"),))
    assert task.id.startswith("task-")
    attempt = Attempt(task_id="t", answer="a\ud800b")
    assert from_json(Attempt, to_json(attempt)).answer == "a?b"
