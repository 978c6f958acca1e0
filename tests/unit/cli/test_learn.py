"""`agentfly learn --traces`: what it prints, where, and with which status."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentfly.cli import session

Run = Callable[..., Any]
GOOD = {"question": "Say 5.", "steps": ["x = 5\nprint(x)"], "answer": "5", "reward": 1.0}
OTHER = {"question": "Say 6.", "steps": ["x = 6\nprint(x)"], "answer": "6", "correct": True}


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Agents with a model that answers from this list."""
    from agentfly import Agent
    from agentfly.testing import ScriptedModel

    replies: list[Any] = []

    def make(home: Path, settings: Any, notify: Any) -> Agent:
        return Agent(
            model=ScriptedModel(replies), home=home, settings={**settings, "checks.library": False}, notify=notify
        )

    monkeypatch.setattr(session, "make_agent", make)
    return replies


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    file = tmp_path / "traces.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in (GOOD, {"no": "trace"}, OTHER)))
    return file


def test_people_get_a_few_lines(agentfly: Run, traces: Path) -> None:
    done = agentfly("learn", "--traces", traces)
    assert done.code == 0
    assert done.out.splitlines() == [
        "3 traces read, 2 learned, 0 known before, 1 skipped",
        "2 cases kept",
        "0 playbook changes: 0 kept, 0 dropped",
    ]
    assert done.err.startswith("skipped line 2: no trace")
    assert "2 known before" in agentfly("learn", "--traces", traces).out


def test_programs_get_one_object(agentfly: Run, traces: Path) -> None:
    done = agentfly("learn", "--traces", traces, "--limit", 1, "--json")
    data = json.loads(done.out)
    assert done.out.count("\n") == 1
    assert list(data) == ["read", "learned", "known", "skipped", "cases", "deltas", "runs", "usage"]
    assert (data["read"], data["learned"], data["cases"], data["deltas"]) == (3, 1, 1, {"kept": 0, "dropped": 0})
    assert done.err == ""


def test_without_traces_it_says_what_to_give(agentfly: Run) -> None:
    done = agentfly("learn")
    assert (done.code, done.out) == (2, "")
    assert done.err == "agentfly: what from? give a dataset, or recorded attempts with --traces FILE\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", "nothing to learn from; line 1"),
        (json.dumps({"question": "q", "trace": "t", "answer": "a"}), "no verdict"),
    ],
)
def test_a_file_that_teaches_nothing_is_refused(agentfly: Run, tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(content)
    done = agentfly("learn", "--traces", file)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_a_missing_file_is_refused_before_a_home_is_made(agentfly: Run, tmp_path: Path) -> None:
    done = agentfly("learn", "--traces", tmp_path / "none", "--home", tmp_path / "fresh")
    assert done.code == 2
    assert not (tmp_path / "fresh").exists()


def test_interrupted_it_says_what_is_kept(agentfly: Run, traces: Path, scripted: list[Any]) -> None:
    def interrupt(messages: Any) -> str:
        raise KeyboardInterrupt

    scripted.append(interrupt)
    with traces.open("a") as stream:
        stream.write("\n" + json.dumps({**GOOD, "reward": 0.0}))
    done = agentfly("learn", "--traces", traces, "--batch", 2)
    assert done.code == 130
    assert "interrupted; 2 traces learned and kept" in done.err
