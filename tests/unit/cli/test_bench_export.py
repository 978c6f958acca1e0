"""`agentfly bench export` as a person meets it: a file that scores as the run did."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import benched

Run = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    results = [benched.result("t0"), benched.result("t1", 0, "error"), benched.result("t0", 1, "wrong")]
    return benched.write(tmp_path / "run", results, attempts=2, finish=False)


def test_every_selected_task_is_there_and_what_is_empty_is_said(agentfly: Run, folder: Path, tmp_path: Path) -> None:
    done = agentfly("bench", "export", folder, "--gaia", "out.jsonl")
    assert (done.code, done.out) == (0, "")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["task_id"] for row in rows] == [f"t{n}" for n in range(12)]
    assert [row["model_answer"] for row in rows] == ["21", *[""] * 11]
    assert "these are the answers of attempt 0, the first; --attempt N chooses another" in done.err
    assert "11 of 12 selected tasks without an answer, which is empty in the file: t1, t2, t3, t4, t5, …" in done.err
    assert "12 answers are in out.jsonl" in done.err
    other = agentfly("bench", "export", folder, "--gaia", "other.jsonl", "--attempt", "1")
    assert "chooses another" not in other.err
    assert json.loads((tmp_path / "other.jsonl").read_text().splitlines()[0])["model_answer"] == "22"


def test_an_export_scores_as_the_run_did(agentfly: Run, folder: Path, tmp_path: Path) -> None:
    rows = [{"id": f"t{n}", "question": f"{n}?", "answer": "21", "level": str(1 + n % 3)} for n in range(12)]
    (tmp_path / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    results = benched.varied(3)
    run = benched.write(tmp_path / "whole", results)
    agentfly("bench", "export", run, "--gaia", "out.jsonl")
    scored = json.loads(agentfly("bench", "score", "tasks.jsonl", "out.jsonl", "--json").out)
    told = json.loads(agentfly("bench", "report", run, "--json").out)
    for key in ("accuracy", "correct", "total"):
        assert scored[key] == told[key]
    assert scored["tasks"] == [{"task_id": one["task_id"], "correct": one["correct"]} for one in told["tasks"]]
    assert {level: one["correct"] for level, one in scored["by_level"].items()} == {
        level: one["correct"] for level, one in told["by_level"].items()
    }


def test_nothing_is_overwritten_unless_forced(agentfly: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text("mine")
    done = agentfly("bench", "export", folder, "--gaia", "out.jsonl")
    assert done.code == 2
    assert "--force replaces it" in done.err
    assert (tmp_path / "out.jsonl").read_text() == "mine"
    assert agentfly("bench", "export", folder, "--gaia", "out.jsonl", "--force").code == 0
    assert (tmp_path / "out.jsonl").read_text().count("\n") == 12


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "give --gaia FILE"),
        (["run", "--gaia", "x.jsonl", "--attempt", "2"], "there is no attempt 2"),
        (["nowhere", "--gaia", "x.jsonl"], "holds no results"),
        (["run", "--gaia", "no/x.jsonl"], "cannot be written"),
    ],
)
def test_nonsense_is_one_clear_line(
    agentfly: Run, folder: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = agentfly("bench", "export", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "x.jsonl").exists()
