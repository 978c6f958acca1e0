"""What the server is made of: which files, which addresses, one agent for all, lines, progress."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.errors import ConfigError, InputError
from agentfly.events import Retained
from agentfly.mcpserver.files import attachments, default_roots, local_path
from agentfly.mcpserver.http import Access, Address, allowed_names
from agentfly.mcpserver.progress import Progress
from agentfly.mcpserver.shared import SharedAgent, apart
from agentfly.mcpserver.stdio import Lines, serve
from agentfly.mcpserver.tools import source_of
from agentfly.types import Attempt


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two roots, and beside them what must stay out of reach."""
    top = tmp_path_factory.mktemp("tree").resolve()
    for name in ("one", "one/deep", "two", "oneself"):
        (top / name).mkdir()
    for name in ("one/a.csv", "one/deep/b.csv", "two/c.csv", "secret", "oneself/secret"):
        (top / name).write_text(name)
    (top / "one/out").symlink_to(top / "secret")
    (top / "one/up").symlink_to(top)
    (top / "one/again.csv").symlink_to(top / "two/c.csv")
    (top / "one/loop").symlink_to(top / "one/loop")
    os.mkfifo(top / "one/pipe")
    return top


def test_files_below_the_roots(tree: Path) -> None:
    one, two = tree / "one", tree / "two"
    asked = ["a.csv", "c.csv", str(one / "deep/b.csv"), (two / "c.csv").as_uri(), "deep/../a.csv", "again.csv"]
    assert attachments(asked, [one, two]) == (
        one / "a.csv", two / "c.csv", one / "deep/b.csv", two / "c.csv", one / "a.csv", one / "again.csv",
    )  # fmt: skip


@pytest.mark.parametrize(
    "path",
    ["../secret", "out", "up/secret", "deep/../../secret", "/etc/passwd", "missing.csv", "loop", "again.csv", "pipe", "",
     ".", "../oneself/secret", "https://example.org/a", "file://other/etc/passwd", "file:a.csv", "a\x00b", "x" * 5000],
)  # fmt: skip
def test_files_that_may_not_be_attached(tree: Path, path: str) -> None:
    with pytest.raises(InputError, match="cannot be attached"):
        attachments([path], [tree / "one"])


@given(
    st.lists(
        st.sampled_from(["..", ".", "one", "two", "deep", "up", "out", "secret", "a.csv", "c.csv", "/", "~"]),
        max_size=8,
    )
)
def test_nothing_outside_of_the_roots_is_ever_attached(tree: Path, parts: list[str]) -> None:
    root = tree / "one"
    try:
        (found,) = attachments(["/".join(parts)], [root])
    except InputError:
        return
    assert found.resolve().is_relative_to(root)
    assert found.is_file()


def test_a_file_too_large_is_refused(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentfly.mcpserver.files.MAX_FILE_BYTES", 3)
    with pytest.raises(InputError, match="the most is"):
        attachments(["a.csv"], [tree / "one"])


def test_the_working_folder_is_no_root_where_nobody_chose_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_roots(tmp_path / "project") == (tmp_path.resolve() / "project",)
    assert default_roots(tmp_path) == default_roots(Path("/")) == ()
    with pytest.raises(InputError, match="--root DIR"):
        attachments(["a.csv"], ())


def test_file_addresses() -> None:
    assert local_path("file:///my%20project/a") == Path("/my project/a")
    assert local_path("file://localhost/a") == Path("/a")
    for other in ("file://host/a", "file:a", "http://localhost/a", "/a"):
        assert local_path(other) is None


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("8765", "127.0.0.1", 8765, True),
        (":0", "127.0.0.1", 0, True),
        ("localhost:1", "localhost", 1, True),
        ("[::1]:80", "::1", 80, True),
        ("127.9.9.9:80", "127.9.9.9", 80, True),
        ("0.0.0.0:80", "0.0.0.0", 80, False),
        ("host.lan:80", "host.lan", 80, False),
    ],
)
def test_addresses(text: str, host: str, port: int, loopback: bool) -> None:
    address = Address.parse(text)
    assert (address.host, address.port, address.loopback) == (host, port, loopback)


