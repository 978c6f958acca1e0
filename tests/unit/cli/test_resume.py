"""`agentfly runs resume`: a run that was interrupted is finished by another process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentfly import Agent
from agentfly.cli import session
from agentfly.cli.main import run_cli
from agentfly.testing import ScriptedModel

WRONG = "```python\nfinal_answer(41)\n```"


def interrupted(home: Path) -> str:
    """A home with one run that stopped while it reflected; its id."""

    def stop(messages: object) -> str:
        raise KeyboardInterrupt

    with Agent(model=ScriptedModel([WRONG, stop]), home=home) as agent:
        with pytest.raises(KeyboardInterrupt):
            agent.run("What is six times seven?", reference="42")
        return agent.runs.recent()[0].id


def test_an_interrupted_run_is_finished_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = interrupted(tmp_path)
    model = ScriptedModel(["no JSON", "no JSON again"])
    monkeypatch.setattr(
        session, "make_agent", lambda home, settings, notify: Agent(model=model, home=home, notify=notify)
    )
    assert run_cli(["runs", "resume", run_id, "--home", str(tmp_path), "--json"]) == 1
    done = json.loads(capsys.readouterr().out)
    assert (done["run_id"], done["answer"], done["reward"], len(done["learned"]["cases"])) == (run_id, "41", 0.0, 1)
    assert len(model.calls) == 2, "the attempt was not made again"
    assert run_cli(["runs", "resume", run_id, "--home", str(tmp_path)]) == 2
    assert "nothing left to do" in capsys.readouterr().err
