"""Servers that misbehave: what they do costs them their tools, never the run."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentfly.errors import ToolError
from agentfly.protocols import Tool
from agentfly.tools.mcp import McpServers
from agentfly.tools.mcp.config import Program
from agentfly.tools.mcp.process import started

Find = Callable[[McpServers, str], Tool]


def gone(pid: int) -> bool:
    """Whether a process has ended, within a second."""
    for _ in range(100):
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:  # between any two looks at it
            return True
        if stat.rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.01)
    return False


async def act(servers: McpServers, named: Find, mode: str, **arguments: Any) -> Any:
    return await named(servers, f"{mode}__act").call(arguments)


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("dies", "it ended before it was ready (its last words: there is no such database)"),
        ("dies_in_init", "it ended before it was ready (its last words: cannot go on: no token)"),
        ("silent", "it did not answer within 1.5 s"),
        ("silent_list", "it did not list its tools within 1.5 s"),
        ("deaf_at_once", "it did not answer within 1.5 s"),
        ("unending_line", "it did not answer within 1.5 s"),
        ("old", "Unsupported protocol version"),
        ("abyss", "it does not list its tools: the answer cannot be read and was dropped"),
    ],
)
async def test_a_server_that_cannot_be_used_is_told_of_and_the_others_work(
    bench: Any, named: Find, mode: str, why: str
) -> None:
    begun = time.monotonic()
    servers = bench.open(mode, "fine", connect=1.5)
    assert time.monotonic() - begun < 6
    assert f"MCP server {mode}: {why}" in bench.told
    assert {tool.name.split("__")[0] for tool in servers.tools} == {"fine"}
    assert await named(servers, "fine__echo").call({"text": "hello"}) == "hello"


def test_a_program_that_is_not_there(bench: Any) -> None:
    servers = bench.open(none={"command": "no-such-program"}, path={"command": "/no/such/program"})
    assert "MCP server none: there is no program 'no-such-program' on PATH" in bench.told
    assert "MCP server path: it ended before it was ready (its last words: /no/such/program: No such" in bench.told
    assert servers.tools == ()


@pytest.mark.parametrize("mode", ["rubbish", "flood", "flood_requests", "flood_rubbish", "flood_stderr", "long_init"])
async def test_noise_is_dropped_and_calls_still_work(bench: Any, named: Find, mode: str) -> None:
    servers = bench.open(mode)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.monotonic()
    for number in range(3):
        assert await named(servers, f"{mode}__echo").call({"text": str(number)}) == str(number)
    assert time.monotonic() - begun < 8
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kilobytes"
    if mode in ("rubbish", "flood_rubbish"):
        assert "it prints lines that are no messages" in bench.told


async def test_a_flood_leaves_the_processor_to_others(bench: Any) -> None:
    bench.open("flood")
    before = time.process_time()
    await asyncio.sleep(1.0)
    assert time.process_time() - before < 0.6


async def test_an_answer_of_50_mb_is_an_error_for_that_call_alone(bench: Any, named: Find) -> None:
    servers = bench.open("fine")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ToolError, match="longer than 10 MiB"):
        await act(servers, named, "fine", do="long")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kilobytes"
    assert await named(servers, "fine__echo").call({"text": "still here"}) == "still here"


async def test_two_tools_of_one_name(bench: Any) -> None:
    servers = bench.open("twins")
    names = [tool.name for tool in servers.tools]
    assert len({name.replace("-", "_").lower() for name in names}) == len(names) == 4
    assert names[0] == "twins__echo"
    assert servers.tools[0].description == "Give back a text"
    assert "two tools of one name, the first is taken: echo" in bench.told


def test_too_many_tools(bench: Any) -> None:
    servers = bench.open("many", "large", "pages")
    counts = {mode: sum(t.name.startswith(mode) for t in servers.tools) for mode in ("many", "large", "pages")}
    assert counts["many"] == 128
    assert 30 < counts["large"] < 50
    assert counts["pages"] == 50
    assert "MCP server many: it lists too many tools: 128 are offered, 4,872 are left out" in bench.told


def test_names_of_built_in_tools_are_not_taken(bench: Any) -> None:
    servers = bench.open("shadow")
    names = [tool.name for tool in servers.tools]
    assert names[:3] == ["shadow__python", "shadow__final_answer", "shadow__read_file"]
    assert len(names) == 6
    assert all(name.startswith("shadow__") and name.isascii() and len(name) <= 63 for name in names)


def test_bad_schemas_cost_only_their_tools(bench: Any) -> None:
    servers = bench.open("schemas")
    assert [tool.name for tool in servers.tools] == ["schemas__echo", "schemas__bare", "schemas__anything"]
    assert servers.tools[1].schema == {"type": "object", "properties": {}}
    assert servers.tools[2].schema["properties"] == {"x": {}}
    assert "list: inputSchema: Input should be a valid dictionary" in bench.told
    assert "(left out)" in bench.told


def test_hidden_text_is_taken_out_and_told(bench: Any) -> None:
    servers = bench.open("hidden")
    shown = {tool.name: tool for tool in servers.tools}
    assert shown["hidden__search"].description == "Find things. Good.[2J"
    assert shown["hidden__search"].schema["properties"]["q"]["description"] == "a query"
    assert "hidden__named" not in shown
    assert len(shown["hidden__long"].description) == 2000
    assert "hidden text was taken out of what it says about search\n" in bench.told + "\n"
    assert "named: its schema has hidden characters" in bench.told


async def test_a_call_that_is_not_answered(bench: Any, named: Find) -> None:
    servers = bench.open("fine", call=0.4)
    with pytest.raises(ToolError, match=r"the MCP server fine did not answer within 0\.4 s"):
        await act(servers, named, "fine", do="silent")
    assert await named(servers, "fine__echo").call({"text": "still here"}) == "still here"


async def test_a_server_that_falls_silent_is_started_anew_once_then_given_up(bench: Any, named: Find) -> None:
    servers = bench.open("deaf", call=0.4)
    tool = named(servers, "deaf__act")
    for _ in range(4):  # two for the first process, two for the second
        with pytest.raises(ToolError, match="did not answer within"):
            await tool.call({"do": "pid"})
    with pytest.raises(ToolError, match="cannot be used any more"):
        await tool.call({"do": "pid"})
    assert servers.tools == ()
    assert "it ended and is started anew" in bench.told


async def test_a_server_that_dies_is_started_anew_once(bench: Any, named: Find) -> None:
    servers = bench.open("fine", other=bench.entry("fine"))
    tool = named(servers, "fine__act")
    first = await tool.call({"do": "pid"})
    with pytest.raises(ToolError, match="the MCP server fine: it ended during the call; its outcome is not known"):
        await tool.call({"do": "die"})
    assert first != await tool.call({"do": "pid"})
    with pytest.raises(ToolError, match="it ended during the call"):
        await tool.call({"do": "die"})
    for _ in range(2):
        with pytest.raises(ToolError, match=r"cannot be used any more .*; do the task without it"):
            await tool.call({"do": "pid"})
    assert {tool.name.split("__")[0] for tool in servers.tools} == {"other"}
    assert await named(servers, "other__echo").call({"text": "hello"}) == "hello"


async def test_a_server_that_died_while_nobody_called(bench: Any, named: Find) -> None:
    servers = bench.open("fine")
    tool = named(servers, "fine__act")
    os.kill(int(await tool.call({"do": "pid"})), 9)
    await asyncio.sleep(0.2)
    assert (await tool.call({"do": "pid"})).isdigit()


async def test_nothing_is_left_over_after_closing(bench: Any, named: Find) -> None:
    servers = bench.open("fine")
    family = [int(pid) for pid in (await act(servers, named, "fine", do="family")).split()]
    assert not any(gone(pid) for pid in family[:1])
    begun = time.monotonic()
    servers.close()
    assert time.monotonic() - begun < 6
    assert all(gone(pid) for pid in family)


async def test_nothing_is_left_over_when_the_server_dies(bench: Any, named: Find) -> None:
    servers = bench.open("fine")
    family = [int(pid) for pid in (await act(servers, named, "fine", do="family")).split()]
    with pytest.raises(ToolError):
        await act(servers, named, "fine", do="die")
    assert all(gone(pid) for pid in family)


PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from agentfly.tools.mcp import McpServers
from agentfly.tools.mcp.config import Program
from agentfly.tools.mcp.process import started
servers = McpServers(Path(sys.argv[1]), Path(sys.argv[2]))
servers.connect()
act = next(tool for tool in servers.tools if tool.name == "fine__act")
print(asyncio.run(act.call({"do": "family"})), flush=True)
if sys.argv[3] == "kill":
    os.kill(os.getpid(), 9)
if sys.argv[3] == "_exit":
    os._exit(0)
if sys.argv[3] == "raise":
    raise SystemExit("an error")
"""


@pytest.mark.parametrize("ending", ["normal", "kill", "_exit", "raise"])
def test_nothing_is_left_over_however_the_program_ends(bench: Any, ending: str) -> None:
    import json

    config = bench.folder / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"fine": bench.entry("fine")}}))
    command = [sys.executable, "-c", PROGRAM, str(config), str(bench.pins), ending]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    family = [int(pid) for pid in done.stdout.split()]
    assert len(family) == 3
    assert all(gone(pid) for pid in family)
    assert done.stderr == ("an error\n" if ending == "raise" else "")


async def test_nothing_is_left_over_where_opening_is_cut_off() -> None:
    process = started(Program(command="sleep", args=("60",)))
    await process.close()
    with pytest.raises(BrokenPipeError):
        await process.write(b"x")
