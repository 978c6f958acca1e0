"""Permission at the terminal: the real program in a pty, with a tool that writes."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from support.fake_provider import FakeProvider

PROGRAM = """
import sys
from pathlib import Path
from agentfly.cli import session
from agentfly.cli.main import main

log = Path(sys.argv.pop(1))

def make(home, settings, notify):
    from agentfly import Agent, tool

    @tool(risk="write")
    def send(text: str) -> str:
        "Send a text to everybody."
        log.write_text(log.read_text() + text[:5] + ".")
        return "sent"

    return Agent(home=home, settings=settings, notify=notify, tools=[send])

session.make_agent = make
main()
"""
PATIENCE = 90.0
CONTROL = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|\][^\x07]*\x07|[()][A-Z0-9]|[=>])")


def block(*lines: str) -> str:
    return "\n".join(["```python", *lines, "```"])


FIRST = block("print(send('first' + chr(27) + '[2J' + 'x\\n' * 40 + 'the end'))")
SECOND = block("print(send('again'))")
DONE = block("final_answer(42)")


class Typed:
    """The program in a pty."""

    def __init__(self, log: Path, *arguments: object, env: Mapping[str, str]) -> None:
        self.seen, self.raw = "", b""
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            words = [sys.executable, "-c", PROGRAM, str(log), *map(str, arguments)]
            os.execve(sys.executable, words, dict(env))

    def answer(self, question: str, keys: str) -> None:
        end = time.monotonic() + PATIENCE
        while question not in self.seen:
            assert self._pump(), f"{question!r} was not seen in:\n{self.seen}"
            assert time.monotonic() < end, self.seen
        self.seen = self.seen.partition(question)[2]
        os.write(self._fd, keys.encode())

    def finish(self) -> int:
        while self._pump():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def _pump(self) -> bool:
        if not select.select([self._fd], [], [], PATIENCE)[0]:
            return False
        try:
            got = os.read(self._fd, 65536)
        except OSError:
            return False
        self.raw += got
        self.seen += CONTROL.sub("", got.decode(errors="replace")).replace("\r\n", "\n")
        return bool(got)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        os.close(self._fd)


@pytest.fixture
def env(fake_provider: FakeProvider, tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ, "OPENAI_API_KEY": "x", "OPENAI_API_BASE": fake_provider.base, "TERM": "xterm-256color",
        "AGENTFLY_HOME": str(tmp_path / "home"), "AGENTFLY_MODEL": "openai/any",
    }  # fmt: skip


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_text("")
    return path


def test_it_asks_at_the_terminal_and_goes_on(env: dict[str, str], fake_provider: FakeProvider, log: Path) -> None:
    fake_provider.script = [FIRST, SECOND, DONE]
    with Typed(log, "run", "Send it.", "--approve", "ask", env=env) as screen:
        screen.answer("call send?", "what\n")
        shown = screen.raw.decode()
        screen.answer("call send?", "a\n")
        assert screen.finish() == 0
        assert "answer    42" in screen.seen
    assert log.read_text() == "first.again."
    for part in ("Send a text to everybody.", "write: changes something", "first\\x1b[2J", "folded", "the end"):
        assert part in shown
    assert "\x1b[2J" not in shown, "the model's control characters are shown, not obeyed"
    assert len(fake_provider.requests) == 3


def test_ctrl_c_at_the_question_leaves_the_run_waiting_for_another_process(
    env: dict[str, str], fake_provider: FakeProvider, log: Path
) -> None:
    fake_provider.script = [FIRST, SECOND, DONE]
    with Typed(log, "run", "Send it.", "--approve", "ask", env=env) as screen:
        screen.answer("call send?", "\x03")
        assert screen.finish() == 130
    command = [sys.executable, "-c", PROGRAM, str(log)]
    listed = subprocess.run([*command, "runs", "list", "--json"], env=env, capture_output=True, check=True)
    (run,) = json.loads(listed.stdout)
    assert (run["status"], log.read_text()) == ("waiting", "")
    resume = [*command, "runs", "resume", run["id"]]
    nobody = subprocess.run(resume, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert nobody.returncode == 1
    assert nobody.stderr.count("\n") == 1
    assert f"agentfly runs resume {run['id']}" in nobody.stderr
    done = subprocess.run([*resume, "--approve", "all", "--json"], env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answer"] == "42"
    assert log.read_text() == "first.again."
    assert len(fake_provider.requests) == 3
