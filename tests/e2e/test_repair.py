"""A wrong number whose solution needs one small edit: learned from without a model call. Real sandbox, home and graph."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentfly import Agent, Task
from agentfly.events import AttemptFinished, Event, Reflected
from agentfly.testing import ScriptedModel
from agentfly.types import Feedback

TRADE = "Exports were $55 million and imports $70 million: what was the balance of trade?"
SHORT = "```python\nexports = 55\nimports = 70\nfinal_answer(exports - imports)\n```"
SIGN = "```python\nincome = 90000\nchange = -10000\nfinal_answer(income + change)\n```"
NOTHING = json.dumps({"reason": "nothing", "operations": []})
SAID = "An amount is to be written out in full: $55 million is 55000000."


def agent_with(home: Path, replies: Sequence[Any], **options: Any) -> tuple[Agent, ScriptedModel]:
    model = ScriptedModel(list(replies))
    return Agent(model=model, home=home, **options), model


def test_the_mended_solution_is_the_case_and_the_mistake_its_lesson(tmp_path: Path) -> None:
    agent, model = agent_with(tmp_path, [SHORT, NOTHING, "```python\nfinal_answer(1)\n```"], settings={"explore": 3})
    events: list[Event] = []
    with agent:
        result = agent.run(TRADE, reference="-15000000.0", on_event=events.append)
        assert (result.answer, result.reward) == ("-15", 0.0), "the answer is the first attempt's"
        case = agent.bank.get(result.learned.cases[0])
        assert (case.reward, case.answer, case.lesson) == (1.0, "-15000000", SAID)
        assert case.solution == "exports = 55000000\nimports = 70000000\nfinal_answer(exports - imports)"
        assert case.provenance.feedback == "reference"
        trials = agent.runs.show(result.run_id).trials
        assert [trial.attempt.mended and trial.attempt.mended.kind for trial in trials] == [None, "scale"]
        assert [one.attempt.answer for one in events if isinstance(one, AttemptFinished)] == ["-15", "-15000000"]
        (reflected,) = (one for one in events if isinstance(one, Reflected))
        assert reflected.reflection is not None
        assert reflected.reflection.insight == SAID
        assert len(model.calls) == 2, "an attempt and the curator; nobody explored, and nobody had to reflect"
        again = agent.run("Exports were $60 million, imports $80 million: the balance of trade?", learn=False)
        assert again.recalled == (case.id,)
        shown = model.calls[2].messages[-1].content
        assert "exports = 55000000" in shown
        assert SAID in shown


def test_a_mistake_that_names_its_own_solution_is_a_lesson_and_no_rule(tmp_path: Path) -> None:
    agent, model = agent_with(tmp_path, [SIGN])
    with agent:
        result = agent.run(
            "Income of 90,000 and a decrease of working capital by 10,000: the cash flow?", reference="100000.0"
        )
        case = agent.bank.get(result.learned.cases[0])
        assert (case.reward, case.answer) == (1.0, "100000")
        assert case.lesson == "change counts with the other sign here."
        assert len(model.calls) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"settings": {"feedback": "outcome"}},
        {"settings": {"learning.repair": False}},
        {"scorer": lambda answer, reference: float(answer == reference)},
    ],
    ids=["the reference only judges", "turned off", "another judge"],
)
def test_where_the_reference_may_not_lead_nothing_is_repaired(tmp_path: Path, more: dict[str, Any]) -> None:
    said = json.dumps({"diagnosis": "wrong", "insight": "do better"})
    agent, _ = agent_with(tmp_path, [SHORT, said, NOTHING], **more)
    with agent:
        result = agent.run(TRADE, reference="-15000000.0")
        assert [trial.attempt.mended for trial in agent.runs.show(result.run_id).trials] == [None]


@pytest.mark.parametrize(
    ("question", "reply", "reference"),
    [
        (TRADE, SHORT, "minus fifteen million"),
        (TRADE, SHORT, "17.3"),
        ("a rate of 12% six times a year", "```python\nr = 0.12\nn = 6\nfinal_answer(r * n - 0.6)\n```", "0.9"),
        (TRADE, "```python\nfinal_answer(-15)\n```", "-15000000"),
    ],
    ids=["no number", "no edit", "too short to be no chance", "only stated"],
)
def test_what_no_edit_explains_is_left_to_the_reflector(
    tmp_path: Path, question: str, reply: str, reference: str
) -> None:
    said = json.dumps({"diagnosis": "wrong", "insight": "do better"})
    agent, model = agent_with(tmp_path, [reply, said, NOTHING])
    with agent:
        result = agent.run(question, reference=reference)
        assert len(agent.runs.show(result.run_id).trials) == 1
        assert len(model.calls) >= 2


def test_what_later_feedback_says_repairs_nothing(tmp_path: Path) -> None:
    said = json.dumps({"diagnosis": "wrong", "insight": "do better"})
    agent, _ = agent_with(tmp_path, [SHORT, said, NOTHING])
    with agent:
        result = agent.run(Task(TRADE))
        agent.learn(result, Feedback(reward=0.0, text="no", source="human"))
        assert len(agent.runs.show(result.run_id).trials) == 1


def test_a_repair_costs_the_shown_cases_nothing(tmp_path: Path) -> None:
    agent, _ = agent_with(tmp_path, [SHORT, NOTHING, SHORT.replace("55", "65"), NOTHING])
    with agent:
        first = agent.run(TRADE, reference="-15000000.0")
        second = agent.run(TRADE.replace("55", "65"), reference="-5000000.0")
        assert second.recalled == first.learned.cases
        sql = "SELECT reward FROM interactions JOIN recalls ON recalls.id = recall_id WHERE run_id LIKE ?"
        assert [row["reward"] for row in agent.bank._db.read(sql, (f"{second.run_id}%",))] == [0.0], (
            "the case did not help; that the repair worked is not its merit"
        )
