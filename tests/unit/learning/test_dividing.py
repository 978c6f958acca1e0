"""No task is both learned from and judged by, however the groups are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.errors import InputError
from agentfly.learning.dividing import divide
from agentfly.types import Task


def tasks(*questions: str, prefix: str = "t") -> list[Task]:
    return [Task(question, reference="1", id=f"{prefix}{place}") for place, question in enumerate(questions)]


def names(group: Any) -> list[str]:
    return [task.question for task in group]


QUESTIONS = st.lists(st.sampled_from("abcdefghij"), max_size=12)
WANTED = st.one_of(st.integers(1, 8), st.floats(0.05, 0.95), QUESTIONS)


@given(
    st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=15),
    WANTED,
    WANTED,
    st.none() | st.integers(1, 5),
    st.integers(),
)
def test_no_task_is_learned_from_and_judged_by(
    questions: list[str], validation: Any, test: Any, limit: int | None, seed: int
) -> None:
    own = [value if isinstance(value, int | float) else tasks(*value) for value in (validation, test)]
    given_ = [Task(q, reference="1", id=f"t{place}") for place, q in enumerate(questions)]
    try:
        groups = divide(given_, validation=own[0], test=own[1], limit=limit, seed=seed)
    except InputError:  # nothing would be left
        return
    asked = [set(names(group)) for group in (groups.train, groups.validation, groups.test)]
    assert asked[0].isdisjoint(asked[1] | asked[2])
    assert asked[1].isdisjoint(asked[2])
    ids = [task.id for group in (groups.train, groups.validation, groups.test) for task in group]
    assert len(set(ids)) == len(ids)
    assert groups.train
    assert limit is None or len(groups.train) <= limit
    assert groups == divide(given_, validation=own[0], test=own[1], limit=limit, seed=seed)


def test_neither_limit_nor_validation_changes_what_is_tested_on() -> None:
    given_ = tasks(*(f"question {n}" for n in range(40)))
    tested = [
        divide(given_, test=10, seed=3, **more).test
        for more in ({}, {"limit": 2}, {"validation": 5}, {"validation": 0.5})
    ]
    assert all(group == tested[0] for group in tested)
    assert tested[0] != divide(given_, test=10, seed=4).test


def test_a_share_of_the_validation_is_of_what_the_test_leaves() -> None:
    groups = divide(tasks(*(f"question {n}" for n in range(40))), test=20, validation=0.5)
    assert (len(groups.test), len(groups.validation), len(groups.train)) == (20, 10, 10)


def test_tasks_of_a_dataset_to_test_on_are_not_learned_from_and_that_is_said() -> None:
    groups = divide(tasks("a", "B  b", "c"), test=tasks("b B", "x", prefix="other"))
    assert names(groups.train) == ["a", "c"]
    assert groups.notices == ("1 of 3 tasks are left out of learning: they are in the test too",)


def test_the_same_question_over_other_files_is_another_task(tmp_path: Path) -> None:
    for name, text in (("one", "1"), ("two", "2"), ("copy", "1")):
        (tmp_path / name).write_text(text)
    one, two, copy = (Task("Sum?", files=(tmp_path / name,), id=name) for name in ("one", "two", "copy"))
    groups = divide([two, copy], test=[one])
    assert [task.id for task in groups.train] == ["two"], "the copy is the same file under another name"


def test_tasks_with_a_key_in_common_with_the_test_are_left_out() -> None:
    learned = [Task(f"q{n}", id=f"q{n}", metadata={"together": (f"row {n}",)}) for n in range(3)]
    tested = [Task("other", metadata={"together": ("row 1", "row 9")})]
    assert names(divide(learned, test=tested).train) == ["q0", "q2"]


def test_validation_is_not_on_what_is_tested() -> None:
    groups = divide(tasks("a", "b"), validation=tasks("x", "y", prefix="v"), test=tasks("y", "z", prefix="w"))
    assert (names(groups.validation), names(groups.test)) == (["x"], ["y", "z"])
    assert groups.notices == ("1 of 2 tasks are left out of validation: they are in the test too",)


def test_two_datasets_may_number_their_rows_alike() -> None:
    groups = divide(tasks("a", "b"), test=tasks("x", "y"), validation=tasks("v"))
    assert [task.id for task in groups.test] == ["t0", "t1"]
    assert [task.id for task in groups.validation] == ["t0-2"]
    assert [task.id for task in groups.train] == ["t0-3", "t1-2"]


def test_nothing_left_to_learn_from_is_refused() -> None:
    with pytest.raises(InputError, match="nothing left to learn from"):
        divide(tasks("a"), test=tasks("a"))
    with pytest.raises(InputError, match="limit must be at least 1"):
        divide(tasks("a", "b"), limit=0)
