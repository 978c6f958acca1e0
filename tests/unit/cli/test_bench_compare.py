"""`agentfly bench compare` as a person and a program meet it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import benched

Run = Callable[..., Any]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs ``a``, ``b`` and ``c``: of twelve tasks the first 3, tasks 1 to 9, and all but one are right."""
    for name, right in (("a", range(3)), ("b", range(1, 10)), ("c", range(11))):
        results = [benched.result(f"t{n}", 0, "correct" if n in right else "wrong") for n in range(12)]
        benched.write(tmp_path / name, results)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_json_of_two_runs(agentfly: Run, runs: Path) -> None:
    done = agentfly("bench", "compare", "a", "b", "--json")
    assert (done.code, done.err) == (0, "")
    data = json.loads(done.out)
    assert (data["before"], data["after"], data["tasks"]) == ("a", "b", 12)
    assert data["difference"] == pytest.approx(0.5)
    assert data["low"] < 0.5 < data["high"]
    assert data["mcnemar"] == data["p"] == data["permutation"]["p"] == pytest.approx(2 * (1 + 8) / 2**8)
    assert [flip["task_id"] for flip in data["lost"]] == ["t0"]
    assert [flip["task_id"] for flip in data["gained"]] == [f"t{n}" for n in range(3, 10)]
    assert data["gained"][0]["after"]["runs"] == ["run-t3-0"]
    assert data["power"]["needed"] > 0
    assert [run["path"] for run in data["runs"]] == [str(runs / "a"), str(runs / "b")]


def test_tables_for_people(agentfly: Run, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = agentfly("bench", "compare", "a", "b", "c")
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80
    text = " ".join(done.out.split())
    for said in ("All comparisons", "Holm", "a → b", "a → c", "+50.0 points", "7 gained, 1 lost (negative flip rate 8.3 %)",
                 "McNemar's exact test p = 0.070", "Holm's for 2 comparisons p = 0.070", "Lost: right less often after: 1", "takes"):  # fmt: skip
        assert said in text, said
    each = agentfly("bench", "compare", "a", "b", "c", "--every-pair")
    assert "b → c" in each.out


def test_a_page(agentfly: Run, runs: Path) -> None:
    done = agentfly("bench", "compare", "a", "b", "--html", "page.html")
    assert done.code == 0
    page = (runs / "page.html").read_text()
    assert page.count('<section class="page"') == 8
    assert "run-t0-0" in page


def test_other_datasets_are_refused_unless_forced(agentfly: Run, runs: Path) -> None:
    benched.write(runs / "other", [benched.result("t0")], dataset={"name": "other", "hash": "9" * 64})
    done = agentfly("bench", "compare", "a", "other")
    assert (done.code, done.out) == (2, "")
    assert "are of different datasets (dddddddddddd and 999999999999)" in done.err
    assert done.err.count("\n") == 1
    forced = agentfly("bench", "compare", "a", "other", "--force")
    assert forced.code == 0
    assert "! the datasets differ" in forced.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["a"], "takes two benchmark runs or more"), (["a", "a"], "is given twice"), (["a", "x"], "x holds no results")],
)
def test_nonsense_is_one_clear_line(agentfly: Run, runs: Path, arguments: list[str], said: str) -> None:
    done = agentfly("bench", "compare", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1
