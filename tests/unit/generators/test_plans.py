"""Reading a plan, whatever a model makes of it, and bringing it into an order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.generators.plans import Part, Planned, in_order, plan_text, read_plan, worked_out
from agentfly.types import Reply, Subtask

ONE = {"id": 1, "task": "read the file", "needs": []}
TWO = {"id": 2, "task": "add it up", "needs": [1]}
PARTS = (Part("1", "read the file"), Part("2", "add it up", ("1",)))


def read(said: Any, **known: Any) -> Planned:
    return read_plan(Reply(text=said if isinstance(said, str) else json.dumps(said)), **known)


@pytest.mark.parametrize(
    "said",
    [
        {"subtasks": [ONE, TWO]},
        {"thought": "Two parts.", "subtasks": [ONE, TWO], "answer": ""},
        {"subtasks": [ONE, TWO], "answer": None, "reason": "none"},
        [ONE, TWO],
        {"plan": {"subtasks": [ONE, TWO]}},
        {"plan": [ONE, TWO]},
        {"subtasks": [{"id": "1", "task": "read  the\nfile"}, {"id": "2", "task": "add it up", "needs": "1"}]},
        {"subtasks": [{"id": "Task 1", "task": "read the file"}, {"id": "#2", "task": "add it up", "needs": ["1."]}]},
        {"subtasks": [{"id": 1.0, "task": "read the file"}, {"id": 2, "task": "add it up", "needs": 1}]},
        {"subtasks": [{"task": "read the file"}, {"task": "add it up", "depends_on": [1]}]},
        {"subtasks": ["read the file", {"description": "add it up", "needs": [{"id": 1}]}]},
        {"subtasks": [{"id": None, "task": "read the file", "needs": None}, {"task": "add it up", "needs": [1, 1, None]}]},
        {"subtasks": {"1": "read the file", "2": {"task": "add it up", "needs": "subtask 1"}}},
        {"subtasks": [TWO, ONE]},
        "Here is my plan.\n```json\n" + json.dumps({"subtasks": [ONE, TWO]}, indent=2) + "\n```\nGood luck!",
        "Given {x}: " + json.dumps({"unlike": "a plan"}) + " " + json.dumps({"subtasks": [ONE, TWO]}) + " and more {",
    ],
)  # fmt: skip
def test_what_is_meant_is_understood(said: Any) -> None:
    assert read(said) == Planned(parts=PARTS, thought="Two parts." if "Two" in str(said) else "")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("I would first read the file.", "no complete JSON object"),
        ("", "no complete JSON object"),
        ('{"subtasks": [{"id": 1, "task": "read', "no complete JSON object"),
        ({"steps_to_take": []}, 'neither "subtasks" nor "answer"'),
        ({"subtasks": []}, "no subtasks"),
        ({"subtasks": [], "answer": " "}, "no subtasks"),
        ({"subtasks": [{"id": 1, "task": " "}]}, "subtasks.0.task"),
        ({"subtasks": [{"id": 1}]}, "subtasks.0.task"),
        ({"subtasks": [{"id": 1, "task": "x" * 5000}]}, "subtasks.0.task"),
        ({"subtasks": 7}, "subtasks"),
        ({"subtasks": [ONE, {**TWO, "id": 1}]}, "the id 1 stands for several subtasks"),
        ({"subtasks": [ONE, {**TWO, "needs": [9]}]}, "needs '9', which there is not"),
        ({"subtasks": [{**ONE, "needs": [2]}, TWO]}, "1, 2 wait for one another"),
        ({"subtasks": [{**ONE, "needs": [1]}]}, "1 wait for one another"),
        ({"subtasks": [{"task": f"part {i}"} for i in range(9)]}, "9 subtasks, and 8 are allowed"),
        ("[" * 5000 + "]" * 5000, "cannot be used"),
        ({"answer": json.loads("[" * 400 + "]" * 400)}, "nested too deeply"),
    ],
)
def test_a_defect_is_told(said: Any, problem: str) -> None:
    planned = read(said)
    assert problem in planned.problem
    assert (planned.parts, planned.answer) == ((), None)


def test_a_reply_that_was_cut_is_told_so() -> None:
    cut = Reply(text='{"subtasks": [{"id": 1, "task": "read', finish_reason="length")
    assert "cut off" in read_plan(cut).problem


def test_every_defect_of_a_plan_is_told_at_once() -> None:
    problem = read({"subtasks": [{**ONE, "needs": [1]}, {**TWO, "needs": ["x"]}]}).problem
    assert "wait for one another" in problem
    assert "'x'" in problem


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({"answer": "42"}, "42"),
        ({"subtasks": [], "answer": 42}, "42"),
        ({"final_answer": ["a", "b"]}, "a, b"),
        ({"answer": 0}, "0"),
        ({"answer": False}, "False"),
        ('The answer is: {"thought": null, "answer": "x"}', "x"),
    ],
)
def test_an_answer_in_any_shape(said: Any, answer: str) -> None:
    assert read(said) == Planned(answer=answer)


def test_an_answer_counts_beside_a_plan_that_cannot_be_followed() -> None:
    assert read({"subtasks": [{**ONE, "needs": [9]}], "answer": "42"}) == Planned(answer="42")
    assert read({"subtasks": [ONE], "answer": "42"}) == Planned(parts=PARTS[:1], answer="42")


def test_a_new_plan_may_need_what_is_done() -> None:
    assert read({"subtasks": [{**TWO, "id": 3}]}, done={"1"}).parts == (Part("3", "add it up", ("1",)),)
    assert read({"subtasks": [{**TWO, "id": 3}]}, done={"2"}).problem


def test_missing_ids_do_not_collide() -> None:
    parts = read({"subtasks": [{"task": "a"}, {"id": 1, "task": "b"}, {"task": "c"}, {"id": 3, "task": "d"}]}).parts
    assert [(part.id, part.task) for part in parts] == [("2", "a"), ("1", "b"), ("4", "c"), ("3", "d")]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["subtasks", "id", "task", "needs", "answer", "thought", "plan", "x"]), inner)
    ),
    max_leaves=20,
)


@given(anything)
def test_no_reply_is_too_strange(said: Any) -> None:
    planned = read(said)
    assert bool(planned.problem) != bool(planned.parts or planned.answer is not None)
    assert [part for part in planned.parts if not part.task or not part.id] == []


@given(st.text())
def test_no_text_is_too_strange(said: str) -> None:
    planned = read(said)
    assert planned.problem or planned.answer or planned.parts


@st.composite
def graphs(draw: st.DrawFn) -> list[Part]:
    size = draw(st.integers(1, 8))
    needs = draw(st.lists(st.sets(st.integers(1, size), max_size=3), min_size=size, max_size=size))
    return [Part(str(key), f"part {key}", tuple(map(str, sorted(needs[key - 1])))) for key in range(1, size + 1)]


@given(graphs())
def test_each_part_comes_after_what_it_needs_or_the_plan_is_refused(parts: list[Part]) -> None:
    said = {"subtasks": [{"id": part.id, "task": part.task, "needs": list(part.needs)} for part in parts]}
    planned = read(said)
    assert (planned.problem == "") == (not has_circle(parts))
    if not planned.problem:
        assert sorted(part.id for part in planned.parts) == sorted(part.id for part in parts)
    place = {part.id: number for number, part in enumerate(in_order(parts))}
    assert all(place[need] < place[part.id] for part in in_order(parts) for need in part.needs)


def has_circle(parts: list[Part]) -> bool:
    """By walking from each part along what it needs, for as many steps as there are parts."""
    needs = {part.id: set(part.needs) for part in parts}
    for start in needs:
        reached = needs[start]
        for _ in parts:
            reached = reached | {further for key in reached for further in needs[key]}
        if start in reached:
            return True
    return False


@given(st.permutations([*PARTS, Part("3", "check it", ("2", "1")), Part("4", "look elsewhere")]))
def test_what_is_free_keeps_its_place(parts: list[Part]) -> None:
    order = [part.id for part in in_order(parts)]
    assert order.index("1") < order.index("2") < order.index("3")
    if parts[0].id == "4":
        assert order[0] == "4"


def test_told_again() -> None:
    assert plan_text(PARTS) == "1. read the file\n2. add it up (needs 1)"
    done = Subtask(id="1", task="read the file", answer="3", status="answered", solution="x = 1\nfinal_answer(x)")
    called = Subtask(id="2", task="look it up", answer="4", status="answered", solution='1. search({"query": "x"})')
    lost = Subtask(id="3", task="guess", answer="5", status="limit", solution="final_answer(5)")
    assert worked_out([done, lost, called]) == (
        "1. read the file\n```python\nx = 1\nfinal_answer(x)\n```\n2. look it up\n" + called.solution
    )
