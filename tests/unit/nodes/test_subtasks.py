"""Which subtasks of a run become cases, and what these say."""

from __future__ import annotations

from dataclasses import replace

from agentfly.nodes.subtasks import MOST, subtask_cases
from agentfly.types import Attempt, Case, Provenance, Subtask

WHOLE = Case(
    question="What do they add up to?",
    solution="1. read them",
    answer="42",
    reward=0.9,
    lesson="Add.",
    task_id="t1",
    domain="sums",
    tags=("mine",),
    provenance=Provenance(run="r1", model="m", strategy="plan", tools=("search", "convert"), feedback="reference"),
)
DONE = Subtask(
    id="1", task="read them", answer="17, 25", status="answered", solution="final_answer([17, 25])", tools=("convert",)
)


def cases(*subtasks: Subtask, whole: Case = WHOLE) -> tuple[Case, ...]:
    return subtask_cases(whole, Attempt(task_id="t1", subtasks=subtasks))


def test_a_subtask_is_kept_under_its_task_without_an_answer() -> None:
    (case,) = cases(DONE)
    assert case == replace(
        WHOLE,
        question="read them",
        solution="final_answer([17, 25])",
        answer=None,
        lesson="",
        tags=("mine", "subtask"),
        provenance=replace(WHOLE.provenance, tools=("convert",)),
    )


def test_only_what_worked_and_can_be_shown_again_is_kept() -> None:
    cut = replace(DONE, task="guess", status="limit")
    empty = replace(DONE, task="state it", solution=" ")
    itself = replace(DONE, task="what do they  add up to?")
    assert [case.question for case in cases(cut, empty, DONE, itself)] == ["read them"]
    assert cases(DONE, whole=replace(WHOLE, reward=0.4)) == ()
    assert cases() == ()


def test_the_latest_way_of_several_is_kept() -> None:
    better = replace(DONE, task="Read them", solution="final_answer(read())")
    assert [case.solution for case in cases(DONE, better)] == ["final_answer(read())"]


def test_there_is_a_most() -> None:
    many = [replace(DONE, task=f"part {number}") for number in range(MOST + 3)]
    assert [case.question for case in cases(*many)] == [f"part {number}" for number in range(3, MOST + 3)]


def test_calls_are_kept_with_what_they_led_to() -> None:
    called = replace(DONE, solution='1. search({"query": "x"})', answer="17,\n25")
    assert cases(called)[0].solution == '1. search({"query": "x"})\nIt gave: 17, 25'


def test_it_has_the_standing_of_the_whole() -> None:
    assert cases(DONE, whole=replace(WHOLE, status="quarantined"))[0].status == "quarantined"
