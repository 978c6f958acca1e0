"""Credit in the whole loop: what runs leave out by chance is on the record, and the lift of a rule comes out of it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support.harm import Learner, Obedient, right, rule

from agentfly import Agent, Delta, Task
from agentfly.composition import Composition
from agentfly.playbooks.credit import credited, harmful

NOTHING = '{"reason": "", "operations": []}'
RULES = [rule("otter", right("otter")), rule("tiger", right("tiger"))]
CHECK = "bool(answer)"


def order(number: int) -> Task:
    return Task(f"Number {number}: which way for a otter order?", reference=right("otter"))


@pytest.fixture(autouse=True)
def obedient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Composition, "_generator", lambda composition: Obedient())


def test_a_rule_that_helps_is_told_from_one_that_is_only_there(tmp_path: Path) -> None:
    settings = {"playbook.leave_out": 0.3, "learning.checks": False, "seed": 0}
    learner = Learner(lambda *seen: NOTHING, random.Random(0))
    with Agent(model=learner, home=tmp_path, gate="always", settings=settings) as agent:
        operations = [{"op": "add", "section": "strategies", "text": text} for text in RULES]
        operations.append({"op": "add", "section": "checks", "kind": "check", "text": CHECK})
        agent.playbook.commit(Delta.model_validate({"operations": operations}), author="run", run="earlier")
        own = {"op": "add", "section": "strategies", "text": rule("apple", right("apple"))}
        agent.playbook.commit(Delta.model_validate({"operations": [own]}), author="human")
        evaluated = agent.run(order(0), learn=False)
        assert evaluated.attempt.leave_out == 0.0
        assert evaluated.attempt.checks == ("che-00003",)
        for number in range(1, 31):
            agent.run(order(number))
        runs = agent.runs.exposures()

    assert len(runs) == 30, "the evaluation is left out"
    everything = {"str-00001", "str-00002", "che-00003", "str-00004"}
    assert all({*run.shown, *run.checks, *run.left_out} == everything for run in runs)
    assert {run.leave_out for run in runs} == {0.3}
    found = credited(runs)
    rewards = {key: (one.used.mean, one.without.mean) for key, one in found.items()}
    assert rewards["str-00001"] == (1.0, 0.0)
    helpful, idle = (found[key].lift for key in ("str-00001", "str-00002"))
    assert helpful is not None
    assert helpful.low > 0.5
    assert idle is not None
    assert idle.low < 0 < idle.high
    assert found["str-00004"].lift is None, "what a person wrote is never left out"
    assert harmful(found, least=5) == ()
