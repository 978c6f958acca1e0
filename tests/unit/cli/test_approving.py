"""Asking a person about calls: what is shown, what counts as an answer, and what is said where nobody can be asked."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from agentfly import Agent, tool
from agentfly.cli import approving, session
from agentfly.cli.main import run_cli
from agentfly.cli.views import approval
from agentfly.testing import ScriptedModel
from agentfly.types import Pending

EVIL = "\x1b[2J\x07[red]\u202eltr"


def drawn(call: Pending) -> str:
    screen = io.StringIO()
    Console(file=screen, width=80, markup=False).print(approval.call(call, 1, 1))
    return screen.getvalue()


def test_nothing_in_a_call_acts_on_the_terminal_or_hides() -> None:
    call = Pending(
        id="call-1", tool="t" + EVIL, risk="write", description=EVIL, origin="mcp", arguments={EVIL: {"deep": [EVIL]}}
    )
    shown = drawn(call)
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)
    assert shown.count("\\x1b[2J\\x07[red]\\u202eltr") >= 2
    assert "content from mcp" in shown


def test_long_arguments_are_folded_in_the_middle_and_it_is_said() -> None:
    lines = drawn(Pending(id="c", tool="t", risk="write", arguments={"text": "\n".join(f"l{n}" for n in range(100))}))
    assert "l0" in lines
    assert "l99" in lines
    assert "88 lines folded" in lines
    whole = drawn(Pending(id="c", tool="t", risk="write", arguments={"text": "a" * 5000 + "z"}))
    assert "3,801 characters folded" in whole
    assert "z" in whole


def asked(monkeypatch: pytest.MonkeyPatch, keys: str, *tools: str) -> Any:
    monkeypatch.setattr("sys.stdin", io.StringIO(keys))
    calls = [Pending(id=f"call-{n}", tool=name, risk="write", arguments={}) for n, name in enumerate(tools)]
    return approving.ask(tuple(calls))


def test_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, "y\nNO\n", "a", "b") == {"call-0": True, "call-1": False}
    assert asked(monkeypatch, "\nperhaps\nyes\n", "a") == {"call-0": True}
    assert asked(monkeypatch, "a\nn\n", "a", "a", "b") == {"call-0": "always", "call-2": False}
    assert asked(monkeypatch, "y\nabort\n", "a", "b") is None
    assert asked(monkeypatch, "y\n", "a", "b") is None


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ScriptedModel, list[str]]:
    """A model that sends, under the commands of this process."""
    sent: list[str] = []

    @tool(risk="write")
    def send(text: str) -> str:
        """Send a text."""
        sent.append(text)
        return "sent"

    model = ScriptedModel(["```python\nsend('a')\n```", "```python\nfinal_answer(1)\n```"])
    monkeypatch.setattr(
        session, "make_agent",
        lambda home, settings, notify: Agent(model=model, home=home, settings=settings, notify=notify, tools=[send]),
    )  # fmt: skip
    return model, sent


def test_with_nobody_to_ask_one_line_says_how_to_go_on(
    tmp_path: Path, waiting: tuple[ScriptedModel, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    model, sent = waiting
    home = ["--home", str(tmp_path / "elsewhere")]
    assert run_cli(["run", "Send it.", "--approve", "ask", "--json", *home]) == 1
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert (told["status"], told["answer"], told["usage"]["calls"], sent) == ("waiting", None, 1, [])
    assert said.err.count("\n") == 1
    assert f"`agentfly runs resume {told['run_id']} --home {home[1]}`" in said.err
    assert run_cli(["runs", "list", *home]) == 0
    assert "waiting" in capsys.readouterr().out
    assert run_cli(["runs", "show", told["run_id"], *home]) == 0
    shown = capsys.readouterr().out
    assert "waiting: permission to call send" in shown
    assert "Send a text." in shown
    assert run_cli(["runs", "resume", told["run_id"], "--approve", "perhaps", *home]) == 2
    assert "all or none" in capsys.readouterr().err
    assert run_cli(["runs", "resume", told["run_id"], "--approve", "none", "--json", *home]) == 0
    assert (json.loads(capsys.readouterr().out)["answer"], sent) == ("1", [])
    assert "a person refused" in model.calls[1].messages[-1].content


def test_quiet_says_it_too_and_a_chat_goes_on(
    tmp_path: Path,
    waiting: tuple[ScriptedModel, list[str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run_cli(["run", "Send it.", "--approve", "ask", "-q"]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err.count("waits for permission to call send")) == ("", 1)
    monkeypatch.setattr("sys.stdin", io.StringIO("Send it.\n/why\n"))
    model, _ = waiting
    model._script.insert(0, "```python\nsend('b')\n```")
    assert run_cli(["chat", "--approve", "ask"]) == 0
    said = capsys.readouterr()
    assert "waits for permission to call send" in said.err
    assert "there is no answer yet" in said.out


def test_a_run_goes_on_with_the_settings_that_it_began_with(
    tmp_path: Path, waiting: tuple[ScriptedModel, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_cli(["run", "Send it.", "--approve", "ask", "--steps", "9", "--unsafe-code"]) == 1
    made: list[Any] = []
    make = session.make_agent

    def noting(home: Path, settings: Any, notify: Any) -> Agent:
        made.append(settings)
        return make(home, settings, notify)

    monkeypatch.setattr(session, "make_agent", noting)
    with Agent(model=ScriptedModel([])) as agent:
        run_id = agent.runs.recent()[0].id
    assert run_cli(["runs", "resume", run_id[:-1], "--approve", "all"]) == 0
    assert made[0]["limits"]["steps"] == 9
    assert made[0]["approve"] == "ask"
    assert "unsafe_code" not in made[0], "that is for the person to say again"
