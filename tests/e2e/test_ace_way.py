"""ACE's own way as settings: the reflector and the curator look at every attempt, and the curator only adds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.reflecting import (
    FAILING,
    QUESTION,
    RIGHT,
    RULE,
    WRONG,
    agent_with,
    diagnosis,
    pretend,
    role,
    shortcut,
)


@pytest.fixture(autouse=True)
def _pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)


def curated(*operations: dict[str, object]) -> str:
    return json.dumps({"reason": "new", "operations": list(operations)})


ADD = {"op": "add", "section": "strategies", "text": RULE}


def test_every_attempt_costs_a_reflection_and_a_curation(tmp_path: Path) -> None:
    replies = [RIGHT, shortcut(), curated(ADD)]
    agent, model = agent_with(tmp_path, replies, learning__every=True, gate="always")
    with agent:
        result = agent.run(QUESTION, reference="6")
        assert [bullet.text for bullet in agent.playbook.current()] == [RULE]
    assert [role(call.messages) for call in model.calls] == ["generator", "reflector", "curator"]
    assert "succeeded" in model.calls[1].messages[0].content
    assert result.learned.accepted is True


def test_a_hard_won_success_is_still_told_as_one(tmp_path: Path) -> None:
    agent, model = agent_with(tmp_path, [FAILING, RIGHT, shortcut(), curated(ADD)], learning__every=True, gate="always")
    with agent:
        agent.run(QUESTION, reference="6")
    assert "only after steps that failed" in model.calls[2].messages[0].content


@pytest.mark.parametrize(("add_only", "left"), [(True, 2), (False, 1)])
def test_a_curator_that_may_only_add_takes_nothing_away(tmp_path: Path, add_only: bool, left: int) -> None:
    settings = {"learning__every": True, "learning__add_only": add_only, "gate": "always"}
    first = [RIGHT, shortcut(), curated(ADD)]
    agent, _ = agent_with(tmp_path, first, **settings)
    with agent:
        agent.run(QUESTION, reference="6")
        known = next(iter(agent.playbook.current())).id
    second = [WRONG, diagnosis(), curated({"op": "remove", "id": known}, {**ADD, "text": "Sum before you answer."})]
    agent, _ = agent_with(tmp_path, second, **settings)
    with agent:
        agent.run(QUESTION + " Say it again.", reference="6")
        assert len(agent.playbook.current()) == left
