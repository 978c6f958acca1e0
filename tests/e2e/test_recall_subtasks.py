"""Recall for subtasks: a strategy that plans asks again on its way, and all of it is judged as one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentfly import Agent, Feedback
from agentfly.memory.selection import record
from agentfly.protocols import Brief
from agentfly.testing import HashEmbedder, ScriptedModel
from agentfly.types import Attempt, Case, Recalled, Step

SUBTASKS = ("read the sheet of prices", "mean of the prices")
STORED = (
    Case(question="read the sheet of cities", solution="read('cities')", task_id="t-read"),
    Case(question="mean of the volumes", solution="mean(volumes)", task_id="t-mean"),
    Case(question="report the mean price of the sheet", solution="report()", task_id="t-report"),
)


class Planner:
    """Recalls cases for each subtask, then answers."""

    name = "planner"

    def __init__(self, subtasks: Sequence[str] = SUBTASKS) -> None:
        self.subtasks = subtasks
        self.seen: list[list[Recalled]] = []

    async def attempt(self, brief: Brief, emit: Callable[[Any], None] = lambda event: None) -> Attempt:
        for subtask in self.subtasks:
            self.seen.append(list(await brief.recall(subtask)))
        return Attempt(
            task_id=brief.task.id,
            steps=(Step(index=0, action="answer", final=True),),
            answer="42",
            status="answered",
            solution="answer 42",
            shown_cases=tuple(one.case.id for one in brief.cases),
            strategy=self.name,
        )


@pytest.fixture
def planning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An agent whose generator is a planner, on a home that holds a few cases."""
    planner = Planner()
    monkeypatch.setattr("agentfly.composition.Composition._generator", lambda self: planner)
    monkeypatch.setattr("agentfly.memory.embedding.MiniLMEmbedder", HashEmbedder)
    # Explored attempts and reflection would need a model: a failure ends with its case.
    with Agent(model=ScriptedModel([]), home=tmp_path, settings={"explore": 0, "recall.k": 2}) as agent:
        agent.bank.add_many(STORED)
        yield agent, planner


def recalls(agent: Agent) -> list[dict[str, Any]]:
    return [dict(row) for row in agent._made.home.db.read("SELECT * FROM recalls ORDER BY id")]


def episodes(agent: Agent) -> list[Any]:
    embedder = agent.bank.embedder
    return record.episodes(agent._made.home.db, 0, None, embedder.name, embedder.dimensions)


def test_recalls_for_subtasks_belong_to_the_run_and_are_judged_with_it(planning) -> None:
    agent, planner = planning
    question = "report the mean price"
    result = agent.run(question, reference="42")
    assert result.reward == 1.0
    rows = recalls(agent)
    assert [row["run_id"] for row in rows] == [result.run_id] * 3
    assert {row["judged"] for row in rows} == {1}
    states = [np.frombuffer(row["state"], dtype="<f4") for row in rows]
    for state, text in zip(states, (question, *SUBTASKS), strict=True):
        assert np.allclose(state, agent.bank.embedder.embed([text])[0])
    (episode,) = episodes(agent)
    assert (episode.run, episode.reward, len(episode.recalls)) == (result.run_id, 1.0, 3)
    shown = [{case.id for case in part.cases} for part in episode.recalls]
    assert shown == [set(result.recalled), *({one.case.id for one in found} for found in planner.seen)]


def test_each_subtask_gets_the_cases_that_are_like_it(planning) -> None:
    agent, planner = planning
    agent.run("report the mean price", reference="42")
    assert [found[0].case.task_id for found in planner.seen] == ["t-read", "t-mean"]
    for case in STORED:
        stored = next(one for one in agent.bank.list() if one.task_id == case.task_id)
        times = sum(stored.id in {one.case.id for one in found} for found in planner.seen)
        assert stored.shown >= times
        assert stored.helped == stored.shown, "each showing was credited with the reward of 1"


def test_a_run_that_is_not_to_be_learned_from_leaves_no_record(planning) -> None:
    agent, planner = planning
    agent.run("report the mean price", reference="42", learn=False)
    assert all(found for found in planner.seen), "it recalls all the same"
    assert recalls(agent) == []
    assert episodes(agent) == []
    assert sum(case.shown for case in agent.bank.list()) == 0


def test_a_run_without_feedback_waits_for_a_persons_word(planning) -> None:
    agent, _ = planning
    result = agent.run("report the mean price")
    assert {row["judged"] for row in recalls(agent)} == {None}
    assert episodes(agent) == []
    agent.learn(result, Feedback(reward=1.0, text="right"))
    (episode,) = episodes(agent)
    assert (len(episode.recalls), episode.reward) == (3, 1.0)
    assert {row["judged"] for row in recalls(agent)} == {1}


def test_evaluation_keeps_the_task_itself_out_of_its_subtasks_too(planning) -> None:
    agent, planner = planning
    first = agent.run("mean of the prices", reference="42")
    planner.seen.clear()
    agent.run("mean of the prices", reference="42", exclude_self=True, learn=False)
    own = set(first.learned.cases)
    assert own
    assert all(one.case.id not in own for found in planner.seen for one in found)


def test_a_subtask_without_words_recalls_nothing(planning) -> None:
    agent, planner = planning
    planner.subtasks = (" ",)
    agent.run("report the mean price", reference="42")
    assert planner.seen == [[]]
    assert len(recalls(agent)) == 1
