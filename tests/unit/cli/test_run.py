"""`agentfly run`: exit status, what goes to which stream, and bad input."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentfly.errors import ModelUnavailableError, ProviderError

Run = Callable[..., Any]

CONTRACT = {
    "run_id": str, "status": str, "answer": str, "reward": float, "steps": int,
    "usage": {"calls", "prompt_tokens", "completion_tokens", "cost_usd", "seconds"},
    "recalled": list, "bullets": list, "learned": {"cases", "delta", "accepted"},
}  # fmt: skip


def test_json_is_one_object_with_the_fields_of_the_contract(agents: dict[str, Any], agentfly: Run) -> None:
    done = agentfly("run", "What is it?", "--reference", "42.5", "--json")
    data = json.loads(done.out)
    assert done.code == 0
    assert done.out.count("\n") == 1
    assert list(data) == list(CONTRACT)
    for name, kind in CONTRACT.items():
        assert set(data[name]) == kind if isinstance(kind, set) else isinstance(data[name], kind), name
    assert data["learned"] == {"cases": ["case-0003"], "delta": 2, "accepted": True}
    assert data["recalled"] == ["case-0001", "case-0002"]
    assert done.err == ""


def test_json_keeps_stdout_for_itself(agents: dict[str, Any], agentfly: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentfly.cli import session

    made = session.make_agent

    def noisy(*args: Any) -> Any:
        print("Give Feedback / Get Help")
        return made(*args)

    monkeypatch.setattr(session, "make_agent", noisy)
    done = agentfly("run", "q", "--json")
    assert json.loads(done.out)["answer"] == "42.5"
    assert "Give Feedback" in done.err


@pytest.mark.parametrize(
    ("plan", "arguments", "code"),
    [
        ({}, [], 0),
        ({}, ["--reference", "42.5"], 0),
        ({}, ["--reference", "43"], 1),
        ({"answer": None, "status": "limit"}, [], 1),
        ({"status": "limit"}, [], 1),
        ({"status": "error", "answer": None}, ["--json"], 1),
        ({"right": False}, ["--command", "false"], 1),
        ({"fails": ModelUnavailableError("no model")}, [], 2),
        ({"fails": ProviderError("the provider is down")}, [], 1),
        ({"fails": KeyError("bug")}, [], 1),
        ({"fails": KeyboardInterrupt()}, [], 130),
    ],
)
def test_exit_status(
    agents: dict[str, Any], agentfly: Run, plan: dict[str, Any], arguments: list[str], code: int
) -> None:
    agents.update(plan)
    assert agentfly("run", "q", *arguments).code == code
    assert all(agent.closed == 1 for agent in agents["made"])


def test_an_error_is_one_line_and_the_traceback_only_with_debug(agents: dict[str, Any], agentfly: Run) -> None:
    agents["fails"] = ModelUnavailableError("no model:\n set a key \x1b[31m")
    short, long = agentfly("run", "q"), agentfly("run", "q", "--debug")
    assert short.err == "agentfly: no model: set a key \\x1b[31m\n"
    assert "Traceback" in long.err
    assert agentfly("--debug", "run", "q").err.startswith("Traceback")
    assert "Traceback" not in agentfly("run", "q").err


def test_a_bug_says_how_to_see_more(agents: dict[str, Any], agentfly: Run) -> None:
    agents["fails"] = KeyError("bug")
    assert (
        agentfly("run", "q").err
        == "agentfly: internal error: KeyError: 'bug' (run again with --debug for the traceback)\n"
    )


def test_why_there_is_no_answer_is_said_where_json_cannot(agents: dict[str, Any], agentfly: Run) -> None:
    agents.update(answer=None, status="error")
    done = agentfly("run", "q", "--json")
    assert json.loads(done.out)["status"] == "error"
    assert done.err.startswith("agentfly: no answer: the provider said")
    assert "\x1b" not in done.err


def test_quiet_prints_the_answer_only(agents: dict[str, Any], agentfly: Run) -> None:
    done = agentfly("run", "q", "--quiet", "--reference", "42.5")
    assert (done.code, done.out, done.err) == (0, "42.5\n", "")


def test_the_report_shows_everything_and_obeys_nothing(agents: dict[str, Any], agentfly: Run) -> None:
    out = agentfly("run", "Is [bold]it[/bold]\x1b[2J?", "--reference", "42.5").out
    for part in (
        "Is [bold]it[/bold]\\x1b[2J?", "fake/model", "0.83", "case-0001", "step 1", "step 2", "print(round(",
        "[red]markup[/red] \\x1b[31mansi", "\\u202eltr", "answer    42.5", "reward 1.00", "Round at the end.",
        "version 2", "case-0003", "1,200 in · 80 out", "2.5",
    ):  # fmt: skip
        assert part in out, part
    assert not any(char in out for char in "\x1b\x9b\u202e")


def test_a_narrow_console_keeps_its_width(
    agents: dict[str, Any], agentfly: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "48")
    lines = agentfly("run", "q " * 60, "--reference", "42.5").out.splitlines()
    assert max(map(len, lines)) <= 48


def test_arguments_reach_the_agent_as_settings(agents: dict[str, Any], agentfly: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    agentfly(
        "run", "q", "-f", tmp_path / "a.csv", "--model", "embedded", "--strategy", "codeact", "--gate", "fix",
        "--policy", "similarity", "--scorer", "exact", "--steps", 3, "--seconds", 9.5, "--tokens", 100, "--seed", 1,
        "--temperature", 0.5, "--set", "recall.k=2", "--set", "limits.steps=9", "--set", "limits.cost_usd=null",
        "--no-learn", "--home", tmp_path / "h",
    )  # fmt: skip
    (agent,) = agents["made"]
    assert agent.home == tmp_path / "h"
    assert agent.settings == {
        "model": "embedded", "strategy": "codeact", "gate": "fix", "policy": "similarity", "scorer": "exact",
        "limits": {"steps": 3, "seconds": 9.5, "tokens": 100, "cost_usd": None}, "seed": 1, "temperature": 0.5,
        "recall": {"k": "2"},
    }  # fmt: skip
    assert agent.asked[0]["learn"] is False
    assert agent.asked[0]["files"] == (tmp_path / "a.csv",)


def test_a_dash_reads_the_question_from_standard_input(
    agents: dict[str, Any], agentfly: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("  wie groß?\nganz\n".encode())))
    assert agentfly("run", "-").code == 0
    assert agents["made"][0].asked[0]["question"] == "wie groß?\nganz"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([""], "the question is empty"),
        ([" \n\t"], "the question is empty"),
        ([], "Missing argument 'QUESTION'"),
        (["q", "--file", "{tmp}/none.csv"], "no such file"),
        (["q", "--file", "{tmp}"], "is a folder"),
        (["q", "--file", "{tmp}/pipe"], "is not a regular file"),
        (["q", "--file", "{tmp}/a/x.csv", "--file", "{tmp}/b/x.csv"], "two files are named x.csv"),
        (["q", "--file", "{tmp}/a/x.csv", "--file", "{tmp}/a/x.csv"], "two files are named x.csv"),
        (["q", "--file", "{tmp}/huge"], "the most is 512 MiB"),
        (["q", "--file", "{tmp}/" + "n" * 300], "File name too long"),
        (["q", "--strategy", "magic"], "'auto', 'codeact', 'tools' or 'plan'"),
        (["q", "--gate", "magic"], "'auto', 'always', 'fix' or 'replay'"),
        (["q", "--policy", "magic"], "'similarity'"),
        (["q", "--scorer", "magic"], "'gaia'"),
        (["q", "--steps", "0"], "limits.steps"),
        (["q", "--steps", "many"], "Invalid value for '--steps'"),
        (["q", "--seconds", "nan"], "limits.seconds"),
        (["q", "--temperature", "9"], "temperature"),
        (["q", "--set", "steps"], "KEY=VALUE"),
        (["q", "--set", "limits.=3"], "KEY=VALUE"),
        (["q", "--set", "limits.stepz=3"], "did you mean 'limits.steps'"),
        (["q", "--set", "limits=3", "--set", "limits.steps=3"], "limits is a value"),
        (["q", "--reference", " "], "the reference is empty"),
        (["q", "--home", "{tmp}/huge"], "is a file"),
        (["q", "--home", "{tmp}/bad"], "unknown setting 'stepz'"),
        (["q", "--bogus"], "No such option: --bogus"),
        (["q", "extra"], "extra"),
    ],
)
def test_bad_input_is_one_line_and_loads_nothing(
    agents: dict[str, Any], agentfly: Run, tmp_path: Path, arguments: list[str], said: str
) -> None:
    for folder in ("a", "b", "bad"):
        (tmp_path / folder).mkdir()
    for name in ("a/x.csv", "b/x.csv"):
        (tmp_path / name).write_text("x")
    (tmp_path / "bad/config.yaml").write_text("stepz: 3\n")
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(2**30)
    done = agentfly("run", *(argument.replace("{tmp}", str(tmp_path)) for argument in arguments))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("agentfly: ")
    assert done.err.count("\n") == 1
    assert said in done.err
    assert agents["made"] == []
    assert not (tmp_path / "home").exists()


def test_an_unreadable_file_is_named(
    agents: dict[str, Any], agentfly: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.csv").write_text("x")
    whole = Path.open

    def refuse(path: Path, *args: Any, **options: Any) -> Any:
        if path.name == "x.csv":
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path, *args, **options)

    monkeypatch.setattr(Path, "open", refuse)
    done = agentfly("run", "q", "--file", tmp_path / "x.csv")
    assert (done.code, done.err) == (2, f"agentfly: {tmp_path / 'x.csv'} cannot be read: Permission denied\n")


def test_text_that_is_not_utf8_is_refused(
    agents: dict[str, Any], agentfly: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert agentfly("run", "caf\udce9").code == 2
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9")))
    done = agentfly("run", "-")
    assert (done.code, done.err) == (2, "agentfly: the question on standard input is not UTF-8 text\n")


def test_the_help_names_the_values_that_settings_allow() -> None:
    from typing import get_args

    from agentfly.cli import options
    from agentfly.config import Settings

    for name, listed in (
        ("policy", options.POLICIES), ("gate", options.GATES), ("scorer", options.SCORERS),
        ("strategy", options.STRATEGIES),
    ):  # fmt: skip
        assert get_args(Settings.model_fields[name].annotation) == listed
