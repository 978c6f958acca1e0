"""Real MCP servers: two public ones, of Python and of Node, and the official library's over HTTP; used by a real agent."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agentfly import Agent
from agentfly.errors import ToolError
from agentfly.events import Notice
from agentfly.testing import ScriptedModel
from agentfly.tools.mcp import McpServers

SUPPORT = Path(__file__).parents[1] / "support"
NODE = SUPPORT / "node/node_modules/@modelcontextprotocol/server-memory/dist/index.js"
TIME = {"command": sys.executable, "args": ["-m", "mcp_server_time"]}


@pytest.fixture
def node_server(tmp_path: Path) -> dict[str, Any]:
    """The configuration of the public memory server, which npm installs for the tests."""
    if not NODE.is_file() or shutil.which("node") is None:
        why = "the Node server is not installed (`make test` does it where there is npm)"
        if os.environ.get("CI"):
            pytest.fail(f"{why}, and CI must not skip what needs it")
        pytest.skip(why)
    return {"command": "node", "args": [str(NODE)], "env": {"MEMORY_FILE_PATH": str(tmp_path / "memory.jsonl")}}


@contextlib.contextmanager
def web_server(kind: str) -> Iterator[int]:
    """The official library's server on a port of loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(SUPPORT / "mcp_web.py"), kind, str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"listening\n"
        yield port
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]


@contextlib.contextmanager
def connected(config: dict[str, Any], folder: Path, **options: Any) -> Iterator[tuple[McpServers, list[Notice]]]:
    notices: list[Notice] = []
    with McpServers({"mcpServers": config}, folder / "mcp_pins.json", notify=notices.append, **options) as servers:
        yield servers, notices


def call(servers: McpServers, name: str, /, **arguments: Any) -> Any:
    tool = next(tool for tool in servers.tools if tool.name == name)
    return asyncio.run(tool.call(arguments))


ASKED = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}


@pytest.mark.parametrize(
    ("strategy", "reply"),
    [
        (
            "codeact",
            "```python\n"
            "found = time__convert_time(source_timezone='UTC', time='12:00', target_timezone='Asia/Tokyo')\n"
            "final_answer(found['time_difference'])\n```",
        ),
        ("tools", json.dumps({"name": "time__convert_time", "arguments": ASKED})),
    ],
)
def test_an_agent_uses_the_public_python_server(tmp_path: Path, strategy: str, reply: str) -> None:
    answer = json.dumps({"name": "final_answer", "arguments": {"answer": "+9.0h"}})
    model = ScriptedModel([reply, answer])
    with (
        connected({"time": TIME}, tmp_path) as (servers, notices),
        Agent(model=model, home=tmp_path / "home", tools=servers.tools, strategy=strategy) as agent,
    ):
        result = agent.run("How far ahead is Tokyo?", learn=False)
        assert result.answer == "+9.0h"
        attempt = agent.runs.show(result.run_id).attempts[0]
        assert attempt.tools[0] == "time__convert_time"
        assert (attempt.origins, attempt.untrusted) == (("mcp",), True)
        if strategy == "tools":
            assert '"+9.0h"' in attempt.steps[0].observation
    assert [notice.text for notice in notices] == [
        "MCP server time: trusted from now on as they are: get_current_time, convert_time"
    ]


def test_the_public_python_server_tells_what_is_wrong(tmp_path: Path) -> None:
    with (
        connected({"time": TIME}, tmp_path) as (servers, _),
        pytest.raises(ToolError, match=r"get_current_time: .*Invalid timezone"),
    ):
        call(servers, "time__get_current_time", timezone="Nowhere/None")


def test_the_public_node_server_remembers(tmp_path: Path, node_server: dict[str, Any]) -> None:
    entity = {"name": "agentfly", "entityType": "framework", "observations": ["learns"]}
    with connected({"memory": node_server}, tmp_path) as (servers, _):
        risks = {tool.name: tool.risk for tool in servers.tools}
        assert risks["memory__create_entities"] == "write"
        assert risks["memory__read_graph"] == "network"
        call(servers, "memory__create_entities", entities=[entity])
    with connected({"memory": node_server}, tmp_path) as (servers, notices):
        assert call(servers, "memory__search_nodes", query="agentfly")["entities"] == [entity]
        assert notices == [], "trusted since the first time"
        begun = time.monotonic()
    assert time.monotonic() - begun < 10, "closing is quick"


