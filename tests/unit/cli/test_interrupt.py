"""Ctrl-C ends with 130 and leaves no child, whatever the process is doing: within two seconds, of which a busy machine gets some more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, hashlib, os, subprocess, sys, time
from agentfly.cli import main, session

class Agent:
    model_name, model_why, home = "fake", "test", None
    def __init__(self, home, settings, notify): pass
    async def arun(self, question, **options):
        child = subprocess.Popen(["sleep", "60"], start_new_session=True)
        print(child.pid, file=sys.stderr, flush=True)
        await globals()[question]()
    async def aclose(self):
        print("closed", file=sys.stderr, flush=True)

async def waits():
    await asyncio.sleep(60)

async def refuses():
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

async def blocks():
    time.sleep(60)

async def computes():
    hashlib.pbkdf2_hmac("sha256", b"x", b"y", 10**9)

async def threads():
    await asyncio.to_thread(time.sleep, 60)

async def cleans_up():
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.2)
        print("cleaned", file=sys.stderr, flush=True)

session.make_agent = Agent
main.main()
"""


def start(tmp_path: Path, behaviour: str, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run", behaviour, "--home", str(tmp_path / "home"), *more],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def stopped(process: subprocess.Popen[str], number: int = signal.SIGINT) -> tuple[float, str, str]:
    """Send the signal; seconds until the end, and what was said."""
    begun = time.monotonic()
    process.send_signal(number)
    try:
        out, err = process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return time.monotonic() - begun, out, err


@pytest.mark.parametrize("behaviour", ["waits", "refuses", "blocks", "computes", "threads", "cleans_up"])
def test_ctrl_c_while_running(tmp_path: Path, behaviour: str) -> None:
    process = start(tmp_path, behaviour)
    assert process.stderr is not None
    child = int(process.stderr.readline())
    time.sleep(0.1)
    took, _, err = stopped(process)
    assert process.returncode == 130
    assert took < 5
    assert not alive(child)
    assert "Traceback" not in err
    assert ("closed" in err) == (behaviour in {"waits", "cleans_up", "threads"})
    assert ("cleaned" in err) == (behaviour == "cleans_up")


def test_the_second_signal_of_one_key_press_is_not_a_second_press(tmp_path: Path) -> None:
    process = start(tmp_path, "cleans_up", "--json")
    assert process.stderr is not None
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    took, out, err = stopped(process)
    assert (process.returncode, out) == (130, "")
    assert "cleaned" in err
    assert took < 5


def test_a_second_press_ends_at_once(tmp_path: Path) -> None:
    process = start(tmp_path, "refuses")
    assert process.stderr is not None
    child = int(process.stderr.readline())
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    took, _, _ = stopped(process)
    assert process.returncode == 130
    assert took < 1.5
    assert not alive(child)


def test_termination_closes_in_order_too(tmp_path: Path) -> None:
    process = start(tmp_path, "cleans_up")
    assert process.stderr is not None
    child = int(process.stderr.readline())
    took, _, err = stopped(process, signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    assert took < 5
    assert "cleaned" in err
    assert not alive(child)


@pytest.mark.parametrize("delay", [0.02, 0.06, 0.15])
def test_ctrl_c_while_starting(tmp_path: Path, delay: float) -> None:
    code = "import os; from agentfly.cli.main import main; os.write(1, b'x'); main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "config", "show", "--home", str(tmp_path)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.read(1)
    time.sleep(delay)
    took, _, err = stopped(process)
    assert process.returncode in {130, 0}  # it may have been done already
    assert took < 5
    assert "Traceback" not in err


def test_descendants_are_found_below_their_parents() -> None:
    from agentfly.cli.processes import descendants

    shell = subprocess.Popen(["sh", "-c", "sleep 30 & echo; wait"], stdout=subprocess.PIPE)
    try:
        assert shell.stdout is not None
        shell.stdout.readline()
        mine = descendants()
        assert shell.pid in mine
        below = descendants(shell.pid)
        assert len(below) == 1
        assert below[0] in mine
    finally:
        for pid in [*descendants(shell.pid), shell.pid]:
            os.kill(pid, signal.SIGKILL)
        shell.wait()
