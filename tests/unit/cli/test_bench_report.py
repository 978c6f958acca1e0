"""`agentfly bench report` as a person and a program meet it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import benched

Run = Callable[..., Any]


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return benched.write(tmp_path / "one", benched.varied(1))


def test_json_has_the_keys_of_score_and_more(agentfly: Run, one: Path) -> None:
    done = agentfly("bench", "report", one, "--json")
    assert (done.code, done.err) == (0, "")
    data = json.loads(done.out)
    right = [result.correct for result in benched.varied(1)]
    assert (data["accuracy"], data["correct"], data["total"]) == (sum(right) / 12, sum(right), 12)
    assert [(task["task_id"], task["correct"]) for task in data["tasks"]] == [(f"t{n}", r) for n, r in enumerate(right)]
    assert {level: found["total"] for level, found in data["by_level"].items()} == {"1": 4, "2": 4, "3": 4}
    assert (data["state"], data["config"]["decides"]["model"]) == ("done", "embedded")


@pytest.mark.parametrize("columns", ["80", "120"])
def test_tables_for_people_fit_the_terminal(
    agentfly: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    three = benched.write(tmp_path / "three", benched.varied(2, attempts=3), attempts=3, mode="online")
    early = benched.write(tmp_path / "early", benched.varied(1))
    done = agentfly("bench", "report", three, "--against", early)
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= int(columns)
    for said in (
        "12 tasks, 3 attempts at each", "steps 6, seconds 300.0", "hash dddddddddddddddd", "0123456789ab, with changes that were not committed",
        "! the source had changes", "accuracy", "pass@k", "pass^k", "majority@k", "best of k, confidence", "Each attempt as a run of its own",
        "How every planned attempt ended", "edit similarity", "US dollars", "for each right answer", "Calls by tool", "Learning between tasks",
        "Against early", "negative flip rate", "permutation test p", "the first has 1 attempt a task, the second 3 attempts", "3 attempts",
    ):  # fmt: skip
        assert said in " ".join(done.out.split()), said


def test_a_run_that_goes_on_says_how_far_it_is(agentfly: Run, tmp_path: Path) -> None:
    """Another process writes meanwhile."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from support import benched\n"
        "from agentfly.bench.folder import ResultsWriter\n"
        "with ResultsWriter(sys.argv[1], benched.config()) as writer:\n"
        "    writer.add((one, benched.record(one)) for one in benched.varied(1)[:5])\n"
        "    print('ready', flush=True); sys.stdin.read()\n"
    )
    folder, tests = tmp_path / "run", Path(__file__).parents[2]
    command = [sys.executable, "-c", script, str(folder), str(tests)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        done = agentfly("bench", "report", folder, "--html", tmp_path / "page.html")
        writer.kill()
    assert done.code == 0
    assert "Running, 5 of 12 done." in done.out
    assert "this is a lower bound" in done.out
    assert "Running, 5 of 12 done." in (tmp_path / "page.html").read_text()
    killed = agentfly("bench", "report", folder)
    assert "Not finished, 5 of 12 done." in killed.out
    assert "7 attempts have no result" in killed.out


def test_a_page_is_written_beside_the_tables_or_the_json(agentfly: Run, one: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("old")
    done = agentfly("bench", "report", one, "--html", page, "--json", "--traces", "2")
    assert done.code == 0
    assert json.loads(done.out)["total"] == 12
    assert f"the page is in {page}" in done.err
    assert page.read_text().count('<section class="page"') == 2


def test_what_is_not_ours_does_not_reach_the_terminal(agentfly: Run, tmp_path: Path) -> None:
    evil = "[red]x[/red] \x1b[31m \u202e"
    result = benched.result("t0", 0, "wrong", answer=evil, calls={evil: 1}, scores={evil: 0.5})
    other = benched.write(tmp_path / "other", [benched.result("t0")])
    done = agentfly("bench", "report", benched.write(tmp_path / "run", [result], model=evil), "--against", other)
    assert done.code == 0
    assert "[red]x[/red]" in done.out
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere holds no results of a benchmark run (there is no config.json in it)"),
        (["one", "--traces", "some"], "--traces 'some': give all, wrong, none, or how many tasks"),
        (["one", "--html", "."], "is a folder; give the name of a file in it"),
        (["one", "--html", "no/page.html"], "there is no folder"),
        (["one", "--against", "one"], "is given twice"),
        (["one", "--against", "strange"], "are of different datasets (999999999999 and dddddddddddd)"),
        (["one/results.jsonl"], "results.jsonl is a file; give the folder of a benchmark run"),
    ],
)
def test_nonsense_is_one_clear_line(
    agentfly: Run, one: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(one.parent)
    benched.write(one.parent / "strange", [], dataset={"name": "other", "hash": "9" * 64})
    done = agentfly("bench", "report", *arguments)
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1
    assert done.out == ""
