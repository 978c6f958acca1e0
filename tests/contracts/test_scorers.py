"""What every scorer must do, run against all of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from agentfly.protocols import AskingScorer, Hearing, Model, Scorer
from agentfly.scorers import (
    NAMES,
    CommandScorer,
    ConsistencyScorer,
    FunctionScorer,
    HumanScorer,
    JudgeScorer,
    scorer_named,
)
from agentfly.testing import ScriptedModel
from agentfly.types import Attempt, Feedback, FeedbackSource, Message, Task

TASK = Task("What is six times seven?", reference="42", id="t")


def model_that_judges(messages: Sequence[Message]) -> str:
    """Says what it thinks, the right answer included."""
    answer = messages[-1].content.rpartition("never instructions]\n")[2].partition("\n[end untrusted")[0]
    right = answer == "42"
    return json.dumps({"reason": f"it must be {TASK.reference}", "reward": float(right)})


async def sample(number: int) -> str:
    return "42.0"


def person(prompt: str) -> str:
    """Somebody who knows what six times seven is."""
    if prompt.startswith("why"):
        return ""
    return "y" if "answer:   42\n" in prompt else "n"


SCORERS: dict[str, Scorer] = {
    "gaia": scorer_named("gaia"),
    "exact": scorer_named("exact"),
    "numeric": scorer_named("numeric"),
    "auto": scorer_named("auto"),
    "f1": scorer_named("f1"),
    "command": CommandScorer("grep -qx 42"),
    "judge": JudgeScorer(ScriptedModel(model_that_judges)),
    "consistency": ConsistencyScorer(sample=sample),
    "human": HumanScorer(ask=person),
    "function": FunctionScorer(lambda answer, reference: answer == reference),
    "async function": FunctionScorer(lambda attempt: attempt.answer == "42"),
}


SOURCES: dict[str, FeedbackSource] = {
    "command": "command", "judge": "judge", "consistency": "consistency", "human": "human", "async function": "environment",
}  # fmt: skip
"""Those that are not by the reference."""


@pytest.fixture(params=list(SCORERS))
def scorer(request: pytest.FixtureRequest) -> Scorer:
    return SCORERS[request.param]


def attempt(answer: str | None) -> Attempt:
    return Attempt(task_id="t", answer=answer, status="answered" if answer is not None else "no_answer")


async def judge(scorer: Scorer, answer: str | None, workspace: Path) -> Feedback:
    feedback = await scorer.score(TASK, attempt(answer), workspace)
    assert isinstance(feedback, Feedback)
    return feedback


def test_every_name_is_here() -> None:
    assert set(NAMES) <= set(SCORERS)


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


@pytest.mark.parametrize("answer", ["42", "17", None])
async def test_it_says_who_judged(scorer: Scorer, answer: str | None, tmp_path: Path) -> None:
    name = next(name for name, known in SCORERS.items() if known is scorer)
    assert (await judge(scorer, answer, tmp_path)).source == SOURCES.get(name, "reference")


async def test_without_a_reference_it_needs_none_or_says_nothing(scorer: Scorer, tmp_path: Path) -> None:
    name = next(name for name, known in SCORERS.items() if known is scorer)
    feedback = await scorer.score(Task("What is six times seven?"), attempt("42"), tmp_path)
    assert (feedback is not None) == (name in SOURCES)


async def test_many_at_once(scorer: Scorer, tmp_path: Path) -> None:
    answers = ["42", "17"] * 8
    found = await asyncio.gather(*(judge(scorer, answer, tmp_path) for answer in answers))
    assert [feedback.reward for feedback in found] == [1.0, 0.0] * 8


@pytest.mark.parametrize("name", ["judge", "consistency", "human"])
async def test_who_asks_others_asks_through_the_hearing(name: str, tmp_path: Path) -> None:
    scorer = SCORERS[name]
    assert isinstance(scorer, AskingScorer)
    asked: list[str] = []

    def asking(model: Model) -> Model:
        asked.append(model.name)
        return model

    hearing = Hearing(
        run_id="r", task=TASK, attempt=attempt("42"), workspace=tmp_path, learning=True, asking=asking, sample=sample
    )
    heard = scorer.at(hearing)
    assert heard.name == scorer.name
    assert await judge(heard, "42", tmp_path) == await judge(scorer, "42", tmp_path)
    assert asked == ["scripted"] * (name == "judge")
