"""Checks over the whole loop, on a scripted model: admitted on the record, run in the sandbox, measured, retired."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentfly import Agent, Delta
from agentfly.events import Curated, Event
from agentfly.testing import ScriptedModel
from agentfly.types import Message

ASKED = "What is {} divided by {}? Round to 2 decimal places."
RAW = "```python\nfinal_answer({} / {})\n```"
ROUNDED = "```python\nfinal_answer(round({} / {}, 2))\n```"
WORDS_OFF = {"learning.strategies": False, "recall.k": 0}


def careless(messages: Sequence[Message]) -> str:
    """Divides, and rounds only when it is told to look again."""
    question = next(m.content for m in messages if m.role == "user").rpartition("What is ")[2]
    a, _, b = question.partition("?")[0].split()[0], None, question.partition("?")[0].split()[-1]
    again = "Before it is accepted" in messages[-1].content
    return (ROUNDED if again else RAW).format(a, b)


def agent_at(home: Path, model: Any = careless, **settings: Any) -> Agent:
    return Agent(model=ScriptedModel(model), home=home, scorer="gaia", settings={**WORDS_OFF, **settings})


def solve_some(agent: Agent) -> None:
    """A record with right answers on it: four divisions that come out even."""
    for a, b in ((10, 4), (9, 2), (3, 4), (7, 2)):
        assert agent.run(ASKED.format(a, b), reference=str(a / b)).reward == 1.0


def test_a_check_of_the_library_comes_in_on_the_record_and_mends_the_next_answer(tmp_path: Path) -> None:
    events: list[Event] = []
    with agent_at(tmp_path) as agent:
        solve_some(agent)
        failed = agent.run(ASKED.format(10, 3), reference="3.33", on_event=events.append)
        assert (failed.answer, failed.reward) == ("3.33333333333333", 0.0)
        checks = agent.playbook.current().checks
        assert [check.text for check in checks] == ["rounded_as_asked(question, answer)"]
        assert (failed.learned.accepted, failed.learned.delta) == (True, 1)
        assert [event.accepted for event in events if isinstance(event, Curated)] == [True]
        (revision,) = agent.playbook.history()
        assert revision.evidence["standing"] == {"wrong": 1, "caught": 1, "right": 4, "alarms": 0}
        assert revision.evidence["attempts"] == [f"{failed.run_id}/0"]

        mended = agent.run(ASKED.format(20, 3), reference="6.67")
        assert (mended.answer, mended.reward, mended.steps) == ("6.67", 1.0, 2)
        (questioned,) = mended.attempt.questioned
        assert (questioned.answer, questioned.checks, questioned.reward) == ("6.66666666666667", (checks[0].id,), 0.0)


def test_without_a_right_answer_on_the_record_no_check_comes_in(tmp_path: Path) -> None:
    with agent_at(tmp_path) as agent:
        agent.run(ASKED.format(10, 3), reference="3.33")
        assert not agent.playbook.current().checks


def test_a_check_that_comes_to_flag_right_answers_is_taken_out(tmp_path: Path) -> None:
    wide = {"op": "add", "section": "checks", "kind": "check", "text": "len(answer) < 4"}
    with agent_at(tmp_path) as agent:
        agent.playbook.commit(Delta.model_validate({"operations": [wide]}), author="human", run="r")
        solved = agent.run(ASKED.format(125, 4), reference="31.25")
        assert solved.reward == 1.0, "the check asked for another look, and the answer stayed"
        assert not agent.playbook.current().checks
        newest = agent.playbook.history()[0]
        assert "1 of 1 right" in newest.reason


def test_checks_can_be_turned_off(tmp_path: Path) -> None:
    with agent_at(tmp_path, **{"learning.checks": False}) as agent:
        solve_some(agent)
        agent.run(ASKED.format(10, 3), reference="3.33")
        assert not agent.playbook.current().checks


def test_a_check_that_the_curator_writes_is_judged_on_the_record_and_not_by_the_gate(tmp_path: Path) -> None:
    diagnosis = json.dumps({"diagnosis": "Not rounded.", "insight": "Round.", "helpful": [], "harmful": []})
    short, odd = "len(answer) <= 5", "answer != answer"
    delta = json.dumps(
        {
            "reason": "form",
            "operations": [{"op": "add", "section": "checks", "text": text, "kind": "check"} for text in (short, odd)],
        }
    )

    def talks(messages: Sequence[Message]) -> str:
        if "review an attempt" in messages[0].content:
            return diagnosis
        return delta if "You keep a playbook" in messages[0].content else careless(messages)

    settings = {"learning.strategies": True, "checks.library": False}
    with agent_at(tmp_path, talks, **settings) as agent:
        solve_some(agent)
        agent.run(ASKED.format(10, 3), reference="3.33")
        assert [check.text for check in agent.playbook.current().checks] == [short]
        kept, dropped = sorted(agent.playbook.history(), key=lambda revision: not revision.accepted)
        assert "1 of 1 wrong" in kept.reason
        assert dropped.evidence["standing"]["alarms"] == 4
        mended = agent.run(ASKED.format(20, 3), reference="6.67")
        assert mended.reward == 1.0


def test_a_check_that_loops_writes_or_takes_a_second_is_stopped_and_refused(tmp_path: Path) -> None:
    diagnosis = json.dumps({"diagnosis": "Not rounded.", "insight": "Round.", "helpful": [], "harmful": []})
    bad = {
        "while True:\n    pass\nlen(answer) < 9": "longer than 50 ms",
        "sum(range(10**9)) < len(answer)": "longer than 50 ms",
        "open('/tmp/x', 'w').write(answer)": "open",
        "import socket\nsocket.socket()": "socket",
        "undefined_name < 3": "undefined_name",
    }
    operations = [{"op": "add", "section": "checks", "text": text, "kind": "check"} for text in bad]

    def talks(messages: Sequence[Message]) -> str:
        if "review an attempt" in messages[0].content:
            return diagnosis
        reply = json.dumps({"reason": "form", "operations": operations})
        return reply if "You keep a playbook" in messages[0].content else careless(messages)

    settings = {"learning.strategies": True, "checks.library": False}
    with agent_at(tmp_path, talks, **settings) as agent:
        solve_some(agent)
        result = agent.run(ASKED.format(10, 3), reference="3.33")
        assert result.answer == "3.33333333333333", "the answer is not lost"
        assert not agent.playbook.current().checks
        told = " ".join(revision.reason for revision in agent.playbook.history())
        assert told.count("longer than 50 ms") == 2
        for word in set(bad.values()):
            assert word in told
