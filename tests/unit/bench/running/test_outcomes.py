"""How an attempt ended, and what goes on record of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentfly.bench.running.answering import TemplateScorer, given_answer
from agentfly.bench.running.outcomes import as_record, as_result, calls_of, verdict_on
from agentfly.protocols import Trial
from agentfly.scorers import ReferenceScorer, gaia_match
from agentfly.types import Attempt, Feedback, RunResult, Step, Task, Usage

ATTEMPT = Attempt(task_id="t", answer="4", status="answered", steps=(Step(index=0, action="final_answer(4)"),))


def feedback(reward: float, **more: Any) -> Feedback:
    return Feedback(reward=reward, source="reference", **more)


@pytest.mark.parametrize(
    ("status", "answer", "reward", "expected"),
    [
        ("answered", "4", 1.0, "correct"),
        ("answered", "4", 0.0, "wrong"),
        ("answered", "4", 0.9, "wrong"),
        ("answered", "4", None, "unjudged"),
        ("answered", "", None, "unjudged"),
        ("limit", "4", 1.0, "correct"),
        ("limit", "4", 0.0, "limit"),
        ("limit", None, 0.0, "limit"),
        ("error", None, None, "error"),
        ("no_answer", None, 0.0, "no_answer"),
        ("answered", None, 0.0, "no_answer"),
    ],
)
def test_how_an_attempt_ended(status: Any, answer: str | None, reward: float | None, expected: str) -> None:
    told = None if reward is None else feedback(reward)
    assert verdict_on(replace(ATTEMPT, status=status, answer=answer), answer, told) == expected


def test_that_there_is_an_answer_is_no_verdict() -> None:
    nobody = Feedback(reward=0.5, source="environment")
    assert verdict_on(ATTEMPT, "4", nobody) == "unjudged"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, None),
        ("4", "4"),
        ("", ""),
        ("FINAL ANSWER: 4", "4"),
        ("FINAL ANSWER: 3\n\nFINAL ANSWER:\n\n4\nthanks", "4"),
        ("FINAL ANSWER: [YOUR FINAL ANSWER]", "FINAL ANSWER: [YOUR FINAL ANSWER]"),
    ],
)
def test_the_answer_behind_the_template(answer: str | None, expected: str | None) -> None:
    assert given_answer(answer) == expected


async def test_a_scorer_sees_the_answer_behind_the_template() -> None:
    scorer, task = ReferenceScorer("gaia", gaia_match), Task("?", reference="4", id="t")
    attempt = replace(ATTEMPT, answer="FINAL ANSWER: 4")
    bare, taken = await scorer.score(task, attempt, Path()), await TemplateScorer(scorer).score(task, attempt, Path())
    assert (bare and bare.reward, taken and taken.reward) == (0.0, 1.0)


def result(task: Task, told: Feedback | None, attempt: Attempt = ATTEMPT) -> RunResult:
    return RunResult(
        run_id="r",
        status=attempt.status,
        answer=attempt.answer,
        reward=None,
        steps=len(attempt.steps),
        usage=Usage(calls=2),
        task=task,
        attempt=attempt,
        feedback=told,
    )


def test_scores_stand_beside_the_verdict_where_there_is_a_reference() -> None:
    judged = as_result(result(Task("?", reference="five"), feedback(0.0)), attempt=1, started=5.0, seconds=2.0)
    assert judged.scores.keys() == {"f1", "edit_similarity"}
    assert (judged.attempt, judged.started, judged.seconds, judged.steps) == (1, 5.0, 2.0, 1)
    assert as_result(result(Task("?"), None), attempt=0, started=0, seconds=0).scores == {}


def test_rounds_of_reflection_are_told_from_other_attempts() -> None:
    trials = [Trial(attempt=ATTEMPT, feedback=feedback(reward)) for reward in (0.0, 0.0, 1.0, 0.0)]
    told = as_result(
        result(Task("?", reference="4"), feedback(0.0)), attempt=0, started=0, seconds=0, trials=trials, rounds=3
    )
    assert (told.rounds, told.first_reward, told.last_reward) == (3, 0.0, 1.0)
    alone = as_result(result(Task("?"), None), attempt=0, started=0, seconds=0, trials=trials, rounds=1)
    assert (alone.rounds, alone.first_reward) == (1, None)


def test_calls_are_counted_as_they_were_written() -> None:
    steps = (
        Step(index=0, action="a = search('x')\nb = search('y')"),
        Step(index=1, action="research = 1\nread_file('z')"),
    )
    attempt = replace(ATTEMPT, steps=steps, tools=("search", "read_file", "hidden"))
    assert calls_of(attempt) == {"search": 2, "read_file": 1, "hidden": 1}


def test_the_record_has_the_attempt_and_what_stands_beside_it() -> None:
    task = Task("2 + 2?", files=(Path("/somewhere/sums.csv"),), reference="4", level="1")
    further = [Trial(attempt=ATTEMPT, feedback=feedback(0.0))]
    record = as_record(task, ATTEMPT, feedback(1.0, text="right"), further, cached=3)
    assert record["task"] == {"question": "2 + 2?", "reference": "4", "level": "1", "files": ["sums.csv"]}
    assert record["steps"][0]["action"] == "final_answer(4)"
    assert record["feedback"]["text"] == "right"
    assert record["further"][0]["feedback"]["reward"] == 0.0
    assert record["cached_calls"] == 3
