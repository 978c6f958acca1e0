"""`agentfly learn DATASET` as a process of its own, against a provider on loopback."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support.fake_provider import FakeProvider

PROGRAM = [sys.executable, "-c", "from agentfly.cli.main import main; main()"]
PATIENCE = 90.0
"""Seconds: importing everything takes ten on a busy machine."""
CONTROL = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|\][^\x07]*\x07|[()][A-Z0-9]|[=>])")
OPTIONS = ("--model", "openai/fake-model", "--strategy", "codeact", "--set", "retries=0")
ASKED = re.compile(r"number (\d+) in the row")
RULE = "Never say eight."


def answer(body: Mapping[str, Any]) -> str:
    """Seven, but eight of every third number until a rule says otherwise; whoever reflects and curates proposes that rule."""
    told = json.dumps(body)
    if "operations" in told:
        add = {"op": "add", "section": "strategies", "kind": "strategy", "text": RULE}
        several = {"because": [1]} if "because" in told else {}
        return json.dumps({"reason": "it helps", "operations": [{**add, **several}]})
    if "diagnosis" in told:
        return json.dumps({"diagnosis": "It said eight.", "insight": RULE})
    time.sleep(0.03)
    return f"```python\nfinal_answer({8 if number(body) % 3 == 0 and RULE not in told else 7})\n```"


def number(body: Mapping[str, Any]) -> int:
    """Which task a request is about: the one asked last."""
    return int(ASKED.findall(json.dumps(body))[-1])


@pytest.fixture(scope="module")
def provider() -> Any:
    with FakeProvider(answer) as server:
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the dataset; a process takes seconds to start, so one whole course is for all tests."""
    path = tmp_path_factory.mktemp("learning")
    rows = [{"question": f"What is said of number {n} in the row?", "answer": "7"} for n in range(24)]
    (path / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


COURSE = (
    "--test", 4, "--validation", 1, "--limit", 4, "--epochs", 2, "--window", 2, "--concurrency", 2, "--gate", "always",
    "--ablate", "none",
)  # fmt: skip


def command(folder: Path, *more: object) -> list[str]:
    return [*PROGRAM, "learn", str(folder / "tasks.jsonl"), *map(str, COURSE), *OPTIONS, *map(str, more)]


def environment(provider: FakeProvider, home: Path) -> dict[str, str]:
    own = {"OPENAI_API_KEY": "sk-x", "OPENAI_API_BASE": provider.base, "AGENTFLY_HOME": str(home)}
    return {**os.environ, **own, "AGENTFLY_PLAYBOOK__LEAVE_OUT": "0", "AGENTFLY_TOOLS__BUILTIN": "none"}


@pytest.fixture(scope="module")
def whole(folder: Path, provider: FakeProvider) -> subprocess.CompletedProcess[str]:
    """The course from beginning to end."""
    arguments = command(folder, "--json", "--report", folder / "page.html")
    env = environment(provider, folder / "whole")
    return subprocess.run(arguments, env=env, capture_output=True, text=True, timeout=PATIENCE)


def samples(data: Mapping[str, Any]) -> list[tuple[str, int, int, str, str]]:
    return sorted((s["phase"], s["epoch"], s["place"], s["task_id"], s["verdict"]) for s in data["samples"])


def test_a_whole_course(folder: Path, whole: subprocess.CompletedProcess[str]) -> None:
    assert whole.returncode == 0, whole.stderr
    assert whole.stdout.count("\n") == 1, "one object and nothing beside it"
    data = json.loads(whole.stdout)
    assert (data["reason"], data["learned"], data["tasks"]) == ("done", 8, {"learn": 4, "validate": 1, "test": 4})
    tested = {task for phase, _, _, task, _ in samples(data) if phase != "learn"}
    learned = {task for phase, _, _, task, _ in samples(data) if phase == "learn"}
    assert tested.isdisjoint(learned)
    assert data["comparison"]["after"]["accuracy"] == 1.0 > data["comparison"]["before"]["accuracy"]
    (nothing,) = data["ablations"]
    assert nothing["after"]["accuracy"] == data["comparison"]["before"]["accuracy"], "what was learned did it"
    assert data["comparison"]["lost"] == []
    assert (folder / "page.html").stat().st_size > 0
    assert "\x1b" not in whole.stderr
    assert [line.split("  ")[0] for line in whole.stderr.splitlines() if "right (" in line] == [
        "base", "validation", "validation", "learning", "validation", "test", "nothing shown",
    ]  # fmt: skip


def interrupted(provider: FakeProvider, arguments: list[str], home: Path, after: int) -> tuple[int, str, str]:
    """The command, told to stop after so many requests: exit status, standard output and error."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(arguments, env=environment(provider, home), text=True, **pipes)  # type: ignore[call-overload]
    wanted, end = len(provider.requests) + after, time.monotonic() + PATIENCE
    while len(provider.requests) < wanted and process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def test_interrupted_and_gone_on_with_at_a_terminal_it_comes_to_the_same(
    folder: Path, provider: FakeProvider, whole: subprocess.CompletedProcess[str]
) -> None:
    home, before = folder / "home", len(provider.requests)
    code, out, err = interrupted(provider, command(folder), home, 8)
    assert (code, out) == (130, ""), err
    told = err.splitlines()[-1]
    assert told.startswith("agentfly: interrupted: ")
    assert "the same command goes on there" in told
    id = told.rpartition("(")[2].rstrip(")")
    code, raw = on_terminal(command(folder), environment(provider, home), 80)
    assert code == 0, raw
    assert f"agentfly: going on with {id}" in raw
    no_line_is_broken(raw)
    show = [*PROGRAM, "learn", "--show", id, "--json"]
    shown = subprocess.run(show, env=environment(provider, home), capture_output=True, timeout=PATIENCE, check=True)
    resumed, expected = json.loads(shown.stdout), json.loads(whole.stdout)
    assert samples(resumed) == samples(expected), "no sample twice, none missing, the same verdicts"
    asked = [request for request in provider.requests[before:] if "diagnosis" not in json.dumps(request.body)]
    assert len(asked) <= len(resumed["samples"]) + 2 + 1, "only what was on its way, and the curator's"


def on_terminal(command: list[str], env: Mapping[str, str], columns: int) -> tuple[int, str]:
    """Exit status, and all that was written, of a program in a pty."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(command[0], command, {**env, "COLUMNS": str(columns), "LINES": "24", "TERM": "xterm-256color"})
    seen, end = b"", time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if select.select([fd], [], [], 1.0)[0]:
            try:
                piece = os.read(fd, 65536)
            except OSError:
                break
            if not piece:
                break
            seen += piece
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode(errors="replace")


def no_line_is_broken(raw: str) -> None:
    lines = [CONTROL.sub("", line) for line in re.split(r"[\r\n]+", raw)]
    assert max(len(line) for line in lines if not line.startswith(("agentfly:", "model "))) <= 80
    assert any("━" in line and "learning" in line and "/8" in line for line in lines)
    assert raw.rfind("\x1b[?25h") > raw.rfind("\x1b[?25l"), "the cursor is back"
