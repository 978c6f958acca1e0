"""`Agent.learn_tasks`: the call behind the command."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agentfly import Agent, Budget, Feedback, Plan, Task, preset
from agentfly.errors import ConfigError, InputError
from agentfly.events import Notice
from agentfly.layers import PRESETS, load_settings
from agentfly.learning.adapting import TasksLearned
from agentfly.testing import ScriptedModel

QUICK = {"learning.strategies": False, "learning.checks": False, "strategy": "codeact"}
TASKS = [Task(f"Task {n} is {'odd' if n % 2 else 'even'}.", reference="7", id=f"t{n}") for n in range(10)]


def reply(messages: Any, options: Any = None) -> str:
    return f"```python\nfinal_answer({8 if 'even' in messages[-1].content.rpartition('Task: ')[2] else 7})\n```"


def agent(home: Path, answers: Any = reply, **more: Any) -> Agent:
    return Agent(model=ScriptedModel(answers), home=home, settings={**QUICK, **more})


def test_a_course_and_its_report(tmp_path: Path) -> None:
    told, heard = [], []
    with agent(tmp_path) as learner:
        done = learner.learn_tasks(
            TASKS, validation=2, test=4, plan=Plan(epochs=2, window=2), on_progress=told.append, on_event=heard.append
        )
        assert isinstance(done, TasksLearned)
        assert (done.reason, done.resumed, done.notices) == ("done", False, ())
        assert done.report.tasks == {"learn": 4, "validate": 2, "test": 4}
        assert (done.report.learned, done.report.base.total, done.report.test.total) == (8, 4, 4)
        assert learner.bank.count() > 0
    assert {progress.phase for progress in told} == {"base", "validate", "learn", "test"}
    assert {progress.id for progress in told} == {done.id}
    assert heard


def test_tasks_to_test_on_are_left_out_of_learning_and_that_is_told(tmp_path: Path) -> None:
    heard: list[Any] = []
    with agent(tmp_path) as learner:
        done = learner.learn_tasks(TASKS[:4], test=[TASKS[1], TASKS[9]], on_event=heard.append)
    assert done.notices == ("1 of 4 tasks are left out of learning: they are in the test too",)
    assert [event.text for event in heard if isinstance(event, Notice) and event.level == "warning"] == list(
        done.notices
    )
    phases: dict[str, list[str]] = {}
    for sample in done.report.samples:
        phases.setdefault(sample.phase, []).append(sample.task_id)
    assert phases == {"base": ["t1", "t9"], "learn": ["t0", "t2", "t3"], "test": ["t1", "t9"]}


def test_a_scorer_of_its_own_judges_this_course_alone(tmp_path: Path) -> None:
    def scorer(task: Task, attempt: Any) -> Feedback:
        return Feedback(reward=1.0, text="fine", source="environment")

    with agent(tmp_path) as learner:
        assert learner.learn_tasks(TASKS[:2], compare=scorer).report.phases[0].score.correct == 2
        assert learner.learn_tasks(TASKS[2:4]).report.phases[0].score.correct == 1
        assert learner.run("Task 4 is even.", reference="7").reward == 0.0


def test_the_same_call_goes_on_and_another_begins_anew(tmp_path: Path) -> None:
    calls = 0

    def interrupt(messages: Any, options: Any = None) -> str:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return reply(messages)

    plan = Plan(window=1, concurrency=1)
    with agent(tmp_path, interrupt) as learner, pytest.raises(KeyboardInterrupt):
        learner.learn_tasks(TASKS[:4], plan=plan)
    heard: list[Any] = []
    with agent(tmp_path) as learner:
        other = learner.learn_tasks(TASKS[:4], plan=Plan(window=2), on_event=heard.append)
        gone_on = learner.learn_tasks(TASKS[:4], plan=plan, on_event=heard.append)
    assert (other.resumed, gone_on.resumed) == (False, True)
    said = [event.text for event in heard if isinstance(event, Notice) and "not finished" in event.text]
    assert said == [f"this is a new course: {gone_on.id} is not finished, and had other tasks, settings, model or plan"]
    places = [(sample.epoch, sample.place) for sample in gone_on.report.samples]
    assert sorted(places) == [(1, place) for place in range(4)]


def test_a_restart_leaves_the_unfinished_one(tmp_path: Path) -> None:
    def interrupt(messages: Any, options: Any = None) -> str:
        raise KeyboardInterrupt

    heard: list[Any] = []
    with agent(tmp_path, interrupt) as learner, pytest.raises(KeyboardInterrupt):
        learner.learn_tasks(TASKS[:2])
    with agent(tmp_path) as learner:
        done = learner.learn_tasks(TASKS[:2], restart=True, on_event=heard.append)
    assert not done.resumed
    assert not [event for event in heard if isinstance(event, Notice) and "not finished" in event.text]


def test_a_budget_ends_it(tmp_path: Path) -> None:
    with agent(tmp_path) as learner:
        done = learner.learn_tasks(TASKS, plan=Plan(window=2, budget=Budget(tokens=1)))
    assert done.reason == "budget"
    assert done.report.learned < len(TASKS)
    assert any("budget of 1 tokens" in text for text in done.notices)


def test_nobody_is_asked_for_permission_and_that_is_said(tmp_path: Path) -> None:
    with agent(tmp_path, approve="ask") as learner:
        assert "nobody is asked" in learner.learn_tasks(TASKS[:1]).notices[0]


def test_from_a_running_loop(tmp_path: Path) -> None:
    learner = agent(tmp_path)

    async def ask() -> TasksLearned:
        return await learner.alearn_tasks(TASKS[:2], limit=1)

    assert asyncio.run(ask()).report.learned == 1
    learner.close()


def test_nothing_to_learn_from_is_refused(tmp_path: Path) -> None:
    with agent(tmp_path) as learner, pytest.raises(InputError, match="nothing left to learn from"):
        learner.learn_tasks([])


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_is_made_of_settings(name: str, tmp_path: Path) -> None:
    settings = load_settings(tmp_path, preset(name), {})
    tree = settings.model_dump()
    for key, value in preset(name).items():
        place: Any = tree
        for part in key.split("."):
            place = place[part]
        assert place == value, key


def test_a_preset_is_changed_by_what_stands_beside_it(tmp_path: Path) -> None:
    with Agent(
        model=ScriptedModel(reply), home=tmp_path, gate="fix", settings={**preset("ace"), "show.cases": True}
    ) as ace:
        assert (ace.settings.gate, ace.settings.show.cases, ace.settings.learning.add_only) == ("fix", True, True)
    with pytest.raises(ConfigError, match=r"no preset is named 'acee'; there are: ace, agentfly, memento"):
        preset("acee")


def test_mementos_way_shows_four_cases_whatever_they_earned_and_no_playbook(tmp_path: Path) -> None:
    model = ScriptedModel(reply)
    with Agent(model=model, home=tmp_path, settings={**preset("memento"), "strategy": "codeact"}) as memento:
        done = memento.learn_tasks(TASKS[:8:2], test=[TASKS[9]], plan=Plan(window=1))
        assert memento.playbook.current().version == 0
    shown = model.calls[-1].messages[-1].content
    assert shown.count("Failed attempt") == 4, "all that was learned are failures"
    assert done.report.learned == 4
    assert len(model.calls) == 6, "nobody reflects"
