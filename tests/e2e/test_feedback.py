"""Which feedback may be learned from, and that the reference goes no further than it may."""

from __future__ import annotations

import functools
import itertools
import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.reflecting import (
    DELTA,
    FAILING,
    QUESTION,
    RIGHT,
    RULE,
    SECRET,
    WRONG,
    agent_with,
    called,
    diagnosis,
    pretend,
    role,
    roles,
)  # fmt: skip

from agentfly import Agent, Feedback, Task
from agentfly.cli.run import status
from agentfly.events import Event, Reflected, RunFinished
from agentfly.testing import ScriptedModel
from agentfly.types import Attempt, Message, RunResult


@pytest.fixture(autouse=True)
def no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)


def babbling(messages: Sequence[Message], seen: dict[str, int]) -> str:
    """A model whose first attempts at each task fail in every way there is, and whose further ones give an answer."""
    who = role(messages)
    seen[who] = seen.get(who, 0) + 1
    if who == "reflector":
        return diagnosis(f"Insight {seen[who]}.")
    if who == "curator":
        add = {"op": "add", "section": "strategies", "text": f"Rule {seen[who]}: look at the whole question."}
        return json.dumps({"reason": "new", "operations": [add]})
    return FAILING if seen[who] % 5 in (1, 2) else WRONG


class Spy:
    """Everything that the nodes see and return."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.nodes: list[str] = []
        self.states: list[str] = []
        for name in ("recall", "generate", "evaluate", "reflect", "curate", "retain"):
            module = __import__(f"agentfly.nodes.{name}", fromlist=[name])
            patch.setattr(f"agentfly.graph.{name}", self._watching(getattr(module, name)))

    def _watching(self, node: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(node)
        async def watched(state: Any, *rest: Any) -> Any:
            self.nodes.append(node.__name__)
            self.states.append(repr(state))
            after = await node(state, *rest)
            self.states.append(repr(after))
            return after

        return watched


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    return Spy(monkeypatch)


def stored(home: Path) -> dict[str, bytes]:
    """Every value in a home's database by table, but for the column that holds the tasks with their references."""
    with sqlite3.connect(home / "agentfly.db") as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {}
        for table in tables:
            names = [row[1] for row in db.execute(f"PRAGMA table_info('{table}')")]
            wanted = [name for name in names if (table, name) != ("runs", "task")]
            columns = ", ".join(f'quote(CAST("{name}" AS BLOB))' for name in wanted)
            values = db.execute(f'SELECT {columns} FROM "{table}"').fetchall()
            parts = (bytes.fromhex(value[2:-1]) for row in values for value in row if value.startswith("X'"))
            found[table] = b"\n".join(parts)
    return found


@pytest.mark.parametrize("stop", [2, 4, 7])
@pytest.mark.parametrize("mode", ["outcome", "environment", "none"])
def test_the_reference_is_found_nowhere(tmp_path: Path, spy: Spy, mode: str, stop: int) -> None:
    seen: dict[str, int] = {}
    calls = itertools.count()

    def model(messages: Sequence[Message]) -> str:
        if next(calls) == stop:
            raise KeyboardInterrupt
        return babbling(messages, seen)

    settings: dict[str, Any] = {"feedback": mode, "rounds": 2, "explore": 1, "limits__steps": 2, "recall__floor": -1.0}
    settings["gate"] = "always" if stop == 4 else "replay"
    events: list[Event] = []
    said: list[tuple[str, str]] = []
    for number in range(3):
        agent, scripted = agent_with(tmp_path, model, **settings)
        with agent:
            try:
                agent.run(f"Which word is number {number}?", reference=SECRET, on_event=events.append)
            except KeyboardInterrupt:
                tables = stored(tmp_path)
                assert tables["checkpoints"], "it was stopped midway"
                assert SECRET.encode() not in b"\n".join(tables.values())
                agent.resume(agent.runs.recent()[0].id, on_event=events.append)
        said += called(scripted)
    tables = stored(tmp_path)
    assert next(calls) > stop
    assert {name for name, _ in said} == {"generator", "reflector", "curator"}
    assert len(tables["attempts"]) > 100
    assert len(tables["cases"]) > 100
    everything = {
        "prompts": repr(said),
        "states": repr(spy.states),
        "events": repr([event for event in events if not isinstance(event, RunFinished)]),
        "results": repr([event.result.attempt for event in events if isinstance(event, RunFinished)]),
        **{name: value.decode(errors="replace") for name, value in tables.items()},
    }
    assert [name for name, text in everything.items() if SECRET in text] == []
    assert mode == "outcome" or (tmp_path / "playbook.md").read_text()
    files = [path for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith("agentfly.db")]
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