@pytest.mark.parametrize(
    "text", ["", "host", "host:", "1:2:3", "::1:80", "host:70000", "host:-1", "host:٣", "[host]:80"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ConfigError, match="HOST:PORT"):
        Address.parse(text)


def test_who_is_let_in() -> None:
    hosts, origins = allowed_names(Address("127.0.0.1", 80), ())
    assert {"127.0.0.1:*", "localhost:*", "[::1]:*"} <= set(hosts)
    assert all("127.0.0.1" in name or "localhost" in name or "[::1]" in name for name in (*hosts, *origins))
    hosts, origins = allowed_names(Address("192.168.1.2", 80), ("proxy.lan", "other:443"))
    assert set(hosts) == {"192.168.1.2:*", "192.168.1.2", "proxy.lan:*", "proxy.lan", "other:443"}
    assert "https://proxy.lan" in origins
    with pytest.raises(ConfigError, match="16"):
        Access(token="short")
    assert "secret" not in repr(Access(token="secret" * 3))


class _Agent:
    def __init__(self) -> None:
        self.closed = 0

    async def aclose(self) -> None:
        self.closed += 1


async def test_calls_at_once_open_one_agent() -> None:
    made: list[_Agent] = []

    def make() -> Any:
        made.append(_Agent())
        return made[-1]

    async with SharedAgent(make) as shared:
        agents = await asyncio.gather(*(shared.opened() for _ in range(5)))
        assert len({id(agent) for agent in agents}) == len(made) == 1
    assert made[0].closed == 1


async def test_an_agent_whose_call_was_cancelled_while_it_opened_is_closed_all_the_same() -> None:
    agent, go = _Agent(), threading.Event()

    def make() -> Any:
        go.wait(10)
        return agent

    async with SharedAgent(make) as shared:
        call = asyncio.create_task(shared.opened())
        await asyncio.sleep(0.02)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        go.set()
    assert agent.closed == 1


async def test_cleaning_up_is_not_cut_off_by_a_cancel_scope() -> None:
    steps: list[int] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            for step in range(5):
                await asyncio.sleep(0.001)
                steps.append(step)

    with anyio.move_on_after(0.02):
        await apart(work())
    assert steps == [0, 1, 2, 3, 4]


async def test_progress_beats_while_nothing_happens_and_loses_nothing() -> None:
    told: list[tuple[float, str]] = []

    async def report(done: float, line: str) -> None:
        told.append((done, line))

    async with Progress(report, beat=0.02) as progress:
        await asyncio.sleep(0.07)
        progress.on_event(Retained(cases=("case-1",)))
        progress.on_event(Retained(cases=("case-1", "case-2")))
    lines = [line for _, line in told]
    assert lines[-2:] == ["1 case kept", "2 cases kept"]
    assert set(lines[:-2]) == {"still at work after: starting"}
    assert [done for done, _ in told] == list(range(1, len(told) + 1))


async def test_progress_to_a_client_that_left_is_dropped() -> None:
    async def report(done: float, line: str) -> None:
        raise anyio.BrokenResourceError

    async with Progress(report) as progress:
        progress.on_event(Retained(cases=()))
        progress.on_event(Retained(cases=()))


@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), max_size=6), st.data())
def test_lines_come_as_they_were_written_however_they_are_cut(lines: list[str], data: st.DataObject) -> None:
    raw = "".join(f"{line}\n" for line in lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=5)))
    chunks = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    given_to = iter([chunk for chunk in chunks if chunk])
    reader = Lines(-1)
    reader._chunk = lambda: next(given_to, b"")  # type: ignore[method-assign]
    assert list(reader._split()) == lines


async def test_a_reader_ends_with_its_pipe_and_holds_up_nobody() -> None:
    out, into = os.pipe()
    os.write(into, b"one\ntwo")
    reader = Lines(out)
    assert await anext(reader) == "one"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(reader), 0.05)  # although its thread goes on waiting
    os.close(into)
    assert [line async for line in reader] == ["two"]
    os.close(out)


@pytest.mark.parametrize("gone", [BrokenPipeError(), ExceptionGroup("", [ExceptionGroup("", [BrokenPipeError()])])])
async def test_a_client_that_left_without_reading_is_no_error(gone: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.asynccontextmanager
    async def streams(**_: Any) -> AsyncIterator[tuple[None, None]]:
        yield None, None

    class Server:
        def create_initialization_options(self) -> None: ...

        async def run(self, *_: Any) -> None:
            raise gone

    monkeypatch.setattr("mcp.server.stdio.stdio_server", streams)
    await serve(Server())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("by", "untrusted", "source"),
    [("person", False, "human"), ("person", True, "judge"), ("agent", False, "judge"), ("agent", True, "judge")],
)
def test_whose_word_a_verdict_is(by: str, untrusted: bool, source: str) -> None:
    class Record:
        attempts = (Attempt(task_id="t", untrusted=untrusted),)

    assert source_of(by, Record()) == source  # type: ignore[arg-type]
