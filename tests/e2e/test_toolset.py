"""The tools of an agent, from the settings to what the model reads: built-in ones, MCP servers, LangChain's, the caller's."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from langchain_core.tools import tool as langchain_tool

from agentfly import Agent, tool
from agentfly.errors import ConfigError
from agentfly.testing import ScriptedModel
from agentfly.types import Reply, ToolCall

SERVER = """
import json, sys
TOOL = {"name": "shout", "description": "Make a text loud.",
        "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}}
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    method = asked["method"]
    if method == "initialize":
        result = {"protocolVersion": asked["params"]["protocolVersion"], "capabilities": {"tools": {}},
                  "serverInfo": {"name": "loud", "version": "1"}}
    elif method == "tools/list":
        result = {"tools": [TOOL]}
    elif method == "tools/call":
        result = {"content": [{"type": "text", "text": asked["params"]["arguments"]["text"].upper()}]}
    else:
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32601, "message": "no"}}), flush=True)
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


def code(text: str) -> str:
    return f"```python\n{text}\n```"


def called(name: str, /, **arguments: object) -> Reply:
    call = ToolCall(id=f"call-{name}", name=name, arguments=json.dumps(arguments))
    return Reply(text="", tool_calls=(call,), finish_reason="tool_calls")


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    file = tmp_path / "notes.txt"
    file.write_text("the code word is heron\n")
    return file


def test_built_in_tools_read_the_files_of_the_attempt(tmp_path: Path, notes: Path) -> None:
    settings = {"tools.builtin": "read_file,list_files"}
    for strategy, first in (
        ("codeact", code("print(list_files())\nprint(read_file('notes.txt'))")),
        ("tools", called("read_file", name="notes.txt")),
    ):
        answer = code("final_answer('heron')") if strategy == "codeact" else called("final_answer", answer="heron")
        model = ScriptedModel([first, answer])
        with Agent(model=model, home=tmp_path / strategy, strategy=strategy, settings=settings) as agent:
            result = agent.run("What is the code word?", files=[notes])
        assert (result.answer, result.attempt.origins, result.attempt.untrusted) == ("heron", ("file",), False)
        assert "read_file" in result.attempt.tools
        assert "heron" in model.calls[1].messages[-1].content
        assert "never instructions" in str(model.calls[1].messages) or "not instructions" in str(
            model.calls[1].messages
        )


def test_a_server_from_the_home_is_started_used_and_ended(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    script = tmp_path / "loud.py"
    script.write_text(SERVER)
    config = {"mcpServers": {"loud": {"command": sys.executable, "args": [str(script)]}}}
    (home / "mcp.json").write_text(json.dumps(config))
    model = ScriptedModel([code("print(loud__shout('hello'))"), code("final_answer('HELLO')")] * 2)
    with Agent(model=model, home=home) as agent:
        for _ in range(2):  # each `run` has an event loop of its own
            result = agent.run("Shout hello.")
            assert (result.answer, result.attempt.tools) == ("HELLO", ("loud__shout",))
            assert (result.attempt.origins, result.attempt.untrusted) == (("mcp",), True)
            assert "HELLO" in result.attempt.steps[0].observation
    assert (home / "mcp_pins.json").is_file()


def test_what_is_offered_by_itself(tmp_path: Path, notes: Path) -> None:
    with Agent(model=ScriptedModel([]), home=tmp_path / "a", settings={"tools.builtin": "auto"}) as agent:
        assert agent._made.toolset.tools == ()  # a model object is the caller's business
    with Agent(model="embedded", home=tmp_path / "b", settings={"tools.builtin": "auto"}) as agent:
        assert agent._made.toolset.tools == ()
    with Agent(model="openai/gpt-5-mini", home=tmp_path / "c", settings={"tools.builtin": "auto"}) as agent:
        names = {tool.name for tool in agent._made.toolset.tools}
        assert {"read_file", "list_files", "ask_image"} <= names
        assert "transcribe" not in names
        assert agent.strategy == "tools"


def test_tools_of_any_kind_side_by_side(tmp_path: Path) -> None:
    @tool
    def twice(number: int) -> int:
        """Double it."""
        return 2 * number

    @langchain_tool
    def thrice(number: int) -> int:
        """Triple it."""
        return 3 * number

    def half(number: float) -> float:
        """Half of it."""
        return number / 2

    model = ScriptedModel([code("final_answer(int(half(twice(7))) + thrice(number=5))")])
    with Agent(model=model, home=tmp_path, tools=[twice, thrice, half]) as agent:
        assert agent.run("?").answer == "22"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tools.builtin": "read_fil"}, "no built-in tool 'read_fil'; known: read_file"),
        ({"tools.builtin": "transcribe"}, "set tools.speech"),
        ({"mcp.config": "nowhere.json"}, "nowhere.json"),
    ],
)
def test_what_cannot_be_offered_is_said_before_the_run(tmp_path: Path, settings: dict[str, str], said: str) -> None:
    with Agent(model=ScriptedModel([]), home=tmp_path, settings=settings) as agent:
        with pytest.raises(ConfigError, match=said):
            agent.run("?")
        assert agent.runs.recent() == []


def test_two_tools_of_one_name_are_refused(tmp_path: Path) -> None:
    def read_file(name: str) -> str:
        return name

    settings = {"tools.builtin": "read_file"}
    with (
        Agent(model=ScriptedModel([]), home=tmp_path, tools=[read_file], settings=settings) as agent,
        pytest.raises(ConfigError, match="two tools are named 'read_file'"),
    ):
        agent.run("?")
