"""The reflector's reply, and what is kept of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.config import Settings
from agentfly.nodes.diagnosis import Diagnosis, Shortcut, lesson, outcome_of, shortened, tags, trace, without_answers
from agentfly.nodes.evaluate import of_execution
from agentfly.nodes.reflect import hard_won, worth_a_call
from agentfly.protocols import UNKNOWN, Trial
from agentfly.structured import read
from agentfly.types import Attempt, Feedback, Questioned, Reflection, Reply, Step

STEPS = (Step(index=0, action="1/0", observation="ZeroDivisionError", error=True), Step(index=1, final=True))


def attempt(**fields: Any) -> Attempt:
    return Attempt(**{"task_id": "t", "answer": "6", "status": "answered", "steps": STEPS, **fields})


@pytest.mark.parametrize("kind", [Diagnosis, Shortcut])
def test_an_over_long_text_is_cut_and_needs_no_repair(kind: type[Diagnosis] | type[Shortcut]) -> None:
    said = {"diagnosis": "word " * 400, "cause": "x" * 999, "approach": "y z " * 300, "insight": "rule " * 300}
    found = read(Reply(text=json.dumps(said)), kind)
    assert len(found.diagnosis) <= 240
    assert len(found.insight) <= 240
    assert found.insight.startswith("rule rule")
    assert found.insight.endswith("rule…"), "cut at a word"


def test_what_a_small_model_puts_into_a_list_of_ids_is_read_as_far_as_it_goes() -> None:
    said = {
        "diagnosis": "d",
        "insight": "i",
        "helpful": ["[str-00001]", 3, None],
        "harmful": "str-00002",
        "neutral": None,
    }
    found = read(Reply(text=json.dumps({**said, "cause": None})), Diagnosis)
    assert (found.helpful, found.harmful, found.neutral) == (["str-00001"], ["str-00002"], [])
    assert found.cause == ""
    assert len(read(Reply(text=json.dumps({**said, "helpful": ["x"] * 99})), Diagnosis).helpful) == 8


def test_only_what_was_shown_is_tagged_and_what_is_called_two_things_is_left_alone() -> None:
    shown = attempt(shown_bullets=("str-1", "str-2", "str-3"), shown_cases=("case-1",))
    found = Diagnosis(
        diagnosis="d",
        insight="i",
        helpful=["str-1", "str-2", "str-9"],
        harmful=["str-2", "case-1"],
        neutral=["str-3", "case-9"],
    )
    assert tags(found, shown) == {"str-1": "helpful", "str-3": "neutral", "case-1": "harmful"}


@pytest.mark.parametrize(
    ("text", "answer", "left"),
    [
        ("It is 6.", "6", "It is …."),
        ("Divide by 0.6 and 16 and 6.5.", "6", "Divide by 0.6 and 16 and 6.5."),
        ("Say New  york, then stop.", "new York", "Say …, then stop."),
        ("Take a mean of column A.", "A", "Take a mean of column …."),
        ("Nothing to hide.", "", "Nothing to hide."),
        ("a.b|c (x", "(x", "a.b|c …"),
    ],
)
def test_the_right_answer_is_taken_out_of_what_the_reflector_says(text: str, answer: str, left: str) -> None:
    assert without_answers(text, [None, answer], "Which one?") == left


def test_what_the_question_names_is_no_secret() -> None:
    text = "Say 'not normal' where p < 0.05."
    assert without_answers(text, ["not normal"], "Is it 'normal' or 'not normal'?") == text


@given(st.text(max_size=80), st.text("ab1. -", min_size=1, max_size=6), st.text(max_size=40))
def test_a_whole_word_that_is_the_answer_never_stays(before: str, answer: str, after: str) -> None:
    word = answer.strip()
    left = without_answers(f"{before} {word} {after}", [answer], "")
    assert not word or f" {word} " not in left or word in "…"


@given(st.text(max_size=300), st.integers(1, 100))
def test_shortened_text_is_never_longer_than_asked(text: str, limit: int) -> None:
    cut = shortened(text, limit)
    assert len(cut) <= limit
    assert cut == text or text.startswith(cut[:-1])


def test_a_lesson_says_what_was_wrong_and_what_is_right_and_nothing_twice() -> None:
    told = Reflection(diagnosis="It guessed", cause="haste", approach="Add them.", insight="Add them.")
    assert lesson(told) == "It guessed. Add them."
    assert lesson(Reflection(diagnosis="", insight="")) == ""


def test_the_last_steps_of_a_trace_are_kept() -> None:
    steps = tuple(Step(index=n, action=f"step{n} " + "x" * 400, observation="y") for n in range(20))
    text = trace(attempt(steps=steps), 2000)
    assert "step19" in text
    assert "step0 " not in text
    assert len(text) < 2600


@pytest.mark.parametrize(
    ("feedback", "outcome"),
    [
        (Feedback(reward=0.0), "failed"),
        (Feedback(reward=0.5, text="There is an answer.", source="environment"), "solved"),
        (UNKNOWN, "unknown"),
    ],
)
def test_how_an_attempt_ended(feedback: Feedback, outcome: str) -> None:
    assert outcome_of(Trial(attempt=attempt(), feedback=feedback)) == outcome


@pytest.mark.parametrize(
    ("given", "won"),
    [
        ({}, True),
        ({"cited": ("str-1",)}, False),
        ({"shown_cases": ("case-1",)}, False),
        ({"shown_bullets": ("str-1",)}, False),
        ({"questioned": (Questioned(answer="7", checks=("chk-1",)),)}, False),
        ({"steps": STEPS[1:]}, False),
        ({"steps": (Step(index=0), Step(index=1, final=True))}, False),
    ],
)
def test_a_success_is_hard_won_where_a_step_failed_and_nothing_given_explains_it(
    given: dict[str, Any], won: bool
) -> None:
    assert hard_won(attempt(**given)) is won
    assert worth_a_call(attempt(**given), "solved", Settings()) is won
    assert not worth_a_call(attempt(**given), "solved", Settings.model_validate({"learning": {"successes": False}}))


@pytest.mark.parametrize("outcome", ["failed", "solved", "unknown"])
def test_without_strategies_nobody_is_asked(outcome: Any) -> None:
    assert not worth_a_call(attempt(), outcome, Settings.model_validate({"learning": {"strategies": False}}))


@pytest.mark.parametrize(
    ("fields", "reward", "said"),
    [
        ({}, 0.5, "nobody checked"),
        ({"answer": None, "status": "no_answer"}, 0.0, "No answer"),
        ({"status": "limit", "reason": "steps"}, 0.0, "limit of steps"),
        ({"steps": STEPS[:1]}, 0.0, "last step failed"),
        ({"steps": ()}, 0.5, "nobody checked"),
    ],
)
def test_what_the_execution_says(fields: dict[str, Any], reward: float, said: str) -> None:
    feedback = of_execution(attempt(**fields))
    assert (feedback.reward, feedback.source) == (reward, "environment")
    assert said in feedback.text
