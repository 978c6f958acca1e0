from __future__ import annotations

from pathlib import Path

import pytest

from agentfly.errors import ConfigError, InputError
from agentfly.scorers import NAMES, CommandScorer, FunctionScorer, ReferenceScorer, as_scorer, scorer_named
from agentfly.types import Attempt, Feedback, Task

HERE = Path()


def attempt(answer: str | None) -> Attempt:
    return Attempt(task_id="t", answer=answer, status="answered" if answer else "no_answer")


@pytest.mark.parametrize(
    ("name", "answer", "reward"),
    [
        ("gaia", "paris.", 1.0),
        ("exact", " Paris\n", 1.0),
        ("exact", "paris", 0.0),
        ("auto", "PARIS", 1.0),
        ("gaia", "Rome", 0.0),
    ],
)
async def test_rewards(name: str, answer: str, reward: float) -> None:
    feedback = await scorer_named(name).score(Task("q", reference="Paris"), attempt(answer), HERE)
    assert feedback is not None
    assert (feedback.reward, feedback.source) == (reward, "reference")


async def test_numeric_rounds() -> None:
    feedback = await scorer_named("numeric").score(Task("q", reference="2.0"), attempt("2.001 USD"), HERE)
    assert feedback is not None
    assert feedback.reward == 1.0


@pytest.mark.parametrize("name", ["gaia", "exact", "numeric"])
async def test_the_text_never_holds_the_reference(name: str) -> None:
    task = Task("q", reference="987654")
    for answer in ("12", None, "x" * 10_000):
        feedback = await scorer_named(name).score(task, attempt(answer), HERE)
        assert feedback is not None
        assert feedback.reward == 0.0
        assert "987654" not in feedback.text
        assert len(feedback.text) < 300


async def test_a_reference_that_cannot_be_compared_is_the_persons_to_mend_and_is_not_quoted() -> None:
    with pytest.raises(InputError, match="numeric scorer") as error:
        await scorer_named("numeric").score(Task("q", reference="secret words"), attempt("1"), HERE)
    assert "secret" not in str(error.value)


def test_names() -> None:
    assert set(NAMES) == {"auto", "gaia", "exact", "numeric", "f1", "command", "judge", "consistency", "human"}
    assert scorer_named("auto").name == "gaia"
    assert isinstance(scorer_named("auto", command="true"), CommandScorer)
    with pytest.raises(ConfigError, match="unknown scorer 'giai'"):
        scorer_named("giai")
    with pytest.raises(ConfigError, match="needs a command"):
        scorer_named("command")


def test_as_scorer_takes_what_people_give() -> None:
    scorer = scorer_named("gaia")
    assert as_scorer(scorer) is scorer
    assert isinstance(as_scorer("exact"), ReferenceScorer)
    assert isinstance(as_scorer(lambda answer, reference: True), FunctionScorer)
    with pytest.raises(InputError, match="not int"):
        as_scorer(3)  # type: ignore[arg-type]


async def test_a_missing_answer_beats_a_missing_verdict_only_with_a_reference() -> None:
    assert await scorer_named("gaia").score(Task("q"), attempt(None), HERE) is None
    assert await scorer_named("gaia").score(Task("q", reference="x"), attempt(None), HERE) == Feedback(
        reward=0.0, text="No answer was given.", source="reference"
    )
