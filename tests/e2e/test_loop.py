"""The whole loop on a scripted model: real sandbox, real home, real graph."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentfly import Agent, Feedback, Task
from agentfly.errors import InputError, ProviderError
from agentfly.events import AttemptFinished, Curated, Event, Reflected, RunFinished
from agentfly.testing import ScriptedModel
from agentfly.types import Message

RIGHT = "```python\nfinal_answer(sum([1, 2, 3]))\n```"
WRONG = "```python\nfinal_answer(7)\n```"
DIAGNOSIS = json.dumps(
    {"diagnosis": "It guessed.", "insight": "Add the numbers with sum().", "helpful": [], "harmful": []}
)
RULE = "When numbers are to be added, use sum()."
DELTA = json.dumps({"reason": "new", "operations": [{"op": "add", "section": "strategies", "text": RULE}]})


def agent_with(home: Path, replies: Sequence[Any], **options: Any) -> tuple[Agent, ScriptedModel]:
    model = ScriptedModel(list(replies))
    agent = Agent(model=model, home=home, **options)
    return agent, model


def prompts(model: ScriptedModel) -> list[str]:
    return ["\n".join(message.content for message in call.messages) for call in model.calls]


def test_a_success_costs_no_call_beyond_the_attempt_and_is_remembered(tmp_path: Path) -> None:
    agent, model = agent_with(tmp_path, [RIGHT])
    with agent:
        result = agent.run("What is 1 + 2 + 3?", reference="6")
        assert (result.status, result.answer, result.reward, result.steps) == ("answered", "6", 1.0, 1)
        assert len(model.calls) == 1
        assert result.usage.calls == 1
        case = agent.bank.get(result.learned.cases[0])
        assert "sum([1, 2, 3])" in case.solution
        assert (case.reward, case.answer, case.provenance.run) == (1.0, "6", result.run_id)
        assert agent.runs.show(result.run_id).attempts[0].steps[0].action


def test_what_was_learned_is_shown_next_time(tmp_path: Path) -> None:
    agent, model = agent_with(tmp_path, [RIGHT, RIGHT])
    with agent:
        first = agent.run("What is 1 + 2 + 3?", reference="6")
        second = agent.run("What is 1 + 2 + 3?", reference="6")
        assert second.recalled == first.learned.cases
        assert "sum([1, 2, 3])" in prompts(model)[1]


def test_evaluation_does_not_recall_the_task_itself(tmp_path: Path) -> None:
    agent, _model = agent_with(tmp_path, [RIGHT, RIGHT])
    with agent:
        agent.run("What is 1 + 2 + 3?", reference="6")
        assert agent.run("What is 1 + 2 + 3?", reference="6", exclude_self=True, learn=False).recalled == ()


def test_evaluation_does_not_recall_the_same_question_under_another_id(tmp_path: Path) -> None:
    agent, _model = agent_with(tmp_path, [RIGHT, RIGHT, RIGHT])
    with agent:
        first = agent.run(Task("What is 1 + 2 + 3?", id="from-the-terminal", reference="6"))
        again = Task("What is 1 + 2 + 3?", id="of-the-benchmark", reference="6")
        assert agent.run(again, exclude_self=True, learn=False).recalled == ()
        assert agent.run(again, learn=False).recalled == first.learned.cases


def test_a_failure_that_the_rule_mends_keeps_the_rule_and_the_working_solution(tmp_path: Path) -> None:
    agent, model = agent_with(tmp_path, [WRONG, DIAGNOSIS, DELTA, RIGHT])
    events: list[Event] = []
    with agent:
        result = agent.run("What is 1 + 2 + 3?", reference="6", on_event=events.append)
        assert (result.answer, result.reward) == ("7", 0.0), "the answer is the first attempt's"
        assert result.learned.accepted is True
        assert [bullet.text for bullet in agent.playbook.current().bullets] == [RULE]
        assert RULE in prompts(model)[3]
        assert RULE in (tmp_path / "playbook.md").read_text()
        case = agent.bank.get(result.learned.cases[0])
        assert (case.reward, case.answer) == (1.0, "6")
        assert result.usage.calls == 4
    assert [type(event) for event in events if isinstance(event, Reflected | Curated)] == [Reflected, Curated]
    assert [event.retry for event in events if isinstance(event, AttemptFinished)] == [False, True]


def test_a_failure_that_the_rule_does_not_mend_drops_the_rule_and_keeps_the_failure_with_its_lesson(
    tmp_path: Path,
) -> None:
    agent, _model = agent_with(tmp_path, [WRONG, DIAGNOSIS, DELTA, WRONG])
    with agent:
        result = agent.run("What is 1 + 2 + 3?", reference="6")
        assert result.learned.accepted is False
        assert len(agent.playbook.current().bullets) == 0
        dropped = agent.playbook.history()[0]
        assert not dropped.accepted
        case = agent.bank.get(result.learned.cases[0])
        assert (case.reward, case.lesson) == (0.0, "Add the numbers with sum().")


def test_exploring_finds_a_solution_but_does_not_change_the_answer(tmp_path: Path) -> None:
    agent, model = agent_with(tmp_path, [WRONG, RIGHT, DIAGNOSIS, DELTA, RIGHT], settings={"explore": 2})
    with agent:
        result = agent.run("What is 1 + 2 + 3?", reference="6")
        assert (result.answer, result.reward) == ("7", 0.0)
        assert agent.bank.get(result.learned.cases[0]).answer == "6"
        assert model.calls[1].options.temperature == pytest.approx(0.8)
        assert "sum([1, 2, 3])" in prompts(model)[2], "the reflector sees the solution that worked"


def test_without_feedback_or_when_told_not_to_nothing_is_learned(tmp_path: Path) -> None:
    agent, model = agent_with(tmp_path, [WRONG, WRONG])
    with agent:
        assert agent.run("What is 1 + 2 + 3?").reward is None
        told = agent.run("What is 1 + 2 + 3?", reference="6", learn=False)
        assert (told.reward, told.learned.cases) == (0.0, ())
        assert agent.bank.count() == 0
        assert len(model.calls) == 2


@pytest.mark.parametrize(
    "rubbish",
    [
        ["nothing like JSON", "still nothing"],
        [DIAGNOSIS, "[]", "{}"],
        [DIAGNOSIS, json.dumps({"operations": []})],
        [DIAGNOSIS, json.dumps({"operations": [{"op": "remove", "id": "str-00009"}]})],
        [DIAGNOSIS, json.dumps({"operations": [{"op": "add", "section": "strategies", "text": " "}]})],
        [ProviderError("the provider is down")],
    ],
)
def test_a_useless_reflector_or_curator_costs_its_calls_and_nothing_else(tmp_path: Path, rubbish: list[Any]) -> None:
    agent, _model = agent_with(tmp_path, [WRONG, *rubbish, RIGHT])
    with agent:
        result = agent.run("What is 1 + 2 + 3?", reference="6")
        assert (result.answer, result.status) == ("7", "answered")
        assert len(agent.playbook.current().bullets) == 0
        assert agent.bank.count() == 1
        assert agent.run("And 1 + 5?", reference="6").answer == "6", "the next run goes on as if nothing had been"


@pytest.mark.parametrize("setting", ["reference", "outcome"])
def test_the_reference_reaches_no_prompt_state_or_event_but_the_reflectors_where_allowed(
    tmp_path: Path, setting: str
) -> None:
    secret = "zq-8417-secret"
    agent, model = agent_with(
        tmp_path, [WRONG, WRONG, DIAGNOSIS, DELTA, WRONG], settings={"explore": 1, "feedback": setting}
    )
    events: list[Event] = []
    seen: list[str] = []
    with agent:
        put = agent._made.checkpointer.put
        agent._made.checkpointer.put = lambda config, checkpoint, *rest: (  # type: ignore[method-assign]
            seen.append(repr(checkpoint)),
            put(config, checkpoint, *rest),
        )[1]
        agent.run("What is the word?", reference=secret, on_event=events.append)
    assert len(seen) > 5
    assert secret not in "".join(seen)
    assert secret not in repr([event for event in events if not isinstance(event, RunFinished)])
    found = [secret in text for text in prompts(model)]
    assert found == [False, False, setting == "reference", False, False]


def test_a_persons_word_after_the_run_teaches(tmp_path: Path) -> None:
    agent, model = agent_with(tmp_path, [WRONG, DIAGNOSIS, DELTA, RIGHT])
    with agent:
        result = agent.run("What is 1 + 2 + 3?")
        learned = agent.learn(result, Feedback(reward=0.0, text="Do not guess, add."))
        assert learned.accepted is True
        assert "Do not guess, add." in prompts(model)[1]
        assert [bullet.text for bullet in agent.playbook.current().bullets] == [RULE]
        assert agent.runs.show(result.run_id).feedback.text == "Do not guess, add."
        assert len(model.calls) == 3, "a person is trusted: no attempt to test the rule"


def test_a_rule_can_be_taught_outright_and_a_bad_one_is_refused(tmp_path: Path) -> None:
    agent, _ = agent_with(tmp_path, [])
    with agent:
        assert agent.teach("Answer in metres.").accepted
        with pytest.raises(InputError, match="cannot be taught"):
            agent.teach("   ")
        assert len(agent.playbook.current().bullets) == 1


def test_bad_input_is_refused_before_anything_starts(tmp_path: Path) -> None:
    twin = tmp_path / "b" / "x.csv"
    twin.parent.mkdir()
    twin.write_text("a")
    (tmp_path / "x.csv").write_text("a")
    agent, model = agent_with(tmp_path / "home", [])
    with agent:
        for question, files, said in [
            (" ", [], "empty"),
            ("q", [tmp_path / "no.csv"], "no file"),
            ("q", [tmp_path], "not a file"),
            ("q", [tmp_path / "x.csv", twin], "rename"),
        ]:
            with pytest.raises(InputError, match=said):
                agent.run(question, files=files)
        assert not model.calls
        assert list(agent.runs.recent()) == []


def test_files_are_copies_and_what_was_made_is_kept(tmp_path: Path) -> None:
    source = tmp_path / "data.txt"
    source.write_text("5")
    code = "```python\nopen('made.txt','w').write('x')\nfinal_answer(open('data.txt').read())\n```"
    agent, _ = agent_with(tmp_path / "home", [code])
    with agent:
        result = agent.run("What does the file say?", files=[source])
        assert result.answer == "5"
    made = list((tmp_path / "home" / "artifacts").rglob("*"))
    assert [path.name for path in made if path.is_file()] == ["made.txt"]
    assert source.read_text() == "5"


async def test_many_runs_at_once_share_one_agent(tmp_path: Path) -> None:
    agent, _ = agent_with(tmp_path, [RIGHT] * 8)
    async with agent:
        results = await asyncio.gather(
            *(agent.arun(f"What is 1 + 2 + 3, number {n}?", reference="6") for n in range(8))
        )
        assert [result.answer for result in results] == ["6"] * 8
        assert agent.bank.count() == 8
        assert len({result.run_id for result in results}) == 8


async def test_a_run_works_inside_a_running_loop(tmp_path: Path) -> None:
    agent, _ = agent_with(tmp_path, [RIGHT])
    assert agent.run("What is 1 + 2 + 3?").answer == "6"
    await agent.aclose()


def test_a_cancelled_run_resumes_after_its_last_finished_node(tmp_path: Path) -> None:
    def interrupt(messages: Sequence[Message]) -> str:
        raise KeyboardInterrupt

    agent, model = agent_with(tmp_path, [WRONG, interrupt])
    with agent, pytest.raises(KeyboardInterrupt):
        agent.run("What is 1 + 2 + 3?", reference="6")
    agent, model = agent_with(tmp_path, [DIAGNOSIS, DELTA, RIGHT])
    with agent:
        record = agent.runs.recent()[0]
        assert record.status == "interrupted"
        result = agent.resume(record.id)
        assert (result.answer, result.learned.accepted) == ("7", True)
        assert len(model.calls) == 3, "the attempt was not made again"
        with pytest.raises(InputError, match="nothing left"):
            agent.resume(record.id)
