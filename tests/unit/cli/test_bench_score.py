"""`agentfly bench score` as a person and a program meet it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
ROWS = [
    {"task_id": "a", "Question": "one", "Level": 1, "Final answer": "42", "file_name": ""},
    {"task_id": "b", "Question": "two", "Level": 1, "Final answer": "Paris", "file_name": ""},
    {"task_id": "c", "Question": "three", "Level": "2", "Final answer": "x, y", "file_name": "c.pdf"},
    {"task_id": "w", "Question": "four", "Level": "3", "Final answer": "?", "file_name": ""},
    {"task_id": "0-0-0-0-0", "Question": "dummy", "Level": 1, "Final answer": "?", "file_name": ""},
]


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def gaia(tmp_path: Path) -> Path:
    folder = lines(tmp_path / "gaia" / "2023" / "validation" / "metadata.jsonl", ROWS).parent
    (folder / "c.pdf").write_text("x")
    return tmp_path / "gaia"


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    given = {"a": "42.0", "b": "London", "c": "x; y"}
    return lines(tmp_path / "p.jsonl", [{"task_id": name, "model_answer": text} for name, text in given.items()])


def scored(done: Any) -> dict[str, Any]:
    assert (done.code, done.err) == (0, "")
    data: dict[str, Any] = json.loads(done.out)
    return data


def test_json(agentfly: Run, gaia: Path, answers: Path) -> None:
    data = scored(agentfly("bench", "score", gaia, answers, "--json"))
    assert (data["accuracy"], data["correct"], data["total"]) == (2 / 3, 2, 3)
    assert data["by_level"] == {
        "1": {"accuracy": 0.5, "correct": 1, "total": 2},
        "2": {"accuracy": 1.0, "correct": 1, "total": 1},
    }
    assert data["tasks"] == [{"task_id": name, "correct": name != "b"} for name in "abc"]
    assert (data["withheld"], data["missing"], data["scorer"]) == (["w"], [], "gaia")


def test_a_table_for_people(agentfly: Run, gaia: Path, answers: Path) -> None:
    lines(answers, [{"task_id": "a", "model_answer": 42}])
    done = agentfly("bench", "score", gaia, answers)
    assert (done.code, done.err) == (0, "")
    assert "gaia · 3 tasks · scorer gaia" in done.out
    rows = [line.split()[:5] for line in done.out.splitlines()]
    assert ["1", "1", "2", "50.0", "%"] in rows
    assert ["all", "1", "3", "33.3", "%"] in rows
    assert "2 tasks without a prediction, counted as wrong: b, c" in done.out
    assert "1 task not scored: the dataset withholds the answer" in done.out


@pytest.mark.parametrize(
    ("options", "total", "correct"),
    [
        (["--levels", "1"], 2, 1),
        (["--levels", "1, 2"], 3, 2),
        (["--ids", "a,c"], 2, 2),
        (["--file-types", "pdf"], 1, 1),
        (["--file-types", "none"], 2, 1),
        (["--limit", "1"], 1, 1),
        (["--sample", "4", "--sample-seed", "3"], 3, 2),
        (["--split", "validation"], 3, 2),
        (["--scorer", "exact"], 3, 0),
    ],
)
def test_options(agentfly: Run, gaia: Path, answers: Path, options: list[str], total: int, correct: int) -> None:
    data = scored(agentfly("bench", "score", gaia, answers, "--json", *options))
    assert (data["total"], data["correct"]) == (total, correct)


def test_ids_from_a_file(agentfly: Run, gaia: Path, answers: Path, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("b\n")
    assert scored(agentfly("bench", "score", gaia, answers, "--json", "--ids", tmp_path / "ids.txt"))["total"] == 1


def test_an_attempt_of_a_runs_results(agentfly: Run, gaia: Path, tmp_path: Path) -> None:
    rows = [{"task_id": "a", "attempt": number, "answer": str(41 + number), "verdict": "wrong"} for number in (0, 1)]
    path = lines(tmp_path / "results.jsonl", rows)
    assert scored(agentfly("bench", "score", gaia, path, "--json", "--attempt", "1"))["correct"] == 1
    assert agentfly("bench", "score", gaia, path).err.endswith("has several attempts; choose one with --attempt N\n")


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([{"task_id": "zzz", "model_answer": "1"}], [], "1 of the predicted tasks is not in the dataset gaia: zzz"),
        ([{"task_id": "a", "model_answer": "1"}] * 2, [], "line 2: task 'a' was already answered in"),
        ([{"task_id": "a"}], [], "line 1: no 'model_answer'"),
        ([], [], "holds no predictions"),
        ([{"task_id": "w", "model_answer": "1"}], ["--levels", "3"], "withholds the answers of all 1 selected tasks"),
        ([{"task_id": "a", "model_answer": "1"}], ["--levels", "9"], "no task of level 9; levels here: 1, 2, 3"),
        ([{"task_id": "a", "model_answer": "1"}], ["--levels", ","], "--levels names nothing"),
        ([{"task_id": "a", "model_answer": "1"}], ["--scorer", "human"], "'human' cannot score them"),
        ([{"task_id": "a", "model_answer": "1"}], ["--split", "test"], "has no split 'test'; it has: validation"),
        ([{"task_id": "a", "model_answer": "1"}], ["--download"], "only a dataset of the Hugging Face hub"),
    ],
)
def test_mistakes_are_one_line(
    agentfly: Run, gaia: Path, tmp_path: Path, rows: list[dict[str, Any]], options: list[str], message: str
) -> None:
    path = lines(tmp_path / "p.jsonl", rows)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    done = agentfly("bench", "score", gaia, path, *options)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert message in done.err
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_an_id_is_no_markup(agentfly: Run, gaia: Path, tmp_path: Path) -> None:
    name = "[red]x[/red] \x1b[31m\u202e"
    rows = [{"id": name, "question": "q", "answer": "1", "level": name}, {"id": "b", "question": "q", "answer": "1"}]
    path = lines(tmp_path / "p.jsonl", [{"task_id": "b", "model_answer": "1"}])
    done = agentfly("bench", "score", lines(tmp_path / "set.jsonl", rows), path)
    assert done.code == 0
    assert "[red]x[/red]" in done.out
    assert not {"\x1b", "\u202e"} & set(done.out)


def test_the_example_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[3] / "docs" / "gaia.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    exec(compile(code, "gaia.md", "exec"), {})
    assert capsys.readouterr().out == code.rsplit("# ", 1)[1]


def test_the_table_of_the_page() -> None:
    from agentfly.scorers import gaia_match

    page = (Path(__file__).parents[3] / "docs" / "gaia.md").read_text(encoding="utf-8")
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| `")
    ]
    judged = [row for row in cells if len(row) == 4 and row[2] in ("right", "wrong")]
    assert len(judged) >= 15
    for answers, truth, verdict, _ in judged:
        for answer in answers.split("`")[1::2]:
            assert gaia_match(answer, truth.strip("`")) == (verdict == "right"), answers
