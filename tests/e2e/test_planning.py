"""Strategy `plan` end to end: subtasks are kept as cases and recalled, with the trust of their task."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentfly import Agent, Feedback, tool
from agentfly.protocols import Model
from agentfly.testing import HashEmbedder, ScriptedModel
from agentfly.types import Attempt, Case, Task

QUESTION = "By how much is the mean price in shop.csv over 10?"
MEAN = "Compute the mean of the column price of shop.csv"
LESS = "Subtract 10 from it"
READ = "import csv\nprices = [float(r['price']) for r in csv.DictReader(open('shop.csv'))]\nfinal_answer(sum(prices) / len(prices))"


@tool(risk="network")
def fetch(address: str) -> str:
    """Read a page."""
    return "The mean is 14."


class Judge:
    """A model's verdict: everything is right."""

    name = "judge"

    async def score(self, task: Task, attempt: Attempt, workspace: Path) -> Feedback:
        return Feedback(reward=1.0, source="judge")


def plan(*tasks: str) -> str:
    parts = [{"id": n, "task": task, "needs": [n - 1] if n > 1 else []} for n, task in enumerate(tasks, start=1)]
    return json.dumps({"thought": "", "subtasks": parts, "answer": ""})


def answer(text: str) -> str:
    return json.dumps({"thought": "", "subtasks": [], "answer": text})


def block(code: str) -> str:
    return f"```python\n{code}\n```"


SOLVED = (plan(MEAN, LESS), block(READ), block("x = len([14.0]) * 14 - 10\nfinal_answer(x)"), answer("4"))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "shop.csv"
    file.write_text("name,price\nAda,13\nBob,15\n")
    return file


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Opens agents that plan, on one home."""
    monkeypatch.setattr("agentfly.memory.embedding.MiniLMEmbedder", HashEmbedder)
    opened: list[Agent] = []

    def open_(replies: Sequence[Any], **options: Any) -> tuple[Agent, ScriptedModel]:
        model = ScriptedModel(replies)
        settings = {"explore": 0, "learning.strategies": False, "limits.steps": 12}
        agent = Agent(model=model, home=tmp_path / "home", strategy="plan", settings=settings, tools=[fetch], **options)
        opened.append(agent)
        return agent, model

    yield open_
    for agent in opened:
        agent.close()


def subtask_cases(agent: Agent) -> list[Case]:
    return [case for case in agent.bank.list(status=None) if "subtask" in case.tags]


def test_a_second_run_recalls_a_subtask_of_the_first(start: Any, shop: Path) -> None:
    agent, _ = start(SOLVED)
    first = agent.run(QUESTION, files=[shop], reference="4")
    assert (first.answer, first.reward, first.attempt.strategy) == ("4", 1.0, "plan")
    kept = {case.question: case for case in subtask_cases(agent)}
    assert set(kept) == {MEAN, LESS}
    assert set(first.learned.cases) == {case.id for case in agent.bank.list()}
    assert agent.bank.get(first.learned.cases[0]).question == QUESTION
    assert kept[MEAN].solution == READ
    assert kept[MEAN].provenance.run == first.run_id

    other, model = start(
        [
            plan("Find the name of the shop", MEAN),
            block("final_answer(open('shop.csv').read()[11:14])"),
            block(READ),
            answer("14"),
        ]
    )
    second = other.run("What is the mean price?", files=[shop], reference="14")
    assert second.reward == 1.0
    prompt = model.calls[2].messages[-1].content
    assert f"[{kept[MEAN].id}]: {MEAN}" in prompt
    assert READ in prompt
    assert kept[MEAN].id in second.attempt.shown_cases
    assert other.bank.get(kept[MEAN].id).helped >= 1.0, "it is credited with what the run earned"
    twice = [case for case in other.bank.list() if case.question == MEAN]
    assert [(case.id, case.seen) for case in twice] == [(kept[MEAN].id, 2)], "the same again is not another case"


def test_the_planner_sees_the_plan_of_a_case(start: Any, shop: Path) -> None:
    agent, _ = start(SOLVED)
    agent.run(QUESTION, files=[shop], reference="4")
    other, model = start([answer("4"), answer("4")])
    other.run(QUESTION, files=[shop], reference="4")
    assert f"1. {MEAN}\n```python\n{READ}\n```\n2. {LESS}\n" in model.calls[0].messages[-1].content


def test_evaluation_leaves_out_the_subtasks_of_the_task_itself(start: Any, shop: Path) -> None:
    agent, _ = start(SOLVED)
    agent.run(QUESTION, files=[shop], reference="4")
    other, model = start(SOLVED)
    result = other.run(QUESTION, files=[shop], reference="4", exclude_self=True, learn=False)
    assert result.attempt.shown_cases == ()
    assert not any("case-" in message.content for call in model.calls for message in call.messages)


def test_a_failure_keeps_no_subtasks(start: Any, shop: Path) -> None:
    agent, _ = start(SOLVED)
    result = agent.run(QUESTION, files=[shop], reference="5")
    assert result.reward == 0.0
    assert subtask_cases(agent) == []
    assert len(result.attempt.subtasks) == 2


def test_subtasks_share_the_quarantine_of_their_task(start: Any, shop: Path) -> None:
    planted = (plan(MEAN, LESS), block("fetch('a.example')\nfinal_answer(14)"), *SOLVED[2:])
    agent, _ = start(planted, scorer=Judge())
    agent.run(QUESTION, files=[shop])
    assert {case.status for case in agent.bank.list(status=None)} == {"quarantined"}
    assert len(subtask_cases(agent)) == 2
    again, model = start(SOLVED)
    again.run(QUESTION, files=[shop], learn=False)
    assert not any("case-" in message.content for call in model.calls for message in call.messages)


def test_the_result_of_a_subtask_confirms_no_answer(start: Any, shop: Path) -> None:
    """A quarantined answer to a task is confirmed by a trusted one to it: that of a part, which may be equal, is none."""
    planted = (plan("Read the page"), block("fetch('a.example')\nfinal_answer(14)"), answer("14"))
    agent, _ = start(planted, scorer=Judge())
    wrong = agent.run(QUESTION, files=[shop]).learned.cases[0]
    right, _ = start(SOLVED)
    right.run(QUESTION, files=[shop], reference="4")
    assert right.bank.get(wrong).status == "quarantined"


def test_the_record_shows_the_subtasks(start: Any, shop: Path) -> None:
    agent, _ = start(SOLVED)
    result = agent.run(QUESTION, files=[shop], reference="4")
    (attempt,) = agent.runs.show(result.run_id).attempts
    assert attempt.subtasks == result.attempt.subtasks
    assert [(one.task, one.answer) for one in attempt.subtasks] == [(MEAN, "14.0"), (LESS, "4")]


@pytest.mark.parametrize(
    ("model", "strategy"),
    [("embedded", "codeact"), ("openai/gpt-5-mini", "tools"), ("ollama_chat/anything", "codeact")],
)
def test_auto_takes_the_strategy_that_the_model_can_follow(
    model: str, strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with Agent(model=model, home=tmp_path) as agent:
        assert agent.strategy == strategy


@pytest.mark.parametrize("name", ["scripted", "openai/gpt-5-mini"])
def test_a_model_that_is_given_as_an_object_writes_code(name: str, tmp_path: Path) -> None:
    model: Model = ScriptedModel([], name=name)
    with Agent(model=model, home=tmp_path) as agent:
        assert agent.strategy == "codeact"