def test_where_the_reflector_sees_the_reference_who_tries_again_does_not(tmp_path: Path, spy: Spy) -> None:
    told = diagnosis(f"The word is {SECRET}.", f"Answer {SECRET.upper()}!")
    agent, model = agent_with(tmp_path, [WRONG, told, WRONG, told, DELTA, WRONG], rounds=2)
    with agent:
        agent.run("Which word?", reference=SECRET)
    assert [SECRET in text.lower() for _, text in called(model)] == [False, True, False, True, False, False]
    assert SECRET not in repr(spy.states).lower()


def lives(
    home: Path, mode: str, references: Sequence[str | None], patch: pytest.MonkeyPatch
) -> tuple[Any, list[RunResult]]:
    """What happens in some runs, one after the other in one home: the nodes, and each call with its prompt."""
    numbers = itertools.count()
    patch.setattr("agentfly.agent.new_run_id", lambda: f"run-{next(numbers):03}")
    watch, seen = Spy(patch), dict[str, int]()
    settings: dict[str, Any] = {"feedback": mode, "rounds": 3, "explore": 1, "limits__steps": 2, "recall__floor": -1.0}
    settings |= {"policy": "neural", "seed": 1, "gate": "replay", "memory__capacity": 2}
    agent, model = agent_with(home, lambda messages: babbling(messages, seen), **settings)
    with agent:
        results = [
            agent.run(f"Which word is number {number % 3}?", reference=reference)
            for number, reference in enumerate(references)
        ]
        rewards = [
            (trial.feedback.reward, trial.feedback.source, trial.feedback.text)
            for result in results
            for trial in agent.runs.show(result.run_id).trials
            if trial.feedback is not None
        ]
        book = [bullet.text for bullet in agent.playbook.current()]
        cases = [(case.answer, case.reward, case.lesson, case.status) for case in agent.bank.list()]
    return (watch.nodes, called(model), rewards, book, cases), results


@pytest.mark.parametrize("mode", ["environment", "none"])
def test_what_happens_is_the_same_for_a_right_a_wrong_and_no_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    ends = {}
    for name, reference in {"right": "7", "wrong": SECRET, "none": None}.items():
        with monkeypatch.context() as patch:
            ends[name] = lives(tmp_path / name, mode, [reference] * 5, patch)
    assert ends["right"][0] == ends["wrong"][0]
    assert ends["right"][0] == ends["none"][0]
    nodes, calls, rewards, *_ = ends["right"][0]
    assert {"reflect", "curate", "retain"} <= set(nodes)
    assert {name for name, _ in calls} == {"generator", "reflector", "curator"}
    assert {source for _, source, _ in rewards} == {"environment"}
    reported = {name: [result.reward for result in results] for name, (_, results) in ends.items()}
    assert set(reported["wrong"]) == {0.0}
    assert 1.0 in reported["right"]
    assert all(result.feedback and result.feedback.source == "reference" for result in ends["wrong"][1])


@pytest.mark.parametrize("mode", ["environment", "none"])
def test_a_reference_scores_the_result_and_nothing_else(tmp_path: Path, mode: str) -> None:
    agent, _ = agent_with(tmp_path, lambda messages: babbling(messages, {"generator": 2}), feedback=mode)
    with agent:
        right, wrong = agent.run(QUESTION, reference="7"), agent.run("And 2 + 2?", reference="4")
        assert [(result.reward, status(result)) for result in (right, wrong)] == [(1.0, 0), (0.0, 1)]
        for result in (right, wrong):
            record = agent.runs.show(result.run_id)
            assert record.reward == result.reward
            assert record.feedback == result.feedback
            taught = record.trials[0].feedback
            assert taught is not None
            assert (taught.reward, taught.source) == (0.5, "environment")
            assert agent.bank.get(result.learned.cases[0]).reward == 0.5
        assert {solved.run for solved in agent.runs.solved()} == {right.run_id, wrong.run_id}
        assert agent.runs.judged() == [], "nobody knows what these answers are worth"


