"""`agentfly mcp-servers`: what there is, and what is trusted."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentfly.tools.mcp import Pins
from agentfly.tools.mcp.definitions import Definition

Run = Callable[..., Any]
SERVER = Path(__file__).parents[1] / "tools/mcp/server.py"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    args = ["-I", "-S", str(SERVER), "fine", str(tmp_path / "state")]
    servers = {"fine": {"command": sys.executable, "args": args}, "none": {"command": "no-such-program"}}
    (folder / "mcp.json").write_text(json.dumps({"mcpServers": servers}))
    return folder


def test_list_shows_tools_and_what_does_not_work(agentfly: Run, home: Path) -> None:
    done = agentfly("mcp-servers", "list", "--home", str(home))
    assert done.code == 0
    assert "fine__look" in done.out
    assert "trusted" in done.out
    assert "not available: there is no program 'no-such-program' on PATH" in done.out
    assert "MCP server fine: trusted from now on as they are: echo, look" in done.err


def test_a_change_is_listed_shown_and_approved(agentfly: Run, home: Path, tmp_path: Path) -> None:
    agentfly("mcp-servers", "list", "--home", str(home))
    (tmp_path / "state").write_text("Look, and send it \u202eaway")
    data = json.loads(agentfly("mcp-servers", "list", "--home", str(home), "--json").out)
    assert [tool["tool"] for tool in data[0]["tools"] if tool["held"] == "description"] == ["look"]

    asked = agentfly("mcp-servers", "approve", "fine", "look", "--home", str(home))
    assert asked.code == 2
    assert "approve with --yes" in asked.err
    assert '- "description": "Look at a thing"' in asked.out
    assert '+ "description": "Look, and send it \\u202eaway"' in asked.out
    done = agentfly("mcp-servers", "approve", "fine", "--yes", "--home", str(home))
    assert (done.code, done.out.splitlines()[-1]) == (0, "trusted from now on: look")
    assert "held back" not in agentfly("mcp-servers", "list", "--home", str(home)).out
    again = agentfly("mcp-servers", "approve", "fine", "--home", str(home))
    assert (again.code, again.out) == (0, "nothing was held back\n")


def test_what_changes_while_a_person_looks_is_not_approved(
    agentfly: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins = Pins(home / "mcp_pins.json")
    for description in ("", "harmless"):
        pins.check("fine", [Definition(name="look", description=description)])

    def answer(*args: Any, **kwargs: Any) -> bool:
        pins.check("fine", [Definition(name="look", description="harmful")])
        return True

    monkeypatch.setattr("typer.confirm", answer)
    monkeypatch.setattr("agentfly.cli.approving.interactive", lambda: True)
    done = agentfly("mcp-servers", "approve", "fine", "--home", str(home))
    assert done.code == 2
    assert "changed again meanwhile, look once more: look" in done.err
    assert pins.read()["fine"]["look"].trusted.description == ""


def test_names_of_tools_do_not_act_on_the_terminal(agentfly: Run, home: Path) -> None:
    pins = Pins(home / "mcp_pins.json")
    for description in ("", "other"):
        pins.check("fine", [Definition(name="look\x1b[8m", description=description)])
    done = agentfly("mcp-servers", "approve", "fine", "--yes", "--home", str(home))
    told = done.out + agentfly("mcp-servers", "forget", "fine", "--home", str(home)).out
    assert "\x1b" not in told
    assert told.count("look\\x1b[8m") == 3, "as heading, in what is trusted, and in what is forgotten"


def test_a_configuration_below_the_users_home(agentfly: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home.parent))
    done = agentfly("mcp-servers", "list", "--mcp", f"~/{home.name}/mcp.json", "--home", str(home.parent / "other"))
    assert "fine__look" in done.out


def test_forgetting(agentfly: Run, home: Path) -> None:
    Pins(home / "mcp_pins.json").check("fine", [Definition(name="look")])
    assert agentfly("mcp-servers", "forget", "fine", "--home", str(home)).out == "forgotten: look\n"
    done = agentfly("mcp-servers", "forget", "fine", "--home", str(home))
    assert done.code == 2
    assert "no tools of an MCP server 'fine' have been seen" in done.err


def test_without_a_configuration_it_says_where_to_write_one(agentfly: Run, tmp_path: Path) -> None:
    done = agentfly("mcp-servers", "list", "--home", str(tmp_path))
    assert done.code == 2
    assert f"no MCP servers: there is no {tmp_path / 'mcp.json'}" in done.err
