"""Gates in the whole loop: real home, real graph, a generator that obeys its playbook."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.harm import Learner, Obedient, add, garbage, live, misled, right, rule

from agentfly import Agent, Delta, Feedback, Task
from agentfly.composition import Composition
from agentfly.protocols import Brief
from agentfly.types import Attempt

EVERY = "Rule for every order: answer by the-otter-way."
OTTER = rule("otter", right("otter"))


def order(family: str, number: int = 1, files: Sequence[Path] = ()) -> Task:
    return Task(f"Number {number}: which way for a {family} order?", tuple(files), reference=right(family))


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> Obedient:
    made = Obedient()
    monkeypatch.setattr(Composition, "_generator", lambda composition: made)
    return made


def agent_with(home: Path, replies: Sequence[str], gate: str = "replay", **options: Any) -> Agent:
    """An agent whose curator gives these replies."""
    left = list(replies)
    return Agent(model=Learner(lambda *seen: left.pop(0), random.Random(0)), home=home, gate=gate, **options)


def texts(agent: Agent) -> list[str]:
    return [bullet.text for bullet in agent.playbook.current()]


def test_a_rule_that_mends_one_task_and_breaks_another_is_dropped_with_its_evidence(
    tmp_path: Path, generator: Obedient
) -> None:
    with agent_with(tmp_path, [add(EVERY), add(OTTER)]) as agent:
        past = agent.run(order("apple"))
        assert past.reward == 1.0
        spoilt = agent.run(order("otter", 2))
        assert spoilt.learned.accepted is False
        assert texts(agent) == []
        dropped = agent.playbook.history()[0]
        found = dropped.evidence
        assert (found["gate"], found["before"], found["after"]) == ("replay", 0.0, [1.0])
        assert found["attempts"] == [f"{spoilt.run_id}/0", f"{spoilt.run_id}/1"]
        assert (found["flips"], found["noise"], found["version"]) == (1, 0, 0)
        assert found["replays"] == [
            {
                "run": past.run_id,
                "task": past.task.id,
                "before": 1.0,
                "after": 0.0,
                "control": 1.0,
                "outcome": "flipped",
                "attempts": [f"{past.run_id}/1", f"{past.run_id}/2"],
            }
        ]
        for name in found["attempts"] + found["replays"][0]["attempts"]:
            run, number = name.split("/")
            assert agent.runs.show(run).trials[int(number)].feedback is not None, "the attempts are on record"
        assert spoilt.usage.calls == 2, "the reflector and the curator; the attempts cost nothing here"

        mended = agent.run(order("otter", 3))
        assert mended.learned.accepted is True
        assert texts(agent) == [OTTER]
        assert agent.playbook.history()[0].evidence["replays"][0]["outcome"] == "held"


def test_a_replay_does_not_recall_its_own_case_and_its_folder_is_gone(tmp_path: Path, generator: Obedient) -> None:
    with agent_with(tmp_path, [add(OTTER)], settings={"recall.floor": -1.0}) as agent:
        past = agent.run(order("apple"))
        agent.run(order("otter", 2))
        replayed = [brief for brief in generator.attempts if brief.task.id == past.task.id][1:]
        assert len(replayed) == 1
        assert past.learned.cases[0] not in [recalled.case.id for recalled in replayed[0].cases]
        assert replayed[0].task.reference is None
        assert not replayed[0].workspace.exists()
        assert [path for path in agent._made.home.artifacts.rglob("*") if path.is_file()] == []


def test_what_was_mended_by_an_earlier_rule_must_not_break_again(tmp_path: Path, generator: Obedient) -> None:
    spoiling = "Rule for piano orders: answer by the-piano-way. Rule for otter orders: answer by guessing."
    with agent_with(tmp_path, [add(OTTER), json.dumps(_replace_by(spoiling))]) as agent:
        agent.run(order("otter"))
        assert texts(agent) == [OTTER]
        assert agent.run(order("piano", 2)).learned.accepted is False
        assert texts(agent) == [OTTER]


def _replace_by(text: str) -> dict[str, Any]:
    return {"reason": "", "operations": [{"op": "update", "id": "str-00001", "text": text}]}


def test_a_removal_needs_no_mend_but_may_not_cost_a_success(tmp_path: Path, generator: Obedient) -> None:
    removal = [json.dumps({"operations": [{"op": "remove", "id": f"str-0000{n}"}]}) for n in (1, 2)]
    with agent_with(tmp_path, removal) as agent:
        known = [OTTER, rule("tiger", right("tiger"))]
        operations = [{"op": "add", "section": "strategies", "text": text} for text in known]
        agent.playbook.commit(Delta.model_validate({"operations": operations}), author="human")
        assert agent.run(order("otter")).reward == 1.0
        for number in range(2, 6):
            agent.run(order("apple", number))
        assert agent.run(order("piano", 7)).learned.accepted is False, "the otter needs that bullet"
        assert agent.run(order("piano", 8)).learned.accepted is True, "no success needs that one"
        assert texts(agent) == [OTTER]


def test_the_same_again_is_not_tried_again(tmp_path: Path, generator: Obedient) -> None:
    with agent_with(tmp_path, [add(EVERY)] * 2, settings={"recall.k": 0}) as agent:
        agent.run(order("apple"))
        spent = []
        for number in (2, 3):
            before = len(generator.attempts)
            agent.run(order("otter", number))
            spent.append(len(generator.attempts) - before)
        assert spent[0] == 4, "the answer, its retry, the past success with and without the rule"
        assert spent[1] == 2, "the answer and its retry: the replays are known"
        first, second = (item.evidence["replays"] for item in reversed(agent.playbook.history(2)))
        assert second == first


def test_what_samples_is_never_taken_from_the_cache(tmp_path: Path, generator: Obedient) -> None:
    with agent_with(tmp_path, [add(EVERY)] * 2, settings={"temperature": 0.7}) as agent:
        agent.run(order("apple"))
        agent.run(order("otter", 2))
        before = len(generator.attempts)
        agent.run(order("otter", 3))
        assert len(generator.attempts) - before == 4


def test_what_can_no_longer_be_judged_or_was_an_evaluation_is_passed_over(tmp_path: Path, generator: Obedient) -> None:
    file = tmp_path / "gone.txt"
    file.write_text("x")
    with agent_with(tmp_path / "home", [add(EVERY)]) as agent:
        agent.run(order("apple", files=[file]))
        agent.run(order("brick", 2), learn=False)
        praised = agent.run(Task("Number 3: which way for a cloud order?"))
        agent.learn(praised, Feedback(reward=1.0, text="good"))
        file.unlink()
        assert agent.runs.solved() == []
        result = agent.run(order("otter", 4))
        assert result.learned.accepted is True
        assert "no past success could be tried again" in result.learned.reason


def test_a_task_that_fails_with_and_without_the_rule_is_noise(tmp_path: Path, generator: Obedient) -> None:
    data = tmp_path / "data.txt"
    data.write_text("plain")

    def judge(task: Task, attempt: Attempt, workspace: Path) -> float:
        changed = (workspace / "data.txt").exists() and (workspace / "data.txt").read_text() != "plain"
        return 0.0 if changed or attempt.answer != task.reference else 1.0

    with agent_with(tmp_path / "home", [add(OTTER)], scorer=judge) as agent:
        agent.run(order("apple", files=[data]))
        data.write_text("something else")
        assert agent.run(order("otter", 2)).learned.accepted is True
        found = agent.playbook.history()[0].evidence
        assert (found["flips"], found["noise"]) == (0, 1)


@pytest.mark.parametrize("gate", ["fix", "replay"])
def test_a_retry_that_cannot_be_judged_drops_the_delta(tmp_path: Path, generator: Obedient, gate: str) -> None:
    verdicts = [Feedback(reward=0.0, source="environment"), None]
    with agent_with(tmp_path, [add(OTTER)], gate, scorer=lambda task, attempt: verdicts.pop(0)) as agent:
        result = agent.run(order("otter"))
        assert (result.learned.accepted, texts(agent)) == (False, [])
        assert "could not be judged" in agent.playbook.history()[0].reason


@pytest.mark.parametrize("at", [1, 2, 3])
async def test_a_cancellation_in_the_middle_leaves_nothing_half_applied(
    tmp_path: Path, generator: Obedient, at: int
) -> None:
    """Cancelled in the first attempt, in its retry, or in the replay of the past success."""
    agent = agent_with(tmp_path, [add(OTTER)] * 2)
    await agent.arun(order("apple"))
    generator.attempt = _hanging(generator, at)  # type: ignore[method-assign]
    running = asyncio.create_task(agent.arun(order("otter", 2)))
    while len(generator.attempts) < 1 + at:
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert agent.playbook.current().version == 0
    assert agent.playbook.history() == []
    assert list(agent._made.home.artifacts.rglob("replays")) == []
    del generator.attempt
    again = await agent.arun(order("otter", 3))
    assert again.learned.accepted is True, "the next run goes on as if nothing had been"
    await agent.aclose()


def _hanging(generator: Obedient, at: int) -> Callable[..., Any]:
    real, count = generator.attempt, iter(range(1, 99))

    async def attempt(brief: Brief, emit: Any = None) -> Attempt:
        done = await real(brief)
        if next(count) == at:
            await asyncio.sleep(60)
        return done

    return attempt


@pytest.mark.parametrize("deltas", [misled, garbage])
def test_replay_stops_the_harm_that_always_lets_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deltas: Any
) -> None:
    """The short form of tests/benchmarks/test_harm.py."""
    ends = {
        gate: live(tmp_path / gate, gate, deltas, tasks=26, seed=2, patch=monkeypatch) for gate in ("always", "replay")
    }
    assert ends["replay"].harmful == 0
    assert ends["replay"].end >= ends["replay"].start
    assert ends["replay"].dropped > 0
    assert ends["always"].harmful >= 1
    assert ends["always"].end <= ends["replay"].end