def test_in_environment_the_command_speaks_and_the_reference_only_reports(tmp_path: Path) -> None:
    agent, model = agent_with(
        tmp_path, [WRONG, diagnosis(), DELTA, RIGHT], feedback="environment", command='test "$(cat)" = 6'
    )
    with agent:
        result = agent.run(QUESTION, reference="7")
        assert (result.reward, result.learned.accepted) == (1.0, True)
        trials = agent.runs.show(result.run_id).trials
        assert [trial.feedback and (trial.feedback.reward, trial.feedback.source) for trial in trials] == [
            (0.0, "command"),
            (1.0, "command"),
        ]
        assert "ends with status 1" in called(model)[1][1]


def test_in_environment_a_scorer_is_not_given_the_reference(tmp_path: Path) -> None:
    given: list[str | None] = []

    def scorer(task: Task, attempt: Attempt, reference: str | None) -> float | None:
        given.append(reference)
        assert task.reference == reference
        return None if reference is None else float(attempt.answer == reference)

    model = ScriptedModel([WRONG])
    with Agent(model=model, home=tmp_path, scorer=scorer, settings={"feedback": "environment"}) as agent:
        assert agent.run(QUESTION, reference="6").reward == 0.0
    assert given == [None, "6"], "first to learn from, and then for the result"


def test_in_environment_the_execution_speaks_where_nobody_else_can(tmp_path: Path) -> None:
    replies = [FAILING, FAILING, diagnosis(), DELTA, WRONG]
    agent, model = agent_with(tmp_path, replies, feedback="environment", limits__steps=2)
    with agent:
        result = agent.run(QUESTION)
        assert (result.reward, result.learned.accepted) == (0.0, True)
        assert "It hit the limit of steps." in called(model)[2][1]
        assert agent.playbook.history()[0].reason == "mended: reward 0 → 0.5"


@pytest.mark.parametrize("replies", [[WRONG], [FAILING, RIGHT], [FAILING, FAILING]])
def test_in_none_every_attempt_is_reflected_on_by_its_trace_and_no_gate_tries_anything(
    tmp_path: Path, replies: list[str]
) -> None:
    def judge(answer: str) -> float:
        raise AssertionError("no verdict is asked for")

    model = ScriptedModel([*replies, diagnosis(), DELTA])
    settings = {"feedback": "none", "rounds": 3, "explore": 2, "limits.steps": 2}
    events: list[Event] = []
    with Agent(model=model, home=tmp_path, scorer=judge, gate="replay", settings=settings) as agent:
        result = agent.run(QUESTION, on_event=events.append)
        assert roles(model) == [*["generator"] * len(replies), "reflector", "curator"]
        asked = called(model)[len(replies)][1]
        assert "Nobody said whether its answer is right" in asked
        assert "Feedback:" not in asked
        assert result.learned.reason == "kept without a test (no attempt is judged)"
        assert [bullet.text for bullet in agent.playbook.current()] == [RULE]
        taught = agent.runs.show(result.run_id).trials[0].feedback
        assert taught == Feedback(reward=0.5, source="environment")
    assert sum(isinstance(event, Reflected) for event in events) == 1


@pytest.mark.parametrize("mode", ["reference", "outcome"])
def test_a_task_without_reference_teaches_nothing_where_a_reference_is_what_counts(tmp_path: Path, mode: str) -> None:
    agent, model = agent_with(tmp_path, [WRONG], feedback=mode)
    with agent:
        result = agent.run(QUESTION)
        assert (result.reward, result.learned.cases, len(model.calls)) == (None, (), 1)


def test_the_reflector_sees_what_was_shown_in_short_and_which_answers_checks_questioned(tmp_path: Path) -> None:
    agent, model = agent_with(tmp_path, [WRONG, diagnosis(), RIGHT], feedback="outcome", recall__floor=-1.0)
    with agent:
        agent.teach("Mind the order. " + "And so on. " * 30)
        agent.teach("Answer in metres.")
        with pytest.raises(AssertionError):  # the script ends with the curator's call
            agent.run(QUESTION, reference="6")
    asked = called(model)[1][1]
    assert "[str-00001] Mind the order." in asked
    assert "[str-00002] Answer in metres." in asked
    assert max(len(line) for line in asked.splitlines() if line.startswith("[str-")) < 140
