"""The real program as an MCP server, asked by the official client over both transports, against a provider on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from support.fake_provider import FakeProvider, Fault

from agentfly.cli.processes import descendants
from agentfly.store.home import Home
from agentfly.store.runs import RunStore

PROGRAM = "from agentfly.cli.main import main; main()"
ANSWER = "Six times seven.\n```python\nfinal_answer(6 * 7)\n```"
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}


@pytest.fixture
def env(fake_provider: FakeProvider, tmp_path: Path) -> dict[str, str]:
    fake_provider.reply = ANSWER
    return {
        **os.environ, "OPENAI_API_KEY": "x", "OPENAI_API_BASE": fake_provider.base,
        "AGENTFLY_HOME": str(tmp_path / "home"), "AGENTFLY_MODEL": "openai/any",
    }  # fmt: skip


@asynccontextmanager
async def stdio(
    env: Mapping[str, str], *arguments: str, cwd: Path, mode: str = "auto", program: str = PROGRAM
) -> AsyncIterator[Client]:
    errors = cwd / "stderr.txt"
    with errors.open("a") as log:
        server = StdioServerParameters(
            command=sys.executable, args=["-c", program, "mcp", *arguments], env=dict(env), cwd=cwd
        )
        async with Client(stdio_client(server, errlog=log), mode=mode) as client:
            yield client


class Raw:
    """The program with pipes, and no library in between."""

    def __init__(self, env: Mapping[str, str], cwd: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "mcp", *arguments], env=dict(env), cwd=cwd, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def send(self, method: str, params: Mapping[str, Any], id: int | None = None) -> None:
        assert self.process.stdin is not None
        message = {"jsonrpc": "2.0", "method": method, "params": params, **({} if id is None else {"id": id})}
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def hello(self) -> dict[str, Any]:
        self.send("initialize", HELLO, 1)
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.send("notifications/initialized", {})
        return answer


@contextmanager
def raw(env: Mapping[str, str], cwd: Path, *arguments: str) -> Iterator[Raw]:
    started = Raw(env, cwd, *arguments)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait()
        for pipe in (started.process.stdin, started.process.stdout, started.process.stderr):
            assert pipe is not None
            pipe.close()


def statuses(env: Mapping[str, str]) -> list[str]:
    with Home.open(Path(env["AGENTFLY_HOME"])) as home:
        return [run.status for run in RunStore(home.db).recent()]


def until(true: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


async def test_the_official_client_over_stdio(env: dict[str, str], fake_provider: FakeProvider, tmp_path: Path) -> None:
    (tmp_path / "numbers.txt").write_text("27\n")
    fake_provider.script = ["```python\nfinal_answer(int(open('numbers.txt').read()))\n```", ANSWER]
    steps: list[str] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        steps.append(message or "")

    async with stdio(env, cwd=tmp_path, mode="legacy") as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["run", "recall", "playbook", "learn"]
        asked = {"question": "What is in the file?", "files": ["numbers.txt"], "reference": "27.00"}
        first = await client.call_tool("run", asked, progress_callback=progress)
        assert (first.is_error, first.structured_content["reward"]) == (False, 1.0)
        assert any(step.startswith("step 1 gave the answer") for step in steps)
        second = await client.call_tool("run", {"question": "What is six by seven?"})
        told = {"run_id": second.structured_content["run_id"], "reward": 1, "by": "person"}
        learned = (await client.call_tool("learn", told)).structured_content["learned"]
        found = (await client.call_tool("recall", {"text": "What is six by eight?"})).structured_content["cases"]
        assert [case["id"] for case in found] == learned["cases"]
        assert (await client.call_tool("learn", {"rule": "Say the unit."})).structured_content["learned"]["delta"]
        (book,) = (await client.read_resource("agentfly://playbook")).contents
        assert "Say the unit." in book.text
    assert (tmp_path / "stderr.txt").read_text() == ""
    assert not any("27.00" in prompt for prompt in fake_provider.prompts())


async def test_calls_at_once_of_which_one_is_cancelled(
    env: dict[str, str], fake_provider: FakeProvider, tmp_path: Path
) -> None:
    both = threading.Barrier(2, timeout=60)

    def reply(body: Mapping[str, Any]) -> str:
        if "Wait for ever" not in json.dumps(body):
            both.wait()  # answers none before both have asked
        return ANSWER

    fake_provider.reply = reply
    fake_provider.script = [Fault(hang=60)]
    async with stdio(env, cwd=tmp_path) as client:
        waiting = asyncio.create_task(client.call_tool("run", {"question": "Wait for ever"}))
        while not fake_provider.requests:
            await asyncio.sleep(0.02)
        calls = [client.call_tool("run", {"question": f"What is six by seven, number {n}?"}) for n in range(2)]
        done = await asyncio.gather(*calls)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert [result.structured_content["answer"] for result in done] == ["42", "42"]
        assert len({result.structured_content["run_id"] for result in done}) == 2
        await asyncio.to_thread(until, lambda: "running" not in statuses(env), 10)
        assert statuses(env) == ["answered", "answered", "interrupted"]
        assert not (await client.call_tool("recall", {"text": "six"})).is_error


async def test_what_libraries_print_does_not_get_between_the_lines(env: dict[str, str], tmp_path: Path) -> None:
    noisy = (
        "import os, sys, subprocess\nfrom agentfly.mcpserver import resources\nread = resources.read\n"
        "def loud(*a, **k):\n    print('from print', flush=True); os.write(1, b'from C\\n')\n"
        "    subprocess.run(['sh', '-c', 'cat; echo from a child'])\n    return read(*a, **k)\n"
        f"resources.read = loud\n{PROGRAM}"
    )
    async with stdio(env, cwd=tmp_path, program=noisy) as client:
        (book,) = (await client.read_resource("agentfly://playbook")).contents
        assert "# Playbook" in book.text
    said = (tmp_path / "stderr.txt").read_text().splitlines()
    assert sorted(said) == ["from C", "from a child", "from print"]


@pytest.mark.parametrize(("end", "code"), [("SIGTERM", 143), ("end of input", 0)])
def test_the_end_leaves_nothing_behind(
    env: dict[str, str], fake_provider: FakeProvider, tmp_path: Path, end: str, code: int
) -> None:
    fake_provider.script = ["```python\nimport time\nopen('here', 'w').close()\ntime.sleep(600)\n```"]
    with raw(env, tmp_path) as server:
        assert server.hello()["result"]["serverInfo"]["name"] == "agentfly"
        server.send("tools/call", {"name": "run", "arguments": {"question": "Wait for ever"}}, 2)
        until(lambda: list((tmp_path / "home").rglob("here")))
        children = descendants(server.process.pid)
        assert children
        if end == "end of input":
            assert server.process.stdin is not None
            server.process.stdin.close()
        else:
            server.process.send_signal(getattr(signal, end))
        assert server.process.wait(10) == code
        assert server.process.stderr is not None
        assert server.process.stderr.read() == ""
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), 5)
    assert statuses(env) == ["interrupted"]


def test_an_idle_server_ends_at_once_and_makes_no_home(env: dict[str, str], tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with raw(env, tmp_path) as server:
        server.hello()
        begun = time.monotonic()
        server.process.terminate()
        assert server.process.wait(10) == 143
        assert time.monotonic() - begun < 1.3  # before the hard end
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < 1.5  # of the processor: clients give up on servers that start slowly
    assert not (tmp_path / "home").exists()


@contextmanager
def over_http(env: Mapping[str, str], cwd: Path, *arguments: str) -> Iterator[tuple[str, str, subprocess.Popen[str]]]:
    """The server's address, its token, and its process."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "mcp", "--http", "0", *arguments], env=dict(env), cwd=cwd, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        at, token = process.stderr.readline(), process.stderr.readline()
        yield at.split()[-1], token.split()[-1], process
    finally:
        process.kill()
        process.communicate()


