"""Windows: kept as a whole or not at all, and a way that is gone again changes nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.reflecting import agent_with

from agentfly import Agent
from agentfly.learning.docket import Docket
from agentfly.learning.windows import Member, Window
from agentfly.memory.selection import checkpoint
from agentfly.nodes.state import State
from agentfly.playbooks.delta import Add, Delta, TagBullet
from agentfly.playbooks.rules import Rules
from agentfly.protocols import Trial
from agentfly.types import Attempt, Case, Feedback, Task, Usage

RULES = Rules()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    made, _ = agent_with(tmp_path / "home", [], seed=1)
    with made:
        yield made


def member(agent: Agent, number: int, reward: float = 1.0) -> Member:
    task, run_id = Task(f"question {number}", id=f"t{number}"), f"run-{number}"
    agent.runs.start(run_id, task, "scripted", "codeact", agent.settings)
    attempt = Attempt(task_id=task.id, answer=str(number), status="answered", solution=f"print({number})")
    state = State(
        run_id=run_id,
        task=task,
        learn=True,
        windowed=True,
        trials=(Trial(attempt=attempt, feedback=Feedback(reward=reward, source="reference")),),
        reflection=None,
        bullets=(),
        usage=Usage(),
    )
    return Member(task=task, state=state)


def add(text: str) -> Delta:
    return Delta(operations=(Add(section="strategies", text=text),))


def docket(agent: Agent, work: str = "window") -> Docket:
    made = agent._made
    return Docket(made.playbook, made.home.db.write, made.journal, "run-0", work)


def commit(book: Docket, text: str, run: str = "run-0") -> Any:
    return book.commit(add(text), author="run", run=run, reason="why", evidence={}, rules=RULES)


def texts(book: Any) -> list[str]:
    return [bullet.text for bullet in book.current()]


def test_a_window_is_kept_as_a_whole_or_not_at_all(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    members = [member(agent, number) for number in range(3)]
    add_many, left = agent.bank.add_many, [2]

    def failing(*args: Any, **more: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("out of order")
        return add_many(*args, **more)

    window = Window(agent._made, lambda event: None)
    monkeypatch.setattr(agent.bank, "add_many", failing)
    with pytest.raises(RuntimeError):
        window.keep_all(members)
    assert agent.bank.count() == 0
    assert agent.runs.show("run-0").feedback is None
    monkeypatch.undo()
    kept = window.keep_all(members)
    assert [agent.bank.get(one.state["learned"].cases[0]).answer for one in kept] == ["0", "1", "2"]


def test_what_a_policy_learned_from_a_window_is_saved_with_it(tmp_path: Path) -> None:
    agent, _ = agent_with(tmp_path / "home", [], seed=1, policy="episodic")
    with agent:
        bank, db = agent.bank, agent._made.home.db
        stored = bank.add(Case(question="question 9", solution="print(9)", answer="9"))
        members = [member(agent, number) for number in range(2)]
        for one in members:
            bank.record_shown(one.run_id, one.task.id, bank.recollect("question 9", 1, floor=None))
        Window(agent._made, lambda event: None).keep_all(members)
        saved = checkpoint.newest(db, "episodic")
        assert saved is not None
        assert (saved.judged, bank.get(stored.id).helped) == (2, 2.0)


def test_what_is_kept_is_not_kept_twice(agent: Agent) -> None:
    members = [member(agent, number) for number in range(2)]
    window = Window(agent._made, lambda event: None)
    first = window.keep_all(members)
    events = agent._made.home.db.read("SELECT count(*) FROM case_events")[0][0]
    again = window.keep_all(members)
    assert [one.state["learned"] for one in again] == [one.state["learned"] for one in first]
    assert agent.bank.count() == 2
    assert agent._made.home.db.read("SELECT count(*) FROM case_events")[0][0] == events


def test_a_way_that_is_gone_again_finds_the_playbook_as_it_was_at_each_point(agent: Agent) -> None:
    member(agent, 0)
    first = docket(agent)
    before = texts(first)
    done = [commit(first, text) for text in ("Add the numbers.", "Round to two decimals.")]
    first.drop(add("Guess."), "no use", {}, "run-0")
    after = [texts(first), len(agent.playbook.history(None))]
    again = docket(agent)
    assert texts(again) == before
    for old, text in zip(done, ("Add the numbers.", "Round to two decimals."), strict=True):
        new = commit(again, text)
        assert (new.version, new.accepted) == (old.version, True)
        assert again.current().version == old.version
    again.drop(add("Guess."), "no use", {}, "run-0")
    assert [texts(again), len(agent.playbook.history(None))] == after
    commit(again, "Read the file first.")
    assert texts(again) == [*after[0], "Read the file first."]


def test_what_changed_nothing_is_not_tried_again(agent: Agent) -> None:
    member(agent, 0)
    first = docket(agent)
    tags = Delta(operations=(TagBullet(id="str-00001", tag="helpful"),))
    told: dict[str, Any] = {"author": "run", "run": "run-0", "reason": "credit", "evidence": {}, "rules": RULES}
    assert not first.commit(tags, **told).accepted, "there is no such bullet yet"
    commit(first, "Add the numbers.")
    again = docket(agent)
    assert not again.commit(tags, **told).accepted
    assert commit(again, "Add the numbers.").accepted
    assert len(agent.playbook.history(None)) == 2, "what changed nothing is in the history too, once"
    assert agent.playbook.current().get("str-00001").helpful == 0  # type: ignore[union-attr]


def test_another_window_of_the_same_run_has_a_docket_of_its_own(agent: Agent) -> None:
    member(agent, 0)
    commit(docket(agent), "Add the numbers.")
    other = docket(agent, "another window")
    assert texts(other) == ["Add the numbers."]
    other.drop(add("Guess."), "no use", {}, "run-0")
    assert len(agent.playbook.history(None)) == 2


def test_a_change_and_the_note_of_it_are_one(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    member(agent, 0)
    book = docket(agent)

    def full(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(agent._made.journal, "add", full)
    with pytest.raises(OSError, match="no space"):
        commit(book, "Add the numbers.")
    monkeypatch.undo()
    assert agent._made.home.db.read("SELECT count(*) FROM playbook_versions")[0][0] == 0


def test_a_verdict_is_found_again(agent: Agent) -> None:
    member(agent, 0)
    first = docket(agent)
    assert first.verdict(add("x"), "run-0") is None
    first.decide(add("x"), "run-0", {"accepted": True})
    again = docket(agent)
    assert again.verdict(add("x"), "run-0") == {"accepted": True}
    assert again.verdict(add("x"), "run-1") is None
    assert again.verdict(add("y"), "run-0") is None


def test_the_order_of_runs_is_that_of_the_window(agent: Agent) -> None:
    async def both() -> list[Member]:
        window = Window(agent._made, lambda event: None)
        members = [member(agent, 2), member(agent, 0), member(agent, 1)]
        return await window.curate(window.keep_all(members))

    assert [one.run_id for one in asyncio.run(both())] == ["run-2", "run-0", "run-1"]
    assert [case.answer for case in reversed(agent.bank.list())] == ["2", "0", "1"]
