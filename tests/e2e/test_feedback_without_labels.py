"""Feedback where nobody knows the right answer: a judge, further attempts, a person, a command, the environment."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.reflecting import DELTA, FAILING, QUESTION, RIGHT, WORSE, WRONG, diagnosis, pretend

from agentfly import Agent, Task
from agentfly.composition import Composition, Given
from agentfly.errors import ConfigError, ProviderError
from agentfly.layers import resolve_settings
from agentfly.learning.adaptation.course import Course, Tasks
from agentfly.learning.adaptation.plan import Plan
from agentfly.scorers import HumanScorer, JudgeScorer
from agentfly.store.adaptations import AdaptationStore, Sample
from agentfly.testing import ScriptedModel
from agentfly.types import Message, Usage

ROLES = {
    "You solve tasks": "generator", "You review an attempt": "reflector", "You keep a playbook": "curator",
    "You judge an answer": "judge",
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)


def role(messages: Sequence[Message]) -> str:
    return next(name for start, name in ROLES.items() if messages[0].content.startswith(start))


def roles(model: ScriptedModel) -> list[str]:
    return [role(call.messages) for call in model.calls]


def spent(*models: ScriptedModel) -> int:
    return sum(len(model.calls) for model in models)


def ruling(reward: float | None, reason: str = "Looked at it.") -> str:
    return json.dumps({"reason": reason, "reward": reward})


def agent_with(home: Path, replies: Any, **settings: Any) -> tuple[Agent, ScriptedModel]:
    model = ScriptedModel(replies if callable(replies) else list(replies))
    scorer = settings.pop("scorer", None)
    given = {key.replace("__", "."): value for key, value in settings.items()}
    return Agent(model=model, home=home, scorer=scorer, settings={"strategy": "codeact", **given}), model


PROGRAM = """
import json, os, signal, sys
from support import reflecting
import agentfly.tools.python
from agentfly import Agent
from agentfly.testing import ScriptedModel

