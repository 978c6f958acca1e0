"""`agentfly bench run`: options, bad input, what is printed where; against a provider on loopback."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from rich.console import Console
from support import course
from support.benchmarking import results, write_tasks
from support.fake_provider import FakeProvider

from agentfly.bench.running.plan import ExecutorName, Order
from agentfly.bench.running.progress import Progress
from agentfly.cli import bench_run
from agentfly.cli.views.bench_progress import BenchView, figures
from agentfly.events import Notice
from agentfly.types import Usage

Run = Callable[..., Any]
EVIL = "[red]not markup[/red] \x1b[31mansi"


def sums(body: Mapping[str, Any]) -> str:
    number = int(re.findall(r"What is (\d+) plus 1", json.dumps(body))[-1])
    return f"```python\nfinal_answer({number + 1 if number else EVIL!r})\n```"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    course.pretend(monkeypatch.setattr)
    with FakeProvider(sums) as server:
        monkeypatch.setenv("OPENAI_API_BASE", server.base)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-0123456789abcdef")
        yield server


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    rows = [
        {"id": f"t{n}", "question": f"What is {n} plus 1?", "answer": str(n + 1), "level": 1 + n % 2} for n in range(6)
    ]
    return write_tasks(tmp_path / "tasks.jsonl", rows)


OPTIONS = ("--model", "openai/fake-model", "--strategy", "codeact")


def test_the_names_in_the_help_are_those_of_the_plan() -> None:
    assert get_args(Order) == bench_run.ORDERS
    assert get_args(ExecutorName) == bench_run.EXECUTORS


def test_it_runs_reports_and_goes_on(agentfly: Run, provider: FakeProvider, tasks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = agentfly("bench", "run", tasks, "--out", out, *OPTIONS)
    assert (done.code, len(results(out))) == (0, 6)
    assert "5 of 6" in done.out
    assert "6/6" in done.err
    assert "\x1b[31m" not in done.out
    asked = len(provider.requests)
    again = agentfly("bench", "run", tasks, "--out", out, *OPTIONS, "--json")
    assert again.code == 0
    told = json.loads(again.out)
    assert (told["correct"], told["total"], told["done"], told["state"]) == (5, 6, 6, "done")
    assert len(provider.requests) == asked
    assert "sk-secret" not in (out / "config.json").read_text()
    assert agentfly("bench", "score", tasks, out / "results.jsonl", "--json").code == 0


def test_options_reach_the_agent(agentfly: Run, provider: FakeProvider, tasks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    more = ("--levels", "2", "--attempts", "2", "--max-steps", "3", "--max-tokens", "9000", "--max-cost", "1.5")
    more += ("--max-seconds", "60", "--no-memory", "--no-playbook", "--seed", "5", "--temperature", "0.5")
    assert agentfly("bench", "run", tasks, "--out", out, *OPTIONS, *more).code == 0
    decides = json.loads((out / "config.json").read_text())["decides"]
    assert [task["task_id"] for task in decides["tasks"]] == ["t1", "t3", "t5"]
    assert (decides["attempts"], decides["seed"], decides["settings"]["temperature"]) == (2, 5, 0.5)
    limits = {"steps": 3, "tokens": 9000, "cost_usd": 1.5, "seconds": 60.0}
    assert limits.items() <= decides["settings"]["limits"].items()
    assert not any(decides["settings"]["show"].values())
    assert len({request.body["seed"] for request in provider.requests}) == 2, "each attempt has a seed of its own"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "holds no tasks"),
        ('{"id": "a", "question": "?"}\n{"id": "a", "question": "!"}\n', "already that of"),
        ('{"id": "a", "question": "?"\n', "line 1"),
        ("[1, 2]\n", "must be a JSON object"),
        ('{"id": "a", "answer": "1"}\n', "no question"),
        ('{"id": "a", "question": "?", "files": ["gone.csv"]}\n', "gone.csv"),
        ('{"id": "a", "question": "?", "files": ["../../etc/passwd"]}\n', "leads out of the dataset"),
    ],
)
def test_a_bad_dataset_is_one_line_and_leaves_nothing(
    agentfly: Run, provider: FakeProvider, tmp_path: Path, content: str, words: str
) -> None:
    (tmp_path / "bad.jsonl").write_text(content)
    refused = agentfly("bench", "run", tmp_path / "bad.jsonl", "--out", tmp_path / "out", *OPTIONS)
    assert refused.code == 2
    assert words in refused.err
    assert refused.err.count("\n") == 1
    assert not (tmp_path / "out").exists()
    assert provider.requests == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--order", "sideways"), "--order"),
        (("--executor", "abacus"), "--executor"),
        (("--workers", "2"), "--executor ray"),
        (("--online", "--attempts", "2"), "--attempts 1"),
        (("--limit", "0"), "limit"),
        (("--levels", "9"), "no task of level 9"),
        (("--ids", "t0,who"), "no task with the id who"),
        (("--sample", "99"), "a sample of 99"),
        (("--home", "nowhere"), "no home at"),
        (("--set", "limits.stepz=3"), "limits.stepz"),
        (("--scorer", "human"), "nobody is asked"),
        (("--model", "nonsense/model"), "unknown model"),
        (("--max-steps", "0"), "limits.steps"),
    ],
)
def test_options_that_cannot_be_are_one_line_and_leave_nothing(
    agentfly: Run, provider: FakeProvider, tasks: Path, tmp_path: Path, more: tuple[str, ...], words: str
) -> None:
    refused = agentfly("bench", "run", tasks, "--out", tmp_path / "out", *OPTIONS, *more)
    assert refused.code == 2
    assert words in refused.err
    assert len(refused.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()
    assert provider.requests == []


def test_another_configuration_and_another_folder_are_refused(
    agentfly: Run, provider: FakeProvider, tasks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert agentfly("bench", "run", tasks, "--out", out, *OPTIONS).code == 0
    before = {path: path.read_bytes() for path in out.iterdir() if path.is_file()}
    for more, words in (
        (("--limit", "3"), "tasks (6 entries there, 3 here"),
        (("--max-steps", "9"), "limits.steps (6 there, 9 here)"),
        (("--model", "openai/other"), 'model ("openai/fake-model" there, "openai/other" here)'),
        (("--fresh",), "holds results already"),
    ):
        refused = agentfly("bench", "run", tasks, "--out", out, *OPTIONS, *more)
        assert (refused.code, len(refused.err.splitlines())) == (2, 1)
        assert words in refused.err
    (tmp_path / "file").write_text("mine")
    assert "is a file" in agentfly("bench", "run", tasks, "--out", tmp_path / "file", *OPTIONS).err
    assert {path: path.read_bytes() for path in out.iterdir() if path.is_file()} == before
    assert (tmp_path / "file").read_text() == "mine"


def test_a_provider_that_is_gone_is_one_line_and_status_1(
    agentfly: Run, provider: FakeProvider, tasks: Path, tmp_path: Path
) -> None:
    out, away = tmp_path / "out", provider.base
    provider.close()
    gone = agentfly("bench", "run", tasks, "--out", out, *OPTIONS, "--set", "retries=0")
    assert gone.code == 1
    assert "the same command goes on" in gone.err.splitlines()[-1]
    assert away.rpartition(":")[0] in gone.err
    assert results(out) == []


# What a person watches


def told(done: int, total: int = 10, **more: Any) -> Progress:
    given = {
        "judged": done,
        "tasks": done,
        "correct": done // 2,
        "errors": 0,
        "usage": Usage(prompt_tokens=5 * done),
        "left": 90.0,
    }
    return Progress(**{"done": done, "total": total, "resumed": False, **given, **more})


def test_the_region_is_narrower_than_the_terminal() -> None:
    for width in (20, 40, 80, 200):
        stream = io.StringIO()
        console = Console(file=stream, force_terminal=True, width=width, color_system=None)
        view = BenchView(console, Path("out"))
        view.progress(told(4, errors=1))
        console.print(view)
        lines = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue()).splitlines()
        assert len(lines) == 2
        assert all(len(line) <= width - 2 for line in lines)
    assert "4/10" in lines[0]
    assert "50.0% right" in lines[1]
    assert "20 tokens" in lines[1]
    assert "1 error" in lines[1]


def test_without_a_terminal_there_are_a_few_lines() -> None:
    stream = io.StringIO()
    with BenchView(Console(file=stream, width=100), Path("results/one")) as view:
        view.event(Notice(text="a warning \x1b[31m", level="warning"))
        view.event(Notice(text="a warning \x1b[31m", level="warning"))
        for done in range(3, 10):
            view.progress(told(done, resumed=True))
        view.interrupted()
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("agentfly: a warning")
    assert "\x1b" not in lines[0]
    assert lines[1] == "agentfly: going on, 3 of 10 are done"
    assert "interrupted: 9 of 10 attempts done" in lines[2]
    assert "results/one" in lines[2]
    assert len(lines) == 3


def test_what_nobody_can_judge_has_no_accuracy() -> None:
    stream = io.StringIO()
    view = BenchView(Console(file=stream, width=100), Path("out"))
    view.progress(told(0, judged=0, correct=0))
    view.progress(told(10, judged=0, correct=0))
    assert "right" not in stream.getvalue()
    assert "10/10" in stream.getvalue()


def test_attempts_at_the_same_tasks_narrow_no_interval() -> None:
    one, three = told(10), told(30, 30, correct=15, tasks=10)
    assert figures(one)[0] == figures(three)[0]
