"""`agentfly memory`: what a person sees of the case bank, and what it does with what a person gives it."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentfly.memory.bank import CaseBank
from agentfly.types import Case, Provenance

ROOT = Path(__file__).parents[3]
MEMENTO = ROOT.parent / "shared/data/memento/memory.jsonl"
EVIL = "[red]x[/red] \x1b[31mansi\x1b[0m \x9b31m \u202eltr\r\nnext line\x07"
PLAN = json.dumps({"plan": [{"id": 1, "description": "Find it. " + EVIL}, {"id": 2, "description": "Say it."}]})
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with cases of every kind: three active, one of each other status, one shown and judged."""
    folder = tmp_path_factory.mktemp("made") / "home"
    with CaseBank(folder) as bank:
        whence = Provenance(
            run="run-7", model="m/x", strategy="codeact", tools=("web", "read"), untrusted=True, feedback="judge"
        )
        bank.add_many([
            Case(id="case-a", question=f"mean of the price column {EVIL}", solution=f"print(1)  # {EVIL}", answer=EVIL,
                 lesson=f"Round. {EVIL}", domain="prices", tags=("mean", EVIL), provenance=whence, seen=3, task_id="t1"),
            Case(id="case-b", question="median of the price column", solution=PLAN, domain="prices", tags=("median",)),
            Case(id="case-c", question="who wrote it", reward=0.0, created=time.time() - 20 * 86_400),
            Case(id="case-old", question="superseded question", reward=0.0),
            Case(id="case-gone", question="pruned question"),
            Case(id="case-wait", question="quarantined question", status="quarantined"),
        ])  # fmt: skip
        bank.supersede("case-old", "case-a")
        bank.set_status("case-gone", "pruned", reason=f"over capacity {EVIL}")
        found = bank.recollect("mean of the price column", k=1)
        bank.record_shown("r1", "t", found)
        bank.record_outcome("r1", 1.0)
    return folder


