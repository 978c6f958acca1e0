"""The real program in a real terminal (a pty), against a provider on loopback."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from support.fake_provider import FakeProvider, Fault

from agentfly.cli.processes import descendants

ANSWER = "Six times seven.\n```python\nfinal_answer(6 * 7)\n```"
PROGRAM = [sys.executable, "-c", "from agentfly.cli.main import main; main()"]
PATIENCE = 90.0
"""Seconds: importing everything takes ten on a busy machine."""
CONTROL = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|\][^\x07]*\x07|[()][A-Z0-9]|[=>])")


class Terminal:
    """The program in a pty of a given width; what it wrote is in `raw`, and without control sequences in `seen`."""

    def __init__(self, *arguments: object, env: Mapping[str, str], columns: int = 80) -> None:
        self._bytes = b""
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.execve(sys.executable, [*PROGRAM, *map(str, arguments)], dict(env))
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        self.code: int | None = None

    @property
    def raw(self) -> str:
        return self._bytes.decode(errors="replace")  # as a whole: a read may end in the middle of a character

    @property
    def seen(self) -> str:
        return CONTROL.sub("", self.raw).replace("\r\n", "\n")

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def wait_for(self, text: str, times: int = 1) -> None:
        end = time.monotonic() + PATIENCE
        while self.seen.count(text) < times:
            if not self._pump(end - time.monotonic()) or time.monotonic() > end:
                pytest.fail(f"{text!r} was not seen in:\n{self.seen}")

    def finish(self, within: float = PATIENCE) -> int:
        end = time.monotonic() + within
        while self._pump(end - time.monotonic()):
            assert time.monotonic() < end, f"still running:\n{self.seen}"
        self.code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self.code

    def children(self) -> list[int]:
        return descendants(self._pid)

    def _pump(self, seconds: float) -> bool:
        """Read what there is; False when the program has ended."""
        if not select.select([self._fd], [], [], max(0.0, seconds))[0]:
            return True
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # Linux says so when the last writer is gone
            return False
        self._bytes += data
        return bool(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self.code is None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._fd)


@pytest.fixture
def env(fake_provider: FakeProvider, tmp_path: Path) -> dict[str, str]:
    fake_provider.reply = ANSWER
    return {
        **os.environ, "OPENAI_API_KEY": "x", "OPENAI_API_BASE": fake_provider.base, "TERM": "xterm-256color",
        "AGENTFLY_HOME": str(tmp_path / "home"), "AGENTFLY_MODEL": "openai/any",
    }  # fmt: skip


def gone(pids: list[int], within: float = 2.0) -> bool:
    end = time.monotonic() + within
    while time.monotonic() < end:
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("columns", [60, 100])
def test_run_shows_its_work_and_then_recalls_it(env: dict[str, str], columns: int) -> None:
    with Terminal("run", "What is six by seven?", "--reference", "42", env=env, columns=columns) as screen:
        assert screen.finish() == 0
    for part in ("What is six by seven?", "final_answer(6 * 7)", "answer    42", "reward 1.00", "tokens"):
        assert part in screen.seen
    assert "\x1b[" in screen.raw
    assert max(len(line.rpartition("\r")[2]) for line in screen.seen.split("\n")) <= columns
    again = subprocess.run(
        [*PROGRAM, "run", "What is six by eight?", "--json"], env=env, capture_output=True, text=True, check=True
    )
    (case,) = json.loads(again.stdout)["recalled"]
    assert case in screen.seen
    assert again.stderr == ""


def test_no_color_and_pipes_carry_no_codes(env: dict[str, str]) -> None:
    with Terminal("run", "What is six by seven?", env={**env, "NO_COLOR": "1"}) as screen:
        assert screen.finish() == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", screen.raw)
    piped = subprocess.run(
        [*PROGRAM, "run", "What is six by seven?"], env=env, capture_output=True, text=True, check=True
    )
    assert "answer    42" in piped.stdout
    assert "\x1b" not in piped.stdout + piped.stderr
    assert "\r" not in piped.stdout


def test_ctrl_c_while_the_provider_hangs(env: dict[str, str], fake_provider: FakeProvider) -> None:
    fake_provider.script = [Fault(hang=60)]
    with Terminal("run", "What is six by seven?", env=env) as screen:
        while not fake_provider.requests:
            screen._pump(0.1)
        children = screen.children()
        screen.type("\x03")
        assert screen.finish(within=5) == 130
    assert "Traceback" not in screen.seen
    assert screen.raw.count("\x1b[?25l") <= screen.raw.count("\x1b[?25h")  # the cursor is shown again
    assert gone(children)
    listed = subprocess.run([*PROGRAM, "runs", "list", "--json"], env=env, capture_output=True, text=True, check=True)
    assert [run["status"] for run in json.loads(listed.stdout)] == ["interrupted"]


def test_ctrl_c_while_code_runs_leaves_no_child(env: dict[str, str], fake_provider: FakeProvider) -> None:
    fake_provider.script = ["```python\nimport time\nwhile True:\n    time.sleep(1)\n```"]
    with Terminal("run", "Wait for ever", env=env) as screen:
        screen.wait_for("running the code")
        time.sleep(0.5)
        children = screen.children()
        assert children
        screen.type("\x03")
        assert screen.finish(within=5) == 130
    assert gone(children)


def test_a_chat(env: dict[str, str], fake_provider: FakeProvider, tmp_path: Path) -> None:
    prompt = "you › "
    with Terminal("chat", env=env, columns=100) as screen:
        screen.wait_for(prompt)
        screen.type("What is six by seven?\n")
        screen.wait_for("1 step")
        screen.type("/good\n")
        screen.wait_for("learned   case")
        screen.type("/teach Say the unit when there is one.\n")
        screen.wait_for("str-00001")
        screen.type("What is six by eight?\n")
        screen.wait_for("1 case and 1 bullet shown")
        screen.type("/why\n")
        screen.wait_for("with their similarity")
        screen.wait_for("Say the unit when there is one.", times=3)
        fake_provider.script = [Fault(hang=60)]
        asked = len(fake_provider.requests)
        screen.type("Never answered\n")
        while len(fake_provider.requests) == asked:
            screen._pump(0.1)
        screen.type("\x03")
        screen.wait_for("stopped")
        time.sleep(2)  # longer than the grace of an interrupt that nobody dealt with
        screen.type("And still here?\n")
        screen.wait_for("1 step", times=3)
        screen.wait_for(prompt, times=8)
        screen.type("\x03")
        screen.wait_for("Ctrl-C again")
        screen.type("\x04")
        assert screen.finish(within=10) == 0
    assert "Traceback" not in screen.seen
    history = tmp_path / "home/chat_history"
    assert "What is six by seven?" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


def test_two_ctrl_c_at_the_prompt_end_a_chat(env: dict[str, str]) -> None:
    with Terminal("chat", env=env) as screen:
        screen.wait_for("you › ")
        screen.type("\x03")
        screen.wait_for("Ctrl-C again")
        time.sleep(0.5)
        screen.type("\x03")
        assert screen.finish(within=10) == 130
    assert "Traceback" not in screen.seen
