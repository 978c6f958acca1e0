"""What every scorer must do, run against all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentfly.protocols import Scorer
from agentfly.scorers import CommandScorer, FunctionScorer, scorer_named
from agentfly.types import Attempt, Feedback, Task

TASK = Task("What is six times seven?", reference="42", id="t")

SCORERS: dict[str, Scorer] = {
    "gaia": scorer_named("gaia"),
    "exact": scorer_named("exact"),
    "numeric": scorer_named("numeric"),
    "auto": scorer_named("auto"),
    "command": CommandScorer("grep -qx 42"),
    "function": FunctionScorer(lambda answer, reference: answer == reference),
    "async function": FunctionScorer(lambda attempt: attempt.answer == "42"),
}


@pytest.fixture(params=list(SCORERS))
def scorer(request: pytest.FixtureRequest) -> Scorer:
    return SCORERS[request.param]


def attempt(answer: str | None) -> Attempt:
    return Attempt(task_id="t", answer=answer, status="answered" if answer is not None else "no_answer")


async def judge(scorer: Scorer, answer: str | None, workspace: Path) -> Feedback:
    feedback = await scorer.score(TASK, attempt(answer), workspace)
    assert isinstance(feedback, Feedback)
    return feedback


def test_is_a_scorer_with_a_name(scorer: Scorer) -> None:
    assert isinstance(scorer, Scorer)
    assert scorer.name


async def test_right_and_wrong(scorer: Scorer, tmp_path: Path) -> None:
    right, wrong = await judge(scorer, "42", tmp_path), await judge(scorer, "17", tmp_path)
    assert (right.reward, wrong.reward) == (1.0, 0.0)
    assert right.text
    assert right.text != wrong.text


async def test_a_missing_answer_earns_nothing(scorer: Scorer, tmp_path: Path) -> None:
    feedback = await judge(scorer, None, tmp_path)
    assert feedback.reward == 0.0
    assert feedback.text == "No answer was given."


@pytest.mark.parametrize("answer", ["", " ", "\0", "\ud800", "\n" * 1000, "9" * 100_000, "{{answer}}", "'; exit 0; '"])
async def test_strange_answers_are_wrong_not_errors(scorer: Scorer, answer: str, tmp_path: Path) -> None:
    assert (await judge(scorer, answer, tmp_path)).reward == 0.0


async def test_the_reference_is_not_in_what_is_said(scorer: Scorer, tmp_path: Path) -> None:
    assert "42" not in (await judge(scorer, "17", tmp_path)).text


async def test_the_folder_is_left_as_it_was(scorer: Scorer, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b")
    await judge(scorer, "17", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]