@pytest.fixture
def read(agentfly: Run, made: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs on the home of `made`, for commands that change nothing."""
    monkeypatch.setenv("AGENTFLY_HOME", str(made))
    return agentfly


@pytest.fixture
def own(agentfly: Run, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs on a copy of it."""
    monkeypatch.setenv("AGENTFLY_HOME", str(shutil.copytree(made, tmp_path / "own")))
    return agentfly


def data(done: Any) -> Any:
    assert (done.code, done.err) == (0, "")
    assert done.out.isascii()
    return json.loads(done.out)


def one_line(done: Any, said: str) -> None:
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("agentfly: ")
    assert done.err.count("\n") == 1
    assert said in done.err


# Looking


def test_stats_draws_the_last_month(read: Run) -> None:
    out = read("memory", "stats").out
    for part in ("3 active, 1 pruned, 1 quarantined, 1 superseded", "2 of 3 (67 %)", "prices 2", "mean 1",
                 "6 in 30 days", "mean reward by week", "5 cases, near-identical ones merged", "KiB"):  # fmt: skip
        assert part in out, part
    spark = next(line for line in out.splitlines() if line.startswith("new")).split()[1]
    assert (len(spark), spark[-1], spark[-21]) == (30, "█", "▂")
    assert set(spark) == {"▁", "▂", "█"}


def test_stats_for_programs(read: Run) -> None:
    found = data(read("memory", "stats", "--json"))
    assert (found["total"], found["successes"], found["failures"], found["quarantined"]) == (6, 2, 1, 1)
    assert sum(found["per_day"]) == 6
    assert found["per_week"][-1]["mean_reward"] == 1.0


def test_search_filters(read: Run) -> None:
    def ids(*options: object) -> list[str]:
        return [item["case"]["id"] for item in data(read("memory", "search", "column", *options, "--json"))]

    assert set(ids()) == {"case-a", "case-b", "case-c"}
    assert set(ids("--domain", "prices")) == {"case-a", "case-b"}
    assert ids("--tag", "median") == ["case-b"]
    assert ids("--tag", "median", "--tag", "mean") == []
    assert set(ids("--min-reward", 0.5)) == {"case-a", "case-b"}
    assert set(ids("--days", 1)) == {"case-a", "case-b"}
    assert len(ids("--days", 30)) == 3
    assert len(ids("-k", 1)) == 1


def test_search_that_finds_nothing_says_why(read: Run, agentfly: Run, tmp_path: Path) -> None:
    assert "none of the 3 active cases passes the filter" in read("memory", "search", "x", "--domain", "none").out
    (tmp_path / "f").write_text('{"question": "Q?", "answer": "1", "tags": ["t"]}\n')
    agentfly("memory", "import", tmp_path / "f", "--quarantine", "--home", tmp_path / "h")
    assert "no cases yet" in agentfly("memory", "search", "x", "--home", tmp_path / "h").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("search", " "), "say what to look for"),
        (("search", "x", "--days", "0"), "--days"),
        (("search", "x", "--days", "nan"), "--days"),
        (("search", "x", "--min-reward", "2"), "--min-reward"),
        (("search", "x", "--min-reward", "nan"), "--min-reward"),
        (("search", "x", "-k", "0"), "-k"),
        (("show", "nothing"), "no case has an id"),
        (("show", "case-"), "beginning of several"),
        (("show", ""), "which case"),
        (("prune", "--capacity", "0"), "at least 1"),
        (("prune", "--capacity", "-3"), "at least 1"),
        (("prune", "--capacity", "many"), "--capacity"),
        (("prune",), "--capacity N"),
        (("restore",), "Missing argument"),
        (("restore", "case-gone", "nothing"), "no case has an id"),
        (("quarantine", "nothing"), "no case has an id"),
        (("export", "-", "--json"), "--json"),
        (("export", "/nowhere/at/all"), "cannot be written"),
        (("import", "/nowhere/at/all"), "no such file"),
        (("import", "."), "is a folder"),
        (("policy", "retrain", "clever"), "unknown selection policy 'clever'"),
        (("policy", "compare", "similarity", "clever"), "unknown selection policy 'clever'"),
        (("policy", "bogus"), "No such command"),
    ],
)
def test_bad_input_is_one_line(own: Run, arguments: tuple[str, ...], said: str) -> None:
    one_line(own("memory", *arguments), said)
    assert data(own("memory", "stats", "--json"))["by_status"]["pruned"] == 1, "and nothing was changed"


def test_show_tells_all_and_obeys_nothing(read: Run) -> None:
    out = read("memory", "show", "case-a").out
    for part in ("case-a", "✓ 1.00", "Round. [red]x[/red] \\x1b[31mansi", "prices", "t1", "1 time, mean reward 1.00",
                 "3 near-identical cases", "run run-7 · m/x · codeact", "judge", "web, read", "untrusted"):  # fmt: skip
        assert part in out, part
    for character in "\x1b\x9b\u202e\r\x07":
        assert character not in out
    assert "superseded by case-a" in read("memory", "show", "case-old").out


def test_show_lists_what_happened(read: Run) -> None:
    out = read("memory", "show", "case-gone").out
    assert "history" in out
    assert "pruned  over capacity [red]x[/red] \\x1b[31mansi" in out
    found = data(read("memory", "show", "case-old", "--json"))
    assert [(event["action"], event["other"]) for event in found["events"]] == [("superseded", "case-a")]


def test_show_draws_a_plan_as_steps(read: Run) -> None:
    out = read("memory", "show", "case-b").out
    assert "1. Find it. [red]x[/red] \\x1b[31mansi" in out
    assert "2. Say it." in out
    assert '"plan"' not in out


