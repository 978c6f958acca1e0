"""Plans: what they default to, the order of an epoch, and what makes two courses the same one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.errors import InputError
from agentfly.learning.adaptation.plan import Budget, Plan, identity, ordered, windows
from agentfly.types import Task

TASKS = [Task(f"question {n}", reference=str(n), id=f"t{n}", level=str(n % 3)) for n in range(12)]


def same(tasks: list[Task] = TASKS, plan: Plan = Plan(), settings: dict[str, Any] | None = None) -> str:
    return identity({"learn": tasks}, plan, settings or {}, "model")


def test_online_learns_after_each_answer_unless_told_otherwise() -> None:
    assert (Plan().window, Plan(mode="online").window, Plan(mode="online", window=8).window) == (4, 1, 8)


@pytest.mark.parametrize("name", ["epochs", "window", "concurrency", "every", "patience"])
def test_numbers_out_of_range_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} must be at least 1, not -1"):
        Plan(**{name: -1})


def test_online_sees_each_task_once() -> None:
    with pytest.raises(InputError, match="epochs must be 1"):
        Plan(mode="online", epochs=2)


def test_an_unknown_part_is_named() -> None:
    with pytest.raises(InputError, match="unknown part 'rules'; what is learned is: cases, strategies"):
        Plan(ablations=(("rules",),))


@given(st.lists(st.sampled_from(["given", "shuffled", "difficulty"]), min_size=1, max_size=1), st.integers(0, 9))
def test_every_order_has_every_task_once_and_is_the_same_again(order: list[Any], seed: int) -> None:
    plan, rewards = Plan(order=order[0], seed=seed), {"t3": [1.0], "t4": [0.0, 0.0]}
    found = ordered(TASKS, plan, 2, rewards)
    assert sorted(task.id for task in found) == sorted(task.id for task in TASKS)
    assert found == ordered(TASKS, plan, 2, dict(reversed(rewards.items())))


def test_what_was_solved_comes_first_and_what_was_not_comes_last() -> None:
    found = ordered(TASKS, Plan(order="difficulty"), 2, {"t3": [1.0], "t4": [0.0], "t5": [1.0, 0.0]})
    assert (found[0].id, found[-1].id) == ("t3", "t4")
    first = ordered(TASKS, Plan(order="difficulty"), 1, {})
    assert [task.level for task in first] == sorted(task.level or "" for task in TASKS)


def test_shuffles_differ_between_epochs() -> None:
    plan = Plan(order="shuffled")
    assert ordered(TASKS, plan, 1, {}) != ordered(TASKS, plan, 2, {})


def test_windows_hold_every_task_with_its_place() -> None:
    found = windows(TASKS, 5)
    assert [len(window) for window in found] == [5, 5, 2]
    assert [place for window in found for place, _ in window] == list(range(12))


@pytest.mark.parametrize(
    "other",
    [
        {"tasks": TASKS[:-1]},
        {"tasks": TASKS[::-1]},
        {"tasks": [replace(TASKS[0], reference="x"), *TASKS[1:]]},
        {"tasks": [replace(TASKS[0], instructions="in words"), *TASKS[1:]]},
        {"tasks": [replace(TASKS[0], level="9"), *TASKS[1:]]},
        {"plan": Plan(epochs=2)},
        {"plan": Plan(seed=1)},
        {"plan": Plan(budget=Budget(tokens=5))},
        {"settings": {"gate": "always"}},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_the_result_rests_on_makes_another_course(other: dict[str, Any]) -> None:
    assert same(**other) != same()


def test_how_many_at_once_makes_no_other_course() -> None:
    assert same(plan=Plan(concurrency=8, window=4)) == same(plan=Plan(window=4))
    assert Plan(concurrency=8).window == 8, "a window fills what may go on at once"


def test_files_count_by_what_they_hold(tmp_path: Path) -> None:
    def over(folder: str, text: str) -> str:
        file = tmp_path / folder / "data.csv"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return same([replace(TASKS[0], files=(file,))])

    first = over("a", "1,2")
    assert over("b", "1,2") == first
    assert over("a", "1,3") != first
    missing = same([replace(TASKS[0], files=(tmp_path / "gone.csv",))])
    assert missing != first