@pytest.mark.parametrize(
    ("kind", "path", "entry"),
    [
        ("streamable-http", "mcp", {}),
        ("streamable-http", "mcp", {"type": "http"}),
        ("sse", "sse", {"type": "sse"}),
        ("sse", "sse", {}),
    ],
)
def test_the_official_server_over_http(tmp_path: Path, kind: str, path: str, entry: dict[str, Any]) -> None:
    with web_server(kind) as port:
        config = {"url": f"http://127.0.0.1:{port}/{path}", "headers": {"X-Key": "k-1"}, **entry}
        with connected({"web": config}, tmp_path, call_seconds=10.0) as (servers, notices):
            assert [n.text for n in notices] == [
                "MCP server web: trusted from now on as they are: add, header, change, stop"
            ]
            assert call(servers, "web__add", a=2, b=3) == 5
            assert call(servers, "web__header", name="X-Key") == "k-1"
            with pytest.raises(ToolError, match=r"(?s)add: .*valid integer"):
                call(servers, "web__add", a="two", b=3)


def test_a_change_over_http_is_held_back_at_once(tmp_path: Path) -> None:
    with web_server("streamable-http") as port:
        config = {"url": f"http://127.0.0.1:{port}/mcp", "type": "http"}
        with connected({"web": config}, tmp_path) as (servers, notices):
            add = next(tool for tool in servers.tools if tool.name == "web__add")
            assert call(servers, "web__change") == "changed"
            deadline = time.monotonic() + 5
            while "web__add" in {tool.name for tool in servers.tools} and time.monotonic() < deadline:
                time.sleep(0.02)
            with pytest.raises(ToolError, match="add is held back: its description"):
                asyncio.run(add.call({"a": 1, "b": 2}))
            assert "tool add is held back" in notices[-1].text


def test_a_server_over_http_that_ends_and_comes_back(tmp_path: Path) -> None:
    with web_server("streamable-http") as port, contextlib.ExitStack() as stack:
        config = {"url": f"http://127.0.0.1:{port}/mcp", "type": "http"}
        servers, _ = stack.enter_context(connected({"web": config}, tmp_path, call_seconds=5.0))
        add = next(tool for tool in servers.tools if tool.name == "web__add")
        call(servers, "web__stop")
        time.sleep(0.4)
        for _ in range(4):
            with pytest.raises(ToolError):
                asyncio.run(add.call({"a": 1, "b": 2}))
        with pytest.raises(ToolError, match="cannot be used any more"):
            asyncio.run(add.call({"a": 1, "b": 2}))
        assert servers.tools == ()


class Rude(BaseHTTPRequestHandler):
    """Answers every request in one bad way, by the path that is asked for."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append(self.path)  # type: ignore[attr-defined]
        with contextlib.suppress(OSError):
            getattr(self, self.path.partition("?")[0].strip("/"))()

    do_GET = do_DELETE = do_POST

    def say(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def large(self) -> None:
        self.say(b'{"jsonrpc": "2.0", "id": 1, "result": {"x": "')
        for _ in range(50):
            self.wfile.write(b"x" * 1_000_000)

    def bomb(self) -> None:
        self.say(gzip.compress(b"x" * 50_000_000), Content_Encoding="gzip")

    def events(self) -> None:
        self.say(b"data: ", Content_Type="text/event-stream")
        for _ in range(50):
            self.wfile.write(b"x" * 1_000_000)

    def refused(self) -> None:
        self.say(b"no", 401)

    def broken(self) -> None:
        self.say(b"<html>", 500)

    def moved(self) -> None:
        self.say(b"", 307, Location="http://127.0.0.2:1/large")

    def rubbish(self) -> None:
        self.say(b"{]")

    def silent(self) -> None:
        self.server.ending.wait(10)  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        pass


class RudeServer(ThreadingHTTPServer):
    """Serves `Rude` on a free port of loopback."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Rude)
        self.seen: list[str] = []
        self.ending = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is what the tests are about."""

    def close(self) -> None:
        self.ending.set()
        self.shutdown()
        self.server_close()


@pytest.mark.parametrize("way", ["large", "bomb", "events", "refused", "broken", "moved", "rubbish", "silent"])
@pytest.mark.parametrize("kind", ["http", "sse"])
def test_rude_servers_over_http_are_left_out(tmp_path: Path, way: str, kind: str) -> None:
    with contextlib.closing(RudeServer()) as server:
        config = {"url": f"http://me:secret@127.0.0.1:{server.server_port}/{way}?key=secret", "type": kind}
        begun = time.monotonic()
        with connected({"rude": config}, tmp_path, connect_seconds=1.0) as (servers, notices):
            assert servers.tools == ()
            assert len(notices) == 1
            assert notices[0].text.startswith("MCP server rude: ")
            assert "secret" not in notices[0].text
            assert "127.0.0.2" not in str(server.seen)
        assert time.monotonic() - begun < 10