@pytest.mark.parametrize("width", ["40", "60", "80", "120"])
@pytest.mark.parametrize(
    "command", ["stats", "search price", "show case-a", "show case-gone", "prune --capacity 1 --dry-run", "policy"]
)
def test_everything_keeps_to_the_width(read: Run, monkeypatch: pytest.MonkeyPatch, width: str, command: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    done = read("memory", *command.split())
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= int(width)


def test_an_encoding_without_blocks_gets_other_characters(made: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "COLUMNS": "100"}
    code = "from agentfly.cli.main import main; main()"
    command = [sys.executable, "-c", code, "memory", "stats", "--home", str(made)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "\\u258" not in done.stdout
    assert "_____" in done.stdout
    assert "#####" in done.stdout


# Files


def test_out_and_in_again(own: Run, tmp_path: Path) -> None:
    path, fresh = tmp_path / "cases.jsonl", tmp_path / "fresh"
    assert own("memory", "export", path).out == f"3 cases written to {path}\n"
    assert data(own("memory", "export", path, "--all", "--json")) == {"cases": 6, "path": str(path)}
    done = own("memory", "import", path, "--home", fresh)
    assert (done.code, done.err) == (0, "")
    assert "6 new cases, 0 already there" in done.out
    assert "6 agentfly" in done.out
    assert "0 new cases, 6 already there" in own("memory", "import", path, "--home", fresh).out
    for case in ("case-a", "case-wait"):
        here, there = (data(own("memory", "show", case, "--json", *home)) for home in ((), ("--home", fresh)))
        assert {**here, "events": []} == {**there, "events": []}


def test_export_to_standard_output_and_import_from_standard_input(
    own: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = own("memory", "export", "-").out
    assert len([json.loads(line) for line in out.splitlines()]) == 3
    (tmp_path / "in").write_text(out)
    with (tmp_path / "in").open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert "3 new cases" in own("memory", "import", "-", "--home", tmp_path / "fresh").out


def test_bad_lines_are_named_and_the_rest_is_imported(agentfly: Run, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text('{"question": "Q?", "answer": "1"}\nno\n\n{"case": "M", "plan": "P", "case_label": "?\x9b"}\n')
    done = agentfly("memory", "import", path)
    assert done.code == 0
    assert "1 new case, 0 already there, 2 bad lines  (3 lines: 1 plain)" in done.out
    assert done.err.splitlines() == [
        "agentfly: line 2: not JSON: Expecting value at character 1",
        "agentfly: line 4: 'case_label' must be 'positive' or 'negative', not '?\\x9b'",
    ]
    strict = agentfly("memory", "import", path, "--strict", "--json")
    assert strict.code == 1
    found = json.loads(strict.out)
    assert (found["new"], found["known"], found["bad"], found["problems"][0]["number"]) == (0, 1, 2, 2)


def test_many_bad_lines_are_counted(agentfly: Run, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("no\n" * 30 + '{"question": "Q?", "answer": "1"}\n')
    lines = agentfly("memory", "import", tmp_path / "f").err.splitlines()
    assert (len(lines), lines[-1]) == (21, "agentfly: and 10 more bad lines")


@pytest.mark.parametrize(("content", "said"), [("", "is empty"), ("no\n", "holds no case")])
def test_a_file_without_cases_is_one_line(agentfly: Run, tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "f").write_text(content)
    one_line(agentfly("memory", "import", tmp_path / "f"), said)


def test_a_file_that_is_not_there_makes_no_home(agentfly: Run, tmp_path: Path) -> None:
    one_line(agentfly("memory", "import", tmp_path / "none"), "no such file")
    one_line(agentfly("memory", "import", tmp_path), "is a folder")
    assert not (tmp_path / "home").exists()


def test_import_domain_tags_and_quarantine(agentfly: Run, tmp_path: Path) -> None:
    (tmp_path / "f").write_text('{"question": "Q?", "answer": "1"}\n')
    one_line(agentfly("memory", "import", tmp_path / "f", "--tag", " "), "tag")
    done = agentfly("memory", "import", tmp_path / "f", "--domain", "d", "--tag", "a", "--tag", "b", "--quarantine")
    assert "1 new case in quarantine" in done.out
    assert data(agentfly("memory", "search", "Q", "--json")) == []
    written = agentfly("memory", "export", "-", "--all").out
    row = json.loads(written)
    assert (row["domain"], row["tags"], row["status"]) == ("d", ["a", "b"], "quarantined")
    assert "quarantined → active" in agentfly("memory", "restore", row["id"]).out
    assert [item["case"]["id"] for item in data(agentfly("memory", "search", "Q", "--json"))] == [row["id"]]


@pytest.mark.skipif(not MEMENTO.is_file(), reason="Memento's memory.jsonl is not at hand")
def test_mementos_memory_with_a_bar_on_a_terminal(tmp_path: Path) -> None:
    sample = tmp_path / "memory.jsonl"
    sample.write_text("".join(MEMENTO.read_text().splitlines(keepends=True)[:64]))
    code = "from agentfly.cli.main import main; main()"
    command = [sys.executable, "-c", code, "memory", "import", str(sample), "--home", str(tmp_path / "h")]
    main, side = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=side) as process:
        os.close(side)
        drawn = b""
        while True:
            try:
                piece = os.read(main, 65536)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            drawn += piece
        assert process.stdout is not None
        out = process.stdout.read().decode()
    os.close(main)
    assert process.returncode == 0
    assert "64 new cases, 0 already there  (64 lines: 64 memento)" in out
    assert b"importing" in drawn
    assert b"/64" in drawn


# Upkeep


def test_prune_shows_first_and_then_does(own: Run) -> None:
    planned = data(own("memory", "prune", "--capacity", 1, "--dry-run", "--json"))
    assert planned["dry_run"]
    assert data(own("memory", "stats", "--json"))["by_status"]["active"] == 3
    ids = [one["id"] for one in planned["goes"]]
    shown = own("memory", "prune", "--capacity", 1, "--dry-run").out
    for id in ids:
        assert id in shown
    done = data(own("memory", "prune", "--capacity", 1, "--json"))
    assert [one["id"] for one in done["goes"]] == ids
    assert data(own("memory", "stats", "--json"))["by_status"]["active"] == done["after"] == 3 - len(ids)


def test_prune_under_the_capacity_does_nothing(own: Run) -> None:
    assert "nothing to set aside" in own("memory", "prune", "--capacity", 10).out


def test_prune_takes_the_capacity_of_the_settings(own: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTFLY_MEMORY__CAPACITY", "50")
    assert "capacity 50" in own("memory", "prune", "--dry-run").out


def test_restore_and_quarantine(own: Run) -> None:
    done = own("memory", "restore", "case-gone", "case-old", "case-b", "--reason", "needed " + EVIL)
    assert done.out.splitlines() == [
        "case-gone  pruned → active", "case-old  superseded → active", "case-b  was active already"
    ]  # fmt: skip
    events = data(own("memory", "show", "case-gone", "--json"))["events"]
    assert [event["action"] for event in events] == ["pruned", "restored"]
    assert events[-1]["reason"] == "needed " + EVIL
    assert data(own("memory", "quarantine", "case-b", "--json")) == [
        {"id": "case-b", "was": "active", "status": "quarantined"}
    ]
    assert data(own("memory", "show", "case-b", "--json"))["events"][-1]["action"] == "quarantined"


def test_verify_and_rebuild(own: Run) -> None:
    done = own("memory", "verify")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("ok  6 cases")
    found = data(own("memory", "rebuild", "--json"))
    assert (found["ok"], found["cases"], found["index"]["count"]) == (True, 6, 3)


def test_verify_says_what_is_wrong_and_what_to_do(own: Run) -> None:
    import sqlite3

    with sqlite3.connect(Path(os.environ["AGENTFLY_HOME"]) / "agentfly.db") as db:
        db.execute("UPDATE cases SET embedder = 'another', embedding = x'00' WHERE id = 'case-b'")
    done = own("memory", "verify")
    assert done.code == 1
    assert "another" in done.out
    assert "agentfly memory rebuild" in done.out
    assert json.loads(own("memory", "verify", "--json").out)["ok"] is False
    assert own("memory", "rebuild").code == 0
    assert own("memory", "verify").code == 0


def test_verify_does_not_promise_what_a_rebuild_cannot_do(own: Run) -> None:
    import sqlite3

    with sqlite3.connect(Path(os.environ["AGENTFLY_HOME"]) / "agentfly.db") as db:
        db.execute("UPDATE cases SET question = 'another' WHERE id = 'case-b'")
    done = own("memory", "verify")
    assert done.code == 1
    assert "edited" in done.out
    assert "memory rebuild" not in done.out
    assert "backup" in done.out


# Policies


def test_policy_shows_the_one_in_force(read: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    out = read("memory", "policy").out
    assert "similarity  (default)" in out
    assert "1 recall, 1 judged" in out
    monkeypatch.setenv("AGENTFLY_POLICY", "episodic")
    found = data(read("memory", "policy", "--json"))
    assert (found["name"], found["layer"], found["learns"]) == ("episodic", "environment", True)
    assert "episodic  (environment)" in read("memory", "policy").out


def test_a_policy_can_be_learned_anew(own: Run) -> None:
    found = data(own("memory", "policy", "retrain", "episodic", "--json"))
    assert (found["name"], found["episodes"]) == ("episodic", 1)
    assert "1 judged run" in own("memory", "policy", "retrain", "episodic").out
    one_line(own("memory", "policy", "retrain", "similarity"), "does not learn")


def test_policies_are_compared_on_the_record(agentfly: Run, tmp_path: Path) -> None:
    with CaseBank(tmp_path / "home") as bank:
        bank.add_many([Case(question=f"question {i} of sums", solution=f"print({i})") for i in range(12)])
        for i in range(40):
            found = bank.recollect("question of sums", k=2, temperature=0.5, seed=i)
            bank.record_shown(f"r{i}", "t", found)
            bank.record_outcome(f"r{i}", float(found.chosen[0].case.id < found.chosen[1].case.id))
    done = agentfly("memory", "policy", "compare", "similarity", "episodic")
    assert (done.code, done.err) == (0, "")
    assert "40 judged runs, 40 compared" in done.out
    for name in ("the record", "similarity", "episodic"):
        assert f"\n{name}" in done.out
    assert "±" in done.out
    assert "neural" not in done.out
    found = data(agentfly("memory", "policy", "compare", "similarity", "--json"))
    assert (found["judged"], [one["policy"] for one in found["policies"]]) == (40, ["similarity"])


def test_a_record_that_tells_nothing_says_why(read: Run) -> None:
    done = read("memory", "policy", "compare")
    assert done.code == 0
    assert "1 judged run, 0 compared" in done.out
    for name in ("similarity", "episodic", "neural"):
        assert f"{name}  " in done.out
    assert "without exploration" in done.out


def test_options_before_the_subcommand_count(own: Run, tmp_path: Path) -> None:
    one_line(own("memory", "policy", "--home", tmp_path / "none", "retrain", "episodic"), "no home at")
    assert data(own("memory", "policy", "--json", "retrain", "episodic"))["name"] == "episodic"


@pytest.mark.parametrize(
    "command",
    [
        "export x", "prune --capacity 1", "verify", "rebuild", "restore x", "quarantine x", "policy", "policy retrain",
        "policy compare",
    ],
)  # fmt: skip
def test_without_a_home_one_line_and_nothing_is_made(agentfly: Run, tmp_path: Path, command: str) -> None:
    one_line(agentfly("memory", *command.split(), "--home", tmp_path / "none"), "no home at")
    assert not (tmp_path / "none").exists()


def test_a_wrong_setting_is_one_line(own: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTFLY_POLICY", "clever")
    for command in ("policy", "prune --capacity 1", "import /dev/null"):
        one_line(own("memory", *command.split()), "policy")