async def test_over_http(env: dict[str, str], fake_provider: FakeProvider, tmp_path: Path) -> None:
    with over_http(env, tmp_path) as (url, token, process):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/mcp", url)
        assert len(token) >= 32
        bearer = {"Authorization": f"Bearer {token}"}
        accept = {"Accept": "application/json, text/event-stream"}
        hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}
        async with httpx2.AsyncClient(headers=accept) as http:
            assert (await http.post(url, json=hello)).status_code == 401
            wrong = {"Authorization": f"Bearer {token}x"}
            assert (await http.post(url, json=hello, headers=wrong)).status_code == 401
            rebound = {**bearer, "Host": "evil.example:80"}
            assert (await http.post(url, json=hello, headers=rebound)).status_code == 421
            page = {**bearer, "Origin": "https://evil.example"}
            assert (await http.post(url, json=hello, headers=page)).status_code == 403
            local = {**bearer, "Origin": "http://localhost:6274"}
            assert (await http.post(url, json=hello, headers=local)).status_code == 200
        for mode in ("legacy", "auto"):
            async with (
                httpx2.AsyncClient(headers=bearer, timeout=60) as http,
                Client(streamable_http_client(url, http_client=http), mode=mode) as client,
            ):
                result = await client.call_tool("run", {"question": "What is six by seven?"})
                assert result.structured_content["answer"] == "42"
        fake_provider.script = [Fault(hang=60)]
        asked = len(fake_provider.requests)
        async with httpx2.AsyncClient(headers=bearer, timeout=60) as http:
            call = {"name": "run", "arguments": {"question": "Wait for ever"}}
            posted = await http.post(url, json=hello, headers=accept)
            session = {**accept, "Mcp-Session-Id": posted.headers["mcp-session-id"]}
            body = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}
            waiting = asyncio.create_task(http.post(url, json=body, headers=session))
            while len(fake_provider.requests) == asked:
                await asyncio.sleep(0.02)
            process.terminate()
            assert await asyncio.to_thread(process.wait, 10) == 143
            await asyncio.wait([waiting])
        assert process.stdout is not None
        assert process.stdout.read() == ""
    assert statuses(env) == ["interrupted", "answered", "answered"]


def test_a_token_of_ones_own_is_not_printed(env: dict[str, str], tmp_path: Path) -> None:
    secret = "a-token-of-my-own-choosing"
    with over_http({**env, "AGENTFLY_MCP_TOKEN": secret}, tmp_path) as (_, token, process):
        assert token == "$AGENTFLY_MCP_TOKEN"
        process.terminate()
        _, said = process.communicate(timeout=10)
    assert secret not in said
