"""The llama.cpp server: shared, silent, locked, and gone when its user is gone, however that happens."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from agentfly.config import EmbeddedSettings
from agentfly.errors import ModelUnavailableError, WeightsError
from agentfly.events import Notice
from agentfly.models import embedded
from agentfly.models.embedded import EmbeddedModel
from agentfly.protocols import CallOptions
from agentfly.types import Message

ASK = [Message("user", "Say yes.")]
SHORT = CallOptions(max_tokens=2)
SMALL = EmbeddedSettings(slots=1, context=512)

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def children(pid: int) -> list[int]:
    """Process ids of the llama.cpp servers of a process."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if parent == pid and b"llama_server" in command:
            found.append(int(entry.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(what: Callable[[], object], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.02)
    return False


async def test_weights_that_are_not_there_are_an_error_at_the_first_call(tmp_path: Path) -> None:
    model = EmbeddedModel(EmbeddedSettings(weights=tmp_path / "none.gguf"))
    for _ in range(2):
        with pytest.raises(WeightsError, match=r"none.gguf"):
            await model.complete(ASK)
    await model.aclose()


@pytest.mark.embedded
async def test_a_file_that_is_no_model_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xllamacpp")
    garbage = tmp_path / "garbage.gguf"
    garbage.write_bytes(b"GGUF" + os.urandom(1000))
    monkeypatch.setattr(embedded, "ensure_weights", lambda *rest, **more: garbage)
    model = EmbeddedModel(SMALL)
    with pytest.raises(ModelUnavailableError, match="does not start") as caught:
        await model.complete(ASK)
    assert "\n" not in str(caught.value)
    await model.aclose()


@pytest.mark.embedded
@linux
async def test_models_share_one_server_that_wants_its_key(embedded_model: EmbeddedModel) -> None:
    second = EmbeddedModel()
    assert (await second.complete(ASK, SHORT)).usage.calls == 1
    assert len(children(os.getpid())) == 1
    assert embedded_model._server is second._server
    assert second._inner is not None
    address = second._inner[0]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(urllib.request.Request(address.url + "/chat/completions", b"{}"), timeout=5)
    await second.aclose()
    assert embedded_model._server is not None
    assert embedded_model._server.running


@pytest.mark.embedded
async def test_the_same_prompt_again_comes_from_the_cache(embedded_model: EmbeddedModel) -> None:
    long = [Message("system", "You answer with one word. " * 30), Message("user", "Say no.")]
    await embedded_model.complete(long, SHORT)
    usage = (await embedded_model.complete(long, SHORT)).usage
    assert usage.cached_tokens > 0.9 * usage.prompt_tokens


@pytest.mark.embedded
async def test_it_is_deterministic_unless_told_otherwise(embedded_model: EmbeddedModel) -> None:
    ask = [Message("user", "Invent a name for a boat.")]
    texts = {(await embedded_model.complete(ask, CallOptions(max_tokens=8))).text for _ in range(3)}
    assert len(texts) == 1


@pytest.mark.embedded
@linux
async def test_a_server_that_dies_is_started_again_and_ends_with_its_last_user(
    embedded_model: EmbeddedModel, capfd: pytest.CaptureFixture[str]
) -> None:
    notices: list[Notice] = []
    model = EmbeddedModel(SMALL, notify=notices.append)
    assert (await model.complete(ASK, SHORT)).text
    assert model._server is not None
    assert model._server._process is not None
    first = model._server._process.pid
    os.kill(first, signal.SIGKILL)
    revived = await model.complete(ASK, SHORT)
    assert revived.text
    assert revived.usage.calls == revived.usage.failed_calls + 1
    second = model._server._process.pid
    assert second != first
    assert len(notices) == 2
    await model.aclose()
    assert not alive(second)
    assert (await EmbeddedModel().complete(ASK, SHORT)).text  # the other server was left alone
    assert capfd.readouterr() == ("", "")


_PROGRAM = """
import asyncio, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits that it is ignored
from agentfly.config import EmbeddedSettings
from agentfly.models.embedded import EmbeddedModel
async def main():
    model = EmbeddedModel(EmbeddedSettings(slots=1, context=512), notify=lambda notice: print(notice.text, flush=True))
    try:
        await model.start()
        print("ready", flush=True)
        await asyncio.sleep(60)
    finally:
        await model.aclose()
try:
    asyncio.run(main())
except KeyboardInterrupt:
    sys.exit(130)
"""


def launch(until: str) -> tuple[subprocess.Popen[str], int]:
    """Start a program that uses the model; returns when it has printed a line, with its server's process id."""
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(until):
            break
    assert wait_for(lambda: children(process.pid), 10)
    return process, children(process.pid)[0]


@pytest.mark.embedded
@linux
@pytest.mark.parametrize("moment", ["starting", "ready"])
def test_an_interrupt_ends_it_soon(embedded_model: EmbeddedModel, moment: str) -> None:
    process, server = launch(moment)
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 130
    assert time.monotonic() - began < 5
    assert not alive(server)


@pytest.mark.embedded
@linux
@pytest.mark.parametrize("moment", ["starting", "ready"])
def test_the_server_does_not_outlive_a_killed_process(embedded_model: EmbeddedModel, moment: str) -> None:
    process, server = launch(moment)
    time.sleep(0.5)
    process.kill()
    process.wait()
    assert wait_for(lambda: not alive(server), 2)


@pytest.mark.embedded
async def test_cancelling_the_first_call_leaves_a_model_that_works(embedded_model: EmbeddedModel) -> None:
    model = EmbeddedModel(EmbeddedSettings(slots=1, context=600))
    task = asyncio.create_task(model.complete(ASK, SHORT))
    await asyncio.sleep(0.2)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 3
    assert (await model.complete(ASK, SHORT)).text
    await model.aclose()