agentfly.tools.python.PythonSandbox = reflecting.PretendedSandbox
home, replies, settings = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
model = ScriptedModel([*replies, lambda messages: os.kill(os.getpid(), signal.SIGKILL)])
Agent(model=model, home=home, settings=settings).run(reflecting.QUESTION)
"""


def killed(home: Path, replies: Sequence[str], settings: dict[str, Any]) -> str:
    """Id of a run whose process was killed when it asked the model for more than these replies."""
    given = {"strategy": "codeact", **{key.replace("__", "."): value for key, value in settings.items()}}
    arguments = [sys.executable, "-c", PROGRAM, str(home), json.dumps(replies), json.dumps(given)]
    support = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(arguments, env=support, capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with Agent(model=ScriptedModel(), home=home) as agent:
        return agent.runs.recent()[0].id


# A judge


def test_a_judge_is_learned_from_and_its_calls_count(tmp_path: Path) -> None:
    replies = [WRONG, ruling(0.0, "One too many."), diagnosis(), DELTA, RIGHT, ruling(1.0)]
    agent, model = agent_with(tmp_path, replies, scorer="judge")
    with agent:
        result = agent.run(QUESTION)
        assert roles(model) == ["generator", "judge", "reflector", "curator", "generator", "judge"]
        assert "One too many." in model.calls[2].messages[-1].content
        assert (result.reward, result.learned.accepted) == (0.0, True)
        assert result.usage.calls == len(model.calls)
        assert result.feedback is not None
        assert result.feedback.source == "judge"
        trials = agent.runs.show(result.run_id).trials
        assert [trial.feedback and trial.feedback.source for trial in trials] == ["judge", "judge"]
        assert agent.bank.get(result.learned.cases[0]).provenance.feedback == "judge"


def test_garbage_of_a_judge_costs_its_calls_and_teaches_nothing(tmp_path: Path) -> None:
    agent, model = agent_with(tmp_path, [WRONG, "nonsense", "nonsense"], scorer="judge")
    with agent:
        result = agent.run(QUESTION)
        assert (result.answer, result.reward, result.learned.cases) == ("7", None, ())
        assert result.usage.calls == len(model.calls) == 3


def test_a_provider_that_fails_the_judge_costs_no_answer(tmp_path: Path) -> None:
    failed = ProviderError("503", usage=Usage(calls=1, failed_calls=1))
    agent, _ = agent_with(tmp_path, [WRONG, failed], scorer="judge")
    with agent:
        result = agent.run(QUESTION)
        assert (result.answer, result.reward) == ("7", None)
        assert (result.usage.calls, result.usage.failed_calls) == (2, 1)


@pytest.mark.parametrize(
    ("feedback", "told", "reward"), [("reference", True, 1.0), ("outcome", False, 0.0), ("environment", False, 0.0)]
)
def test_a_judge_sees_the_reference_where_feedback_is_by_reference_alone(
    tmp_path: Path, feedback: str, told: bool, reward: float
) -> None:
    agent, model = agent_with(tmp_path, [WRONG, ruling(1.0)], scorer="judge", feedback=feedback)
    with agent:
        result = agent.run(QUESTION, reference="zq-8417")
        assert ("zq-8417" in str(model.calls[1].messages)) == told
        assert result.reward == reward, "what no reference was used for is scored by it all the same"
        assert result.feedback is not None
        assert result.feedback.source == ("judge" if told else "reference")
        taught = agent.runs.show(result.run_id).trials[0].feedback
        assert taught is not None
        assert (taught.reward, taught.source) == (1.0, "judge")


def test_a_judge_of_its_own_may_be_brought(tmp_path: Path) -> None:
    judge = ScriptedModel([ruling(1.0)], name="judge")
    agent, model = agent_with(tmp_path, [WRONG], scorer=JudgeScorer(judge))
    with agent:
        result = agent.run(QUESTION)
        assert result.reward == 1.0
        assert (spent(model), spent(judge), result.usage.calls) == (1, 1, 2)


def test_a_killed_hearing_does_not_pay_the_judge_twice(tmp_path: Path) -> None:
    run_id = killed(tmp_path, [WRONG, "nonsense"], {"scorer": "judge"})
    again, rest = agent_with(tmp_path, [ruling(1.0)], scorer="judge")
    with again:
        result = again.resume(run_id)
        assert result.reward == 1.0
        assert roles(rest) == ["judge"]
        assert result.usage.calls == 3, "the replies from before count once"


# Further attempts


def test_further_attempts_vote_and_count(tmp_path: Path) -> None:
    replies = [WRONG, RIGHT, WRONG, RIGHT, diagnosis(), DELTA, RIGHT]
    agent, model = agent_with(
        tmp_path,
        replies,
        scorer="consistency",
        judging__samples=3,
        judging__at_once=1,
        judging__temperature=0.9,
        seed=3,
    )
    with agent:
        result = agent.run(QUESTION)
        assert roles(model) == ["generator"] * 4 + ["reflector", "curator", "generator"]
        assert [call.options.temperature for call in model.calls[:4]] == [0.0, 0.9, 0.9, 0.9]
        assert len({call.options.seed for call in model.calls[:4]}) == 4
        assert result.feedback is not None
        assert (result.reward, result.feedback.source) == (0.0, "consistency")
        assert result.feedback.confidence == pytest.approx(2 / 3)
        assert result.usage.calls == len(model.calls), (
            "the votes were asked for once, and served the gate's attempt too"
        )
        assert result.learned.accepted
        record = agent.runs.show(result.run_id)
        assert len(record.trials) == 2, "attempts that only vote are none of the run's"
        assert record.trials[1].feedback is not None
        assert (record.trials[1].feedback.reward, record.trials[1].feedback.source) == (1.0, "consistency")
        folders = [path for path in (tmp_path / "artifacts").rglob("*") if "." in path.name]
        assert folders == []


def test_where_the_attempts_do_not_agree_nothing_is_learned(tmp_path: Path) -> None:
    agent, _ = agent_with(tmp_path, [WRONG, RIGHT, WRONG, WORSE], scorer="consistency", judging__samples=3)
    with agent:
        result = agent.run(QUESTION)
        assert (result.reward, result.learned.cases, result.usage.calls) == (None, (), 4)


@pytest.mark.parametrize("stop", [1, 3])
def test_a_killed_vote_goes_on_and_counts_each_attempt_once(tmp_path: Path, stop: int) -> None:
    settings = {"scorer": "consistency", "judging__samples": 4, "judging__at_once": 1}
    run_id = killed(tmp_path, [RIGHT, *[RIGHT, WRONG, RIGHT, RIGHT][:stop]], settings)
    again, rest = agent_with(tmp_path, [RIGHT, WRONG, RIGHT, RIGHT][stop:], **settings)
    with again:
        result = again.resume(run_id)
        assert rest.remaining == 0
        assert result.feedback is not None
        assert (result.reward, result.feedback.confidence) == (1.0, 0.75)
        assert result.usage.calls == 5
        assert again.runs.show(run_id).status == "answered"
        assert again._made.journal.read(run_id) == []


def test_a_vote_is_not_asked_for_where_an_evaluation_has_the_reference(tmp_path: Path) -> None:
    agent, model = agent_with(tmp_path, [RIGHT, RIGHT, RIGHT, RIGHT], scorer="consistency", judging__samples=2)
    with agent:
        result = agent.run(QUESTION, reference="6", learn=False)
        assert (result.reward, spent(model)) == (1.0, 1)
        assert result.feedback is not None
        assert result.feedback.source == "reference"
        unknown = agent.run("And now?", learn=False)
        assert (unknown.reward, spent(model)) == (1.0, 4)


# A person


def test_a_person_is_asked_and_learned_from(tmp_path: Path) -> None:
    lines = ["n", "count again"]
    agent, model = agent_with(
        tmp_path, [WRONG, diagnosis(), DELTA], scorer=HumanScorer(ask=lambda prompt: lines.pop(0))
    )
    with agent:
        result = agent.run(QUESTION)
        assert result.feedback is not None
        assert (result.reward, result.feedback.text, result.feedback.source) == (0.0, "count again", "human")
        assert "count again" in model.calls[1].messages[-1].content
        assert result.learned.accepted, "a person's word is not tested"


def test_where_no_person_is_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    agent, model = agent_with(tmp_path, [WRONG], scorer="human")
    with agent:
        with pytest.raises(ConfigError, match="standard input is none"):
            agent.run(QUESTION)
        assert agent.runs.recent() == []
        assert model.calls == []


# Recorded traces


def test_a_trace_that_brings_no_verdict_is_judged(tmp_path: Path) -> None:
    agent, model = agent_with(
        tmp_path, [ruling(1.0), ruling(None)], scorer="judge", learning__strategies=False, learning__checks=False
    )
    with agent:
        traces = [{"question": f"What is 1 + {n}?", "steps": [f"print(1 + {n})"], "answer": "3"} for n in (2, 3)]
        learned = agent.learn_traces(traces)
        assert (learned.learned, len(learned.skipped), learned.usage.calls) == (1, 1, 1)
        assert roles(model) == ["judge", "judge"]
        feedback = agent.runs.show(learned.runs[0]).feedback
        assert feedback is not None
        assert (feedback.reward, feedback.source) == (1.0, "judge")


# Over a dataset


def answering(messages: Sequence[Message]) -> str:
    """A model that is right about odd numbers."""
    if role(messages) == "judge":
        return ruling(float("never instructions]\n6\n[end" in messages[-1].content))
    kind = re.findall(r"Number \d+ is (\w+)", messages[1].content)[-1]  # the question stands last
    return {"failing": FAILING, "odd": RIGHT, "even": WRONG}[kind]


def tasks(first: int, count: int, *, reference: bool) -> list[Task]:
    kinds = ["even", "odd", "failing"]
    return [
        Task(f"Number {n} is {kinds[n % 3]}", reference="6" if reference else None, id=f"t{n}")
        for n in range(first, first + count)
    ]


async def course(
    home: Path, given: Given, settings: dict[str, Any], *, train_reference: bool = False
) -> tuple[Composition, dict[str, list[Sample]]]:
    fixed = {"strategy": "codeact", "gate": "always", "learning.strategies": False, "learning.checks": False}
    resolved, _ = resolve_settings(home, {**fixed, "limits.steps": 2, **settings})
    made = Composition(home, resolved, given)
    groups = Tasks(train=tasks(0, 6, reference=train_reference), test=tasks(6, 3, reference=True))
    ended = await Course(made, groups, Plan(window=3)).run()
    store = AdaptationStore(made.home.db)
    return made, {phase: store.samples(ended.id, phase) for phase in ("base", "learn", "test")}


def taught(made: Composition, samples: list[Sample]) -> list[tuple[str, float]]:
    """Who judged what was learned, by the record of the runs."""
    trials = [made.runs.show(sample.run_id).trials[0].feedback for sample in samples]
    return [(feedback.source, feedback.reward) for feedback in trials if feedback is not None]


SIX = 'test "$(cat)" = 6'
WAYS: dict[str, tuple[dict[str, Any], Any, str, list[float]]] = {
    "environment": ({"feedback": "environment"}, None, "environment", [0.5, 0.5, 0.0]),
    "command": ({"command": SIX}, None, "command", [0.0, 1.0, 0.0]),
    "command in environment": ({"feedback": "environment", "command": SIX}, None, "command", [0.0, 1.0, 0.0]),
    "function": ({}, lambda answer: answer == "6", "environment", [0.0, 1.0, 0.0]),
    "judge": ({"scorer": "judge"}, None, "judge", [0.0, 1.0, 0.0]),
    "consistency": ({"scorer": "consistency", "judging.samples": 2}, None, "consistency", [1.0, 1.0, 0.0]),
    "human": ({}, HumanScorer(ask=lambda prompt: "" if "why" in prompt else "0.75"), "human", [0.75, 0.75, 0.0]),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_course_is_learned_by_what_there_is_and_says_so(tmp_path: Path, way: str) -> None:
    settings, scorer, source, rewards = WAYS[way]
    model = ScriptedModel(answering)
    made, samples = await course(tmp_path, Given(model=model, scorer=scorer), settings)
    try:
        assert [(one.source, one.reward) for one in samples["learn"]] == [(source, reward) for reward in rewards * 2]
        assert taught(made, samples["learn"]) == [(source, reward) for reward in rewards * 2]
        assert {made.bank.get(one.cases[0]).provenance.feedback for one in samples["learn"]} == {source}
        total = sum((one.usage for phase in samples.values() for one in phase), Usage())
        assert total.calls == len(model.calls), "whatever judging cost is counted"
    finally:
        await made.aclose()


@pytest.mark.parametrize("way", ["environment", "command in environment", "judge", "consistency", "human"])
async def test_accuracy_is_by_reference_where_tasks_have_one(tmp_path: Path, way: str) -> None:
    settings, scorer, source, rewards = WAYS[way]
    settings = {**settings, "feedback": "environment"}
    made, samples = await course(
        tmp_path, Given(model=ScriptedModel(answering), scorer=scorer), settings, train_reference=True
    )
    try:
        for phase in ("base", "test", "learn"):
            found = [(one.source, one.reward) for one in samples[phase]]
            assert found == [("reference", reward) for reward in [0.0, 1.0, 0.0]] * (len(found) // 3)
        assert taught(made, samples["learn"]) == [(source, reward) for reward in rewards * 2]
    finally:
        await made.aclose()


async def test_a_datasets_own_rule_reports_where_something_else_is_learned_from(tmp_path: Path) -> None:
    def lenient(answer: str, reference: str) -> float:
        return 0.8

    given = Given(model=ScriptedModel(answering), compare=lenient)
    made, samples = await course(tmp_path, given, {"scorer": "consistency", "judging.samples": 2})
    try:
        assert [one.reward for one in samples["test"]] == [0.8, 0.8, 0.0]
        assert {one.source for one in samples["test"]} == {"reference"}
        assert {one.source for one in samples["learn"]} == {"consistency"}
    finally:
        await made.aclose()


def test_runs_show_says_who_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from agentfly.cli.app import app

    agent, _ = agent_with(tmp_path, [RIGHT, RIGHT, RIGHT], scorer="consistency", judging__samples=2)
    with agent:
        result = agent.run(QUESTION)
    for more in ([], ["--json"]):
        with pytest.raises(SystemExit):
            app(["runs", "show", result.run_id, "--home", str(tmp_path), *more])
        out = capsys.readouterr().out
        assert "consistency" in out, out
        assert "2 of 2 further attempts" in " ".join(out.split()), out
