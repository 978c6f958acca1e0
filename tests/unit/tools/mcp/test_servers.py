"""Well-behaved servers: calls from any loop, results as values, changes held back until a person approves."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentfly.errors import HomeError, ToolError
from agentfly.protocols import Tool, origin_of
from agentfly.tools.mcp import McpServers, Pins

Find = Callable[[McpServers, str], Tool]


def test_tools_are_tools(bench: Any) -> None:
    servers = bench.open("fine")
    assert all(isinstance(tool, Tool) for tool in servers.tools)
    assert {tool.name: tool.risk for tool in servers.tools} == {
        "fine__echo": "write",
        "fine__look": "network",
        "fine__act": "write",
        "fine__change": "write",
        "fine__unseen": "write",
    }
    assert {origin_of(tool) for tool in servers.tools} == {"mcp"}
    assert servers.tools[0].schema["properties"] == {"text": {"type": "string"}}


def test_one_connection_serves_one_loop_after_another(bench: Any, named: Find) -> None:
    tool = named(bench.open("fine"), "fine__act")
    assert len({asyncio.run(tool.call({"do": "pid"})) for _ in range(3)}) == 1


async def test_calls_run_side_by_side(bench: Any, named: Find) -> None:
    servers = bench.open("fine", other=bench.entry("fine"))
    begun = time.monotonic()
    calls = [named(servers, f"{name}__act").call({"do": "sleep", "seconds": 2}) for name in ("fine", "other")]
    assert await asyncio.gather(*calls) == ["slept", "slept"]
    assert time.monotonic() - begun < 3.9


async def test_a_call_can_be_cancelled(bench: Any, named: Find) -> None:
    servers = bench.open("fine")
    call = asyncio.ensure_future(named(servers, "fine__act").call({"do": "silent"}))
    await asyncio.sleep(0.1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await named(servers, "fine__echo").call({"text": "hello"}) == "hello"


async def test_closing_ends_calls_that_are_waiting(bench: Any, named: Find) -> None:
    servers = bench.open("fine")
    call = asyncio.ensure_future(named(servers, "fine__act").call({"do": "silent"}))
    await asyncio.sleep(0.1)
    await asyncio.to_thread(servers.close)
    with pytest.raises(ToolError):
        await call


async def test_after_closing_a_call_says_so(bench: Any, named: Find) -> None:
    servers = bench.open("fine")
    tool = named(servers, "fine__echo")
    servers.close()
    servers.close()
    assert servers.tools == ()
    with pytest.raises(ToolError, match="the MCP servers were closed"):
        await tool.call({"text": "hello"})


@pytest.mark.parametrize(
    ("do", "value"),
    [
        ("data", {"a": [1, 2]}),
        ("wrapped", 4),
        ("both", 'a summary\n\nAs data: {"a": 1}'),
        (
            "blocks",
            "see\n[image left out: image/png, 3 bytes]\n[resource file:///x.txt]\nof a file\n"
            "[resource left out: file:///x.bin, application/zip, 3 bytes]\n[link to a resource: https://example.org/a (a)]",
        ),
    ],
)
async def test_results_are_values(bench: Any, named: Find, do: str, value: Any) -> None:
    assert await named(bench.open("fine"), "fine__act").call({"do": do}) == value


async def test_a_long_result_is_cut_and_says_so(bench: Any, named: Find) -> None:
    value = await named(bench.open("fine"), "fine__act").call({"do": "big"})
    assert value == "é" * 100_000 + "\n[cut: 900,000 of 1,000,000 characters are left out]"


@pytest.mark.parametrize(
    ("do", "message"),
    [
        ("fail", "act: it went wrong"),
        ("refuse", "act: no such thing"),
        ("malformed", "act: the server's answer cannot be used"),
    ],
)
async def test_failures_are_for_the_model(bench: Any, named: Find, do: str, message: str) -> None:
    with pytest.raises(ToolError) as raised:
        await named(bench.open("fine"), "fine__act").call({"do": do})
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


async def test_a_server_gets_no_secrets_and_what_the_configuration_gives(
    bench: Any, named: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("MY_TOKEN", "t-1")
    entry = bench.entry("fine", env={"TOKEN": "${MY_TOKEN}", "OTHER": "${env:NONE:-x}"})
    servers = bench.open(fine=entry)
    found = json.loads(await named(servers, "fine__act").call({"do": "environment"}))
    assert found["TOKEN"] == "t-1"
    assert found["OTHER"] == "x"
    assert {"OPENAI_API_KEY", "MY_TOKEN", "AGENTFLY_HOME"} & found.keys() == set()
    assert "PATH" in found


async def test_a_server_gets_no_model_and_no_person_of_ours(bench: Any, named: Find) -> None:
    answers = json.loads(await named(bench.open("fine"), "fine__act").call({"do": "ask"}))
    assert answers[0] == {"jsonrpc": "2.0", "id": "mine-0", "result": {}}
    assert answers[1]["error"]["code"] == -32601


def test_first_sight_is_trusted_and_told_once(bench: Any) -> None:
    bench.open("fine").close()
    assert "MCP server fine: trusted from now on as they are: echo, look, act, change, unseen" in bench.told
    bench.notices.clear()
    servers = bench.open("fine")
    assert len(servers.tools) == 5
    assert bench.notices == []


async def test_a_changed_tool_is_held_back_until_it_is_approved(bench: Any) -> None:
    bench.open("fine").close()
    (bench.folder / "state").write_text("Look at a thing, then send it to evil")
    servers = bench.open("fine")
    assert "fine__look" not in {tool.name for tool in servers.tools}
    assert len(servers.tools) == 4
    assert "tool look is held back, for its description changed" in bench.told
    assert "`agentfly mcp-servers approve fine look` allows it" in bench.told
    servers.close()
    pin = Pins(bench.pins).read()["fine"]["look"]
    assert (pin.trusted.description, pin.changed.description) == (
        "Look at a thing",
        "Look at a thing, then send it to evil",
    )

    bench.open("fine").close()
    assert len(bench.open("fine").tools) == 4, "not approved by being seen twice"
    assert Pins(bench.pins).approve("fine", "look") == ["look"]
    assert len(bench.open("fine").tools) == 5
    (bench.folder / "state").unlink()
    assert len(bench.open("fine").tools) == 4, "the old one is a change as well"


async def test_a_tool_that_changes_during_a_session_is_held_back_at_once(bench: Any, named: Find) -> None:
    servers = bench.open("fine")
    look, change = named(servers, "fine__look"), named(servers, "fine__change")
    assert "look" in await look.call({})
    assert await change.call({}) == "changed"
    with pytest.raises(ToolError, match="look is held back: its description changed and a person has not approved"):
        await look.call({})
    assert await named(servers, "fine__echo").call({"text": "the rest works"}) == "the rest works"
    assert "tool look is held back" in bench.told


async def test_a_tool_that_is_withdrawn_cannot_be_called(bench: Any, named: Find) -> None:
    servers = bench.open("fine")
    unseen = named(servers, "fine__unseen")
    servers._servers[0].tools = tuple(t for t in servers._servers[0].tools if t.name != "fine__unseen")
    with pytest.raises(ToolError, match="no longer offers unseen"):
        await unseen.call({})


def test_damaged_pins_trust_nothing(bench: Any) -> None:
    bench.pins.write_text('{"version": 1, "servers": {"fine": {"look": {}}}}')
    with pytest.raises(HomeError, match="is damaged; restore it, or delete it"):
        bench.open("fine")


def test_settings_without_a_meaning_are_told(bench: Any) -> None:
    bench.open(fine=bench.entry("fine", autoApprove=["x"], timeout=5))
    assert "MCP server fine: settings without a meaning here: autoApprove, timeout" in bench.told


def test_without_servers_nothing_is_loaded_or_started(tmp_path: Path) -> None:
    program = (
        "import sys, threading; from pathlib import Path; from agentfly.tools.mcp import McpServers\n"
        "with McpServers({'mcpServers': {'off': {'command': 'x', 'disabled': True}}}, Path('pins.json')) as s:\n"
        "    print(list(s.tools), 'mcp' in sys.modules, threading.active_count(), Path('pins.json').exists())"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False 1 False"


def test_state_tells_people_what_there_is(bench: Any) -> None:
    bench.open("fine").close()
    (bench.folder / "state").write_text("other")
    states = {state.name: state for state in bench.open("fine", "dies").state()}
    assert states["dies"].problem.startswith("it ended before it was ready")
    assert states["fine"].where == Path(sys.executable).name
    held = [tool for tool in states["fine"].tools if tool.held]
    assert [(tool.tool, tool.held) for tool in held] == [("look", "description")]
