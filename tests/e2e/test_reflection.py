"""Reflecting in the whole loop: rounds of trying again, successes, and what learning costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.reflecting import (
    DELTA,
    FAILING,
    GARBAGE,
    QUESTION,
    RIGHT,
    WORSE,
    WRONG,
    agent_with,
    called,
    diagnosis,
    pretend,
    role,
    roles,
    shortcut,
)  # fmt: skip

from agentfly import Agent, Feedback
from agentfly.config import Settings
from agentfly.errors import ProviderError
from agentfly.testing import ScriptedModel
from agentfly.types import Message


@pytest.fixture(autouse=True)
def no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)


def test_rounds_reflect_and_try_again_until_one_succeeds(tmp_path: Path) -> None:
    first, second = diagnosis("Look twice."), diagnosis("Add with sum().", "Write sum([1, 2, 3]).")
    replies = [WRONG, first, WORSE, second, RIGHT, DELTA, RIGHT]
    agent, model = agent_with(tmp_path, replies, rounds=4)
    with agent:
        result = agent.run(QUESTION, reference="6")
        assert (result.answer, result.reward) == ("7", 0.0), "the answer is the first attempt's"
        assert result.learned.accepted is True
        said = [text for _, text in called(model)]
        assert roles(model) == [
            *["generator", "reflector", "generator", "reflector", "generator"],
            *["curator", "generator"],
        ]
        task = model.calls[2].messages[-1].content
        lesson = "Your last attempt failed: It guessed. Call sum on the list. Look twice."
        assert lesson in task
        assert task.index("Task:") < task.index(lesson) < task.index("Reply with one ```python block")
        assert "Look twice." in said[3], "the reflector sees what the attempt had in view"
        assert "'7' is wrong" in said[3], "and what was tried before"
        assert "Answer given: 8" in said[3]
        assert "Add with sum()." in said[4]
        assert "Add with sum()." in said[5], "the last reflection led to the success and is what is curated"
        assert "Look twice." not in said[5]
        assert "last attempt failed" not in said[6], "a gate tries the playbook, not the lesson"
        case = agent.bank.get(result.learned.cases[0])
        assert (case.answer, case.reward, case.lesson) == ("6", 1.0, "Add with sum().")
        trials = agent.runs.show(result.run_id).trials
        assert [(trial.number, trial.attempt.answer) for trial in trials] == [(0, "7"), (1, "8"), (2, "6"), (3, "6")]


def test_rounds_end_and_the_last_reflection_is_curated(tmp_path: Path) -> None:
    agent, model = agent_with(
        tmp_path, [WRONG, diagnosis("One."), WRONG, diagnosis("Two."), DELTA], rounds=2, gate="always"
    )
    with agent:
        assert agent.run(QUESTION, reference="6").learned.accepted is True
        assert "New insight: Two." in called(model)[-1][1]


def test_by_default_there_is_one_round_and_no_further_attempt(tmp_path: Path) -> None:
    agent, model = agent_with(tmp_path, [WRONG, diagnosis(), DELTA], gate="always")
    with agent:
        agent.run(QUESTION, reference="6")
        assert roles(model) == ["generator", "reflector", "curator"]


def test_exploring_comes_before_the_first_reflection(tmp_path: Path) -> None:
    replies = [WRONG, WORSE, diagnosis("One."), RIGHT, DELTA]
    agent, model = agent_with(tmp_path, replies, explore=1, rounds=3, gate="always")
    with agent:
        agent.run(QUESTION, reference="6")
        assert [call.options.temperature for call in model.calls[:4]] == [0.0, pytest.approx(0.8), 0.0, 0.0]
        assert "'8' is wrong" in called(model)[2][1]
        assert "Your last attempt failed" in called(model)[3][1]


def test_what_exploring_solved_needs_no_round(tmp_path: Path) -> None:
    agent, model = agent_with(tmp_path, [WRONG, RIGHT, diagnosis(), DELTA], explore=1, rounds=3, gate="always")
    with agent:
        agent.run(QUESTION, reference="6")
        assert roles(model) == ["generator", "generator", "reflector", "curator"]
        assert "This code solved it:\nfinal_answer(sum([1, 2, 3]))" in called(model)[2][1]


@pytest.mark.parametrize("broken", [[GARBAGE, GARBAGE], [ProviderError("down")]])
def test_a_round_whose_reflection_fails_is_the_last_and_the_one_before_is_curated(
    tmp_path: Path, broken: list[Any]
) -> None:
    agent, model = agent_with(tmp_path, [WRONG, diagnosis("One."), WRONG, *broken, DELTA], rounds=5, gate="always")
    with agent:
        assert agent.run(QUESTION, reference="6").learned.accepted is True
        assert "New insight: One." in called(model)[-1][1]


def test_there_is_one_repair_in_all_rounds(tmp_path: Path) -> None:
    replies = [WRONG, GARBAGE, diagnosis(), WRONG, GARBAGE, GARBAGE]
    agent, model = agent_with(tmp_path, replies, rounds=5)
    with agent:
        result = agent.run(QUESTION, reference="6")
        assert roles(model).count("reflector") == 3
        assert roles(model).count("curator") == 1
        assert result.usage.calls == 6


def test_a_round_that_cannot_be_judged_ends_them(tmp_path: Path) -> None:
    verdicts = iter([Feedback(reward=0.0, source="judge"), None])
    model = ScriptedModel([WRONG, diagnosis(), WRONG, DELTA])
    settings = {"rounds": 4}
    with Agent(
        model=model, home=tmp_path, scorer=lambda answer: next(verdicts), gate="always", settings=settings
    ) as agent:
        assert agent.run(QUESTION).learned.accepted is True
        assert roles(model) == ["generator", "reflector", "generator", "curator"]


def test_a_person_is_not_asked_about_a_further_attempt(tmp_path: Path) -> None:
    agent, model = agent_with(tmp_path, [WRONG, diagnosis(), DELTA], rounds=3)
    with agent:
        result = agent.run(QUESTION)
        assert agent.learn(result, Feedback(reward=0.0, text="Do not guess.")).accepted is True
        assert roles(model) == ["generator", "reflector", "curator"]


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
def test_a_run_that_is_killed_in_its_rounds_resumes_where_it_was(tmp_path: Path, at: int) -> None:
    def interrupt(messages: Sequence[Message]) -> str:
        raise KeyboardInterrupt

    replies: list[Any] = [WRONG, diagnosis("One."), WORSE, diagnosis("Two."), RIGHT, DELTA]
    agent, _ = agent_with(tmp_path, [*replies[:at], interrupt], rounds=3, gate="always")
    with agent, pytest.raises(KeyboardInterrupt):
        agent.run(QUESTION, reference="6")
    agent, model = agent_with(tmp_path, replies[at:], rounds=3, gate="always")
    with agent:
        result = agent.resume(agent.runs.recent()[0].id)
        assert (model.remaining, len(model.calls)) == (0, 6 - at), "nothing was done twice"
        assert (result.answer, result.learned.accepted) == ("7", True)
        assert [trial.attempt.answer for trial in agent.runs.show(result.run_id).trials] == ["7", "8", "6"]
        assert "New insight: Two." in called(model)[-1][1]


def test_a_run_that_is_killed_before_its_result_is_written_down_is_closed_by_resuming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    agent, _ = agent_with(tmp_path, [WRONG], feedback="environment")
    monkeypatch.setattr(agent.runs, "finish", interrupt)
    with agent, pytest.raises(KeyboardInterrupt):
        agent.run(QUESTION, reference="6")
    agent, model = agent_with(tmp_path, [], feedback="environment")
    with agent:
        result = agent.resume(agent.runs.recent()[0].id)
        assert (result.answer, result.reward, len(result.learned.cases)) == ("7", 0.0, 1)
        assert not model.calls


# Successes


def test_a_hard_won_success_gives_a_rule_that_has_to_make_it_quicker(tmp_path: Path) -> None:
    agent, model = agent_with(tmp_path, [FAILING, RIGHT, shortcut(), RIGHT])
    with agent:
        result = agent.run(QUESTION, reference="6")
        assert roles(model) == ["generator", "generator", "reflector", "generator"]
        assert [bullet.text for bullet in agent.playbook.current()] == ["Never divide by zero."]
        assert agent.playbook.history()[0].reason == "quicker: 2 steps → 1"
        assert (result.reward, result.learned.accepted) == (1.0, True)
        asked = called(model)[2][1]
        assert "ZeroDivisionError" in asked
        assert "Right answer" not in asked


def test_a_rule_from_a_success_that_saves_nothing_is_dropped(tmp_path: Path) -> None:
    agent, _ = agent_with(tmp_path, [FAILING, RIGHT, shortcut(), FAILING, RIGHT])
    with agent:
        assert agent.run(QUESTION, reference="6").learned.accepted is False
        assert agent.playbook.history()[0].reason == "not quicker: 2 steps → 2"


def test_a_rule_from_a_success_does_not_hold_the_answer(tmp_path: Path) -> None:
    agent, _ = agent_with(tmp_path, [FAILING, RIGHT, shortcut("The sum of the first three is 6.")], gate="always")
    with agent:
        agent.run(QUESTION, reference="6")
        assert [bullet.text for bullet in agent.playbook.current()] == ["The sum of the first three is …."]


@pytest.mark.parametrize("known", ["case", "bullet"])
def test_a_success_that_what_was_shown_explains_costs_no_call(tmp_path: Path, known: str) -> None:
    agent, model = agent_with(tmp_path, [RIGHT, FAILING, RIGHT] if known == "case" else [FAILING, RIGHT])
    with agent:
        if known == "case":
            agent.run(QUESTION, reference="6")
        else:
            agent.teach("Answer in metres.")
        agent.run(QUESTION, reference="6")
        assert set(roles(model)) == {"generator"}


# What it costs


def garbled(messages: Sequence[Message]) -> str:
    return GARBAGE


def mended_then_garbage(messages: Sequence[Message]) -> str:
    if role(messages) == "reflector":
        return diagnosis() if len(messages) > 2 else GARBAGE
    return WRONG if role(messages) == "generator" else GARBAGE


def curator_garbled(messages: Sequence[Message]) -> str:
    return {"generator": WRONG, "reflector": diagnosis(), "curator": GARBAGE}[role(messages)]


@pytest.mark.parametrize(
    ("replies", "calls", "answer"),
    [
        ([RIGHT], 0, "6"),
        ([FAILING, RIGHT, shortcut()], 1, "6"),
        ([FAILING, RIGHT, GARBAGE], 1, "6"),
        ([WRONG, diagnosis(), DELTA], 2, "7"),
        ([WRONG, GARBAGE, diagnosis(), DELTA], 3, "7"),
        ([WRONG, diagnosis(), GARBAGE, DELTA], 3, "7"),
        ([WRONG, GARBAGE, diagnosis(), GARBAGE], 3, "7"),
        (curator_garbled, 3, "7"),
        (mended_then_garbage, 3, "7"),
        (garbled, 2, None),
    ],
)
def test_what_learning_costs_in_model_calls(tmp_path: Path, replies: Any, calls: int, answer: str | None) -> None:
    agent, model = agent_with(tmp_path, replies, gate="always", limits__steps=3)
    with agent:
        result = agent.run(QUESTION, reference="6")
        assert len([name for name in roles(model) if name != "generator"]) == calls
        assert result.usage.calls == len(model.calls)
        assert result.answer == answer
        assert result.status == ("limit" if answer is None else "answered")
        assert agent.runs.show(result.run_id).attempts[0].answer == answer
        assert agent.bank.count() == 1


@pytest.mark.parametrize("feedback", Settings.model_fields["feedback"].annotation.__args__)  # type: ignore[union-attr]
@pytest.mark.parametrize("replies", [[WRONG], [RIGHT], [FAILING, RIGHT], [FAILING, FAILING]])
def test_without_strategies_neither_reflector_nor_curator_is_called(
    tmp_path: Path, feedback: str, replies: list[str]
) -> None:
    settings = {"learning__strategies": False, "feedback": feedback, "rounds": 3, "limits__steps": 2}
    agent, model = agent_with(tmp_path, replies, **settings)
    with agent:
        assert len(agent.run(QUESTION, reference="6").learned.cases) == 1
        assert set(roles(model)) == {"generator"}
