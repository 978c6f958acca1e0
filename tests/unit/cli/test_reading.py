"""Commands that read a home: memory, playbook, runs, config."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentfly.memory.bank import CaseBank
from agentfly.playbooks.delta import Delta
from agentfly.playbooks.ledger import PlaybookLedger
from agentfly.store.home import Home
from agentfly.store.runs import RunStore
from agentfly.types import Attempt, Case, Feedback, Learned, RunResult, Step, Task, Usage

EVIL = "[red]x[/red] \x1b[31mansi"
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "home"
    with Home.open(folder) as home, CaseBank(home) as bank:
        cases = bank.add_many([
            Case(question=f"What is the mean of column {i}? {EVIL}", solution=f"print({i})  # {EVIL}", answer=str(i),
                 reward=float(i > 0), lesson="Round at the end.")
            for i in range(3)
        ])  # fmt: skip
        found = bank.recollect(cases[1].question, k=1)
        bank.record_shown("r1", "t", replace(found, chosen=(replace(found.chosen[0], case=cases[1]),)))
        bank.record_outcome("r1", 1.0)
        ledger = PlaybookLedger(home.db, home.path / "playbook.md")
        add = {"op": "add", "section": "strategies", "text": "Round as the question asks. [red]x[/red]"}
        ledger.commit(Delta.model_validate({"reason": "taught", "operations": [add]}), author="human")
        tag = {"op": "tag", "id": "str-00001", "tag": "helpful"}
        ledger.commit(Delta.model_validate({"operations": [tag]}), author="run", run="r1", reason="it helped")
        guess = {"op": "add", "section": "strategies", "text": "Guess."}
        ledger.drop(Delta.model_validate({"operations": [guess]}), reason="the retry failed", run="r2")
        _record_runs(RunStore(home.db), cases[0].id)
    return folder


def _record_runs(store: RunStore, case: str) -> None:
    task = Task(f"What is the mean of Close Price? {EVIL}", reference="570.68")
    for number, reward in enumerate((1.0, 0.0, None)):
        run_id = f"20260101-00000{number}-abcde{number}"
        store.start(run_id, task, "embedded", "codeact", {})
        wrong = Step(index=0, thought=EVIL, action="print(1)", observation=f"NameError {EVIL}", error=True)
        last = Step(index=1, action="final_answer(570.68)", final=True)
        attempt = Attempt(
            task_id=task.id, steps=(wrong, last), answer="570.68", status="answered", sandbox="bubblewrap"
        )
        feedback = None if reward is None else Feedback(reward=reward, text=EVIL, source="reference")
        learned = Learned(cases=(case,), delta=2, accepted=True)
        usage = Usage(calls=2, prompt_tokens=1200, completion_tokens=99, seconds=12.3)
        store.finish(run_id, RunResult(
            run_id=run_id, status="answered", answer="570.68", reward=reward, steps=2, usage=usage, recalled=(case,),
            learned=learned, task=task, attempt=attempt, feedback=feedback,
        ))  # fmt: skip


@pytest.fixture
def read(agentfly: Run, made: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("AGENTFLY_HOME", str(made))
    return agentfly


def first_case(read: Run) -> str:
    return str(json.loads(read("memory", "search", "column 0", "-k", 1, "--json").out)[0]["case"]["id"])


def test_memory_stats(read: Run) -> None:
    out = read("memory", "stats").out
    assert "3 active" in out
    assert "2 of 3 (67 %)" in out
    assert "1 time, 1 judged, mean reward 1.00" in out
    data = json.loads(read("memory", "stats", "--json").out)
    assert (data["total"], data["successes"], data["by_status"]) == (3, 2, {"active": 3})


def test_memory_search_finds_and_shows(read: Run) -> None:
    done = read("memory", "search", "mean of column 2")
    assert done.code == 0
    assert "What is the mean of column 2? [red]x[/red] \\x1b[3" in done.out
    found = json.loads(read("memory", "search", "mean of a column", "-k", "2", "--json").out)
    assert len(found) == 2
    assert 0 < found[0]["similarity"] <= 1


def test_memory_show_takes_the_beginning_of_an_id(read: Run) -> None:
    whole = first_case(read)
    out = read("memory", "show", whole[:12]).out
    for part in (whole, "Round at the end.", "# [red]x[/red] \\x1b[31mansi", "✗ 0.00"):
        assert part in out, part
    assert json.loads(read("memory", "show", whole, "--json").out)["id"] == whole


def test_playbook_show_now_and_then(read: Run) -> None:
    assert "str-00001 +1 -0 Round as the question asks. [red]x[/red]" in read("playbook", "show").out
    assert "str-00001 +0 -0" in read("playbook", "show", "--version", 1).out
    assert "no bullets yet" in read("playbook", "show", "--version", 0).out
    data = json.loads(read("playbook", "show", "--json").out)
    assert (data["version"], [bullet["id"] for bullet in data["bullets"]]) == (2, ["str-00001"])


def test_playbook_history_lists_kept_and_dropped(read: Run) -> None:
    out = read("playbook", "history").out
    assert [out.index(part) for part in ("the retry failed", "it helped", "taught")] == sorted(
        out.index(part) for part in ("the retry failed", "it helped", "taught")
    )
    assert "add: Guess." in out
    assert "Guess." not in read("playbook", "history", "--kept").out
    data = json.loads(read("playbook", "history", "--json").out)
    assert [item["version"] for item in data] == [None, 2, 1]
    assert data[2]["delta"]["operations"][0]["op"] == "add"


def test_playbook_diff_and_rollback(read: Run, made: Path, tmp_path: Path) -> None:
    assert "added [str-00001]" in read("playbook", "diff", 0, 1).out
    assert "no difference" in read("playbook", "diff", 1, 1).out
    copy = shutil.copytree(made, tmp_path / "copy")
    assert "now as version 3" in read("playbook", "rollback", 0, "--home", copy).out
    assert "already as it was" in read("playbook", "rollback", 0, "--home", copy).out
    assert "no bullets yet" in read("playbook", "show", "--home", copy).out


def test_runs_list(read: Run) -> None:
    out = read("runs", "list").out
    order = [out.index(f"20260101-00000{n}-abcde{n}") for n in (2, 1, 0)]
    assert order == sorted(order)
    assert "2 of 3 runs" in read("runs", "list", "-n", "2").out
    assert [item["reward"] for item in json.loads(read("runs", "list", "--json").out)] == [None, 0.0, 1.0]


def test_runs_show(read: Run) -> None:
    out = read("runs", "show", "20260101-000001").out
    for part in ("20260101-000001-abcde1", "570.68", "NameError [red]x[/red] \\x1b[31mansi", "final_answer(570.68)",
                 "reward 0.00", "sandbox bubblewrap", "1,200 tokens in"):  # fmt: skip
        assert part in out, part
    data = json.loads(read("runs", "show", "20260101-000001", "--json").out)
    assert data["id"] == "20260101-000001-abcde1"


@pytest.mark.parametrize(
    "command",
    [
        "memory stats", "memory search x", "memory show x", "playbook show", "playbook history", "playbook diff 0 1",
        "playbook rollback 0", "runs list", "runs show x",
    ],
)  # fmt: skip
def test_without_a_home_one_line_and_nothing_is_made(agentfly: Run, tmp_path: Path, command: str) -> None:
    for home, said in ((tmp_path / "none", "no home at"), (tmp_path / "file", "is a file")):
        (tmp_path / "file").write_text("x")
        done = agentfly(*command.split(), "--home", home)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("agentfly: ")
        assert done.err.count("\n") == 1
        assert said in done.err
    assert not (tmp_path / "none").exists()


def test_a_home_of_a_newer_version_is_left_alone(agentfly: Run, made: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(made, tmp_path / "newer")
    with sqlite3.connect(copy / "agentfly.db") as db:
        db.execute("PRAGMA user_version = 999")
    for command in ("runs list", "memory stats", "playbook show", "run q"):
        done = agentfly(*command.split(), "--home", copy)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert "newer" in done.err


@pytest.mark.parametrize("command", ["memory show zzz", "runs show zzz", "runs show 2026", "playbook show --version 9"])
def test_an_unknown_id_is_one_line(read: Run, command: str) -> None:
    done = read(*command.split())
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("width", ["40", "60", "80", "120"])
@pytest.mark.parametrize("command", ["memory stats", "memory search mean", "runs list", "config show", "playbook show"])
def test_tables_keep_to_the_width(read: Run, monkeypatch: pytest.MonkeyPatch, width: str, command: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    done = read(*command.split())
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= int(width)


def test_a_pipe_gets_whole_rows(read: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    assert "…" not in read("runs", "list").out


def test_config_show_tells_the_layer(agentfly: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.yaml").write_text("limits.steps: 9\n")
    monkeypatch.setenv("AGENTFLY_SEED", "5")
    data = json.loads(agentfly("config", "show", "--home", tmp_path, "--set", "recall.k=2", "--json").out)
    assert data["limits.steps"] == {"value": 9, "layer": str(tmp_path / "config.yaml")}
    assert data["seed"] == {"value": 5, "layer": "environment"}
    assert data["recall.k"] == {"value": 2, "layer": "arguments"}
    assert data["gate"] == {"value": "auto", "layer": "default"}
    out = agentfly("config", "show", "--home", tmp_path).out
    assert "config.yaml" in out


def test_a_reader_that_leaves_is_no_error(made: Path) -> None:
    code = "from agentfly.cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "runs", "show", "20260101-000001", "--home", str(made)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    os.close(os.dup(process.stdout.fileno()))
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 1
