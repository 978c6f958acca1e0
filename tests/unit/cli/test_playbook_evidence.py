"""`agentfly playbook show --evidence`, the evidence in `playbook history`, and `playbook refine`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentfly.cli.playbook_evidence import Origin, grounds, measured, origins, questions, standing, unknown
from agentfly.cli.playbook_refine import merges
from agentfly.playbooks.credit import Arm, Asked, Credit
from agentfly.playbooks.delta import Delta
from agentfly.playbooks.ledger import PlaybookLedger
from agentfly.store.home import Home
from agentfly.store.runs import RunStore
from agentfly.types import Attempt, Bullet, Feedback, Learned, Questioned, RunResult, Task, Usage

Run = Callable[..., Any]
EVIL = "[red]x[/red]"
STANDING = {"wrong": 12, "caught": 4, "right": 9, "alarms": 0}
CHECK = "def check(question, answer, steps):\n    return rounded_as_asked(question, answer)"
GATED = {
    "gate": "replay",
    "before": 0.0,
    "after": [1.0],
    "source": "reference",
    "attempts": ["run-a/0", "run-a/1"],
    "replays": [
        {"run": "run-b", "outcome": "held"},
        {"run": "run-c", "outcome": "flipped", "before": 1.0, "after": 0.0},
        {"run": "run-d", "outcome": "noise"},
    ],
    "flips": 1,
    "what is this": {"nobody": "knows"},
}


def add(text: str, kind: str = "strategy") -> dict[str, str]:
    return {"op": "add", "section": "checks" if kind == "check" else "strategies", "text": text, "kind": kind}


def delta(*operations: dict[str, Any]) -> Delta:
    return Delta.model_validate({"operations": operations})


def ran(store: RunStore, number: int, reward: float, **attempt: Any) -> None:
    run, task = f"run-{number:03d}", Task(f"question {number}", reference="x")
    store.start(run, task, "m", "codeact", {}, learn=attempt.pop("learn", True))
    done = Attempt(task_id=task.id, answer="x", status="answered", leave_out=0.2, **attempt)
    result = RunResult(
        run_id=run,
        status="answered",
        answer="x",
        reward=reward,
        steps=0,
        usage=Usage(),
        learned=Learned(),
        task=task,
        attempt=done,
        feedback=Feedback(reward=reward, source="reference"),
    )
    store.finish(run, result)


@pytest.fixture
def home(agentfly: Run, tmp_path: Path) -> Path:
    """A strategy that helps, one that was never left out, a check that asked twice; one evaluation that counts nowhere."""
    folder = tmp_path / "home"
    with Home.open(folder) as place:
        ledger, store = PlaybookLedger(place.db, place.playbook), RunStore(place.db)
        ledger.commit(delta(add(f"Round at the end. {EVIL}")), author="run", run="run-a", evidence=GATED)
        ledger.commit(delta(add("Look at the rows.")), author="human")
        ledger.commit(delta(add(CHECK, "check")), author="run", run="run-e", evidence={"standing": STANDING})
        asked = [Questioned(answer="1.234", checks=("che-00003",), reward=0.0)]
        asked.append(Questioned(answer="1.2", checks=("che-00003",), reward=1.0))
        both, alone = ("str-00001", "str-00002"), ("str-00002",)
        for number in range(40):
            said = (asked[number],) if number < 2 else ()
            ran(store, number, 1.0, shown_bullets=both, cited=both[:1], checks=("che-00003",), questioned=said)
        for number in range(40, 50):
            ran(store, number, 0.0, shown_bullets=alone, left_out=("str-00001", "che-00003"))
        ran(store, 99, 0.0, shown_bullets=both, learn=False)
    return folder


def refused(done: Any, said: str) -> None:
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("agentfly: ")
    assert done.err.count("\n") == 1
    assert said in done.err


@pytest.mark.parametrize("columns", [80, 120])
def test_what_each_bullet_is_worth(agentfly: Run, home: Path, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    out = agentfly("playbook", "show", "--evidence").out
    for line in (
        "str-00001  +0 -0  from run run-a, version 1",
        "  Round at the end. [red]x[/red]",
        "  shown 40 · cited 40 · with it 1.00 in 40 runs, without 0.00 in 10 runs",
        "str-00002  +0 -0  by a person, version 2",
        "  shown 50 · cited 0 · with it 0.80 in 50 runs",
        "  lift not known: never left out, because no run is its source",
        "che-00003  +0 -0  from run run-e, version 3",
        "  when admitted: flags 4 of 12 wrong answers, 0 of 9 right ones",
        "  in force 40 · with it 1.00 in 40 runs, without 0.00 in 10 runs",
    ):
        assert line in out.splitlines(), line
    assert "  lift +0.89 (95 %: +0." in out
    assert "helps: > 99 %" in out
    assert all(line in out for line in CHECK.splitlines()), "the check as code, in full"
    asked = "since: asked another look at 2 answers: 1 wrong (1 mended), 1 right"
    assert asked in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= columns


def test_the_same_as_data(agentfly: Run, home: Path) -> None:
    data = json.loads(agentfly("playbook", "show", "--evidence", "--json").out)
    helpful, unknown, check = (item["evidence"] for item in data["bullets"])
    assert (data["version"], data["bullets"][0]["id"]) == (3, "str-00001")
    assert (helpful["shown"], helpful["cited"], helpful["author"]) == (40, 40, "run")
    assert helpful["with"] == {"runs": 40, "reward": 40.0, "mean": 1.0}
    assert helpful["without"] == {"runs": 10, "reward": 0.0, "mean": 0.0}
    assert helpful["lift"]["low"] > 0.5
    assert helpful["lift"]["helps"] > 0.99
    assert (unknown["lift"], unknown["without"]) == (None, {"runs": 0, "reward": 0.0, "mean": None})
    assert "standing" not in unknown
    assert check["standing"] == STANDING
    assert check["asked"] == {"times": 2, "wrong": 1, "right": 1, "unknown": 0, "mended": 1, "spoiled": 0}


def test_of_one_kind(agentfly: Run, home: Path) -> None:
    out = agentfly("playbook", "show", "--kind", "check", "--evidence").out
    assert "1 bullet of kind check" in out
    assert "str-00001" not in out
    out = agentfly("playbook", "show", "--kind", "example", "--evidence").out
    assert out.splitlines() == ["playbook version 3 · 0 bullets of kind example · 23 tokens"]
    data = json.loads(agentfly("playbook", "show", "--kind", "check", "--evidence", "--json").out)
    assert [item["id"] for item in data["bullets"]] == ["che-00003"]


def test_bad_input_costs_one_line(agentfly: Run, home: Path, tmp_path: Path) -> None:
    refused(agentfly("playbook", "show", "--evidence", "--kind", "rule"), "strategy, example, check")
    refused(agentfly("playbook", "show", "--evidence", "--version", 1), "leave --version out")
    refused(agentfly("playbook", "show", "--evidence", "--home", tmp_path / "none"), "no home at")
    refused(agentfly("playbook", "refine", "--home", tmp_path / "none"), "no home at")
    for cosine in ("0", "1.5", "nan"):
        refused(agentfly("playbook", "refine", "--similar", cosine), "a cosine, above 0 and at most 1")
    refused(agentfly("playbook", "refine", "--similar", "near"), "--similar")
    (home / "config.yaml").write_text("playbook:\n  similar: null\n")
    refused(agentfly("playbook", "refine"), "playbook.similar is off: give --similar X")


def test_an_updated_bullet_starts_anew(agentfly: Run, home: Path) -> None:
    with Home.open(home) as place:
        ledger = PlaybookLedger(place.db, None)
        ledger.commit(delta({"op": "update", "id": "che-00003", "text": "len(answer) > 1"}), author="human")
        ledger.commit(delta({"op": "tag", "id": "str-00001", "tag": "helpful"}), author="run")
        ran(RunStore(place.db), 60, 1.0, shown_bullets=("str-00001",), checks=("che-00003",))
    data = json.loads(agentfly("playbook", "show", "--evidence", "--json").out)
    shown = {item["id"]: item["evidence"]["shown"] for item in data["bullets"]}
    assert shown == {"str-00001": 41, "str-00002": 50, "che-00003": 1}
    check = data["bullets"][2]["evidence"]
    assert (check["standing"], check["asked"]["times"]) == (None, 0)
    assert "came in without being measured" in agentfly("playbook", "show", "--evidence").out


def test_origins_follow_a_text(tmp_path: Path) -> None:
    with Home.open(tmp_path) as place:
        ledger = PlaybookLedger(place.db, None)
        ledger.commit(delta(add("'a' in answer", "check")), author="run", evidence={"standing": STANDING})
        ledger.commit(delta({"op": "tag", "id": "che-00001", "tag": "helpful"}), author="run")
        kept = ledger.history(None)[::-1]
        assert origins(kept)["che-00001"] == Origin(author="run", standing=STANDING)
        ledger.commit(delta({"op": "update", "id": "che-00001", "text": "'b' in answer"}), author="human")
        kept = ledger.history(None)[::-1]
        assert origins(kept)["che-00001"] == Origin(author="run", standing=None)


# History


def test_history_shows_what_each_change_rests_on(agentfly: Run, home: Path) -> None:
    with Home.open(home) as place:
        ledger = PlaybookLedger(place.db, None)
        batch = {"gate": "fix", "before": 0.0, "after": [1.0], "support": 2, "because": ["run-x", "run-y"]}
        ledger.commit(delta(add("Third."), {"op": "remove", "id": "str-09999"}), author="run", evidence=batch)
        ledger.drop(delta(add("Guess.")), "the retry failed", {"gate": "fix", "before": 0.25, "after": [0.0, 0.5]})
    lines = agentfly("playbook", "history").out.splitlines()
    for line in (
        "    gate fix · reward 0.25 → 0.00, 0.50",
        "    gate fix · reward 0.00 → 1.00",
        "    asked for by 2 runs: run-x, run-y",
        "    left out: operation 1 (remove): there is no bullet 'str-09999'",
        "    on the record: flags 4 of 12 wrong answers, 0 of 9 right ones",
        "    gate replay · reward 0.00 → 1.00 (reference) · attempts run-a/0, run-a/1",
        "    tried again: 1 held (run-b), 1 flipped (run-c), 1 noise (run-d)",
    ):
        assert line in lines, line
    assert not any("nobody" in line for line in lines)
    data = json.loads(agentfly("playbook", "history", "--json").out)
    assert data[-1]["evidence"] == GATED


def test_long_lists_are_cut_but_never_what_flipped() -> None:
    replays = [{"run": f"h{n}", "outcome": "held"} for n in range(5)] + [
        {"run": f"f{n}", "outcome": "flipped"} for n in range(4)
    ]
    (line,) = grounds({"replays": replays})
    assert line == "tried again: 5 held (h0, h1, h2 and 2 more), 4 flipped (f0, f1, f2, f3)"
    lines = list(grounds({"refusals": [f"operation {n} (add): no" for n in range(5_000)]}))
    assert (len(lines), lines[-1]) == (4, "left out: 4,997 more")


def test_what_was_merged_is_told() -> None:
    assert list(grounds({"renamed": {"str-00001": "str-00007"}})) == ["renamed: str-00001 is str-00007"]
    told = grounds({"merged": ["operation 0 (add): as [str-00001]"], "refined": ["str-00001 + str-00002"]})
    assert list(told) == ["merged: str-00001 + str-00002", "merged: operation 0 (add): as [str-00001]"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)
KEYS = (
    "gate", "before", "after", "source", "attempts", "replays", "support", "because", "standing", "merged", "refined",
    "refusals", "renamed", "other",
)  # fmt: skip


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(KEYS), anything))
def test_evidence_of_any_form_is_told_in_single_lines(evidence: dict[str, Any]) -> None:
    for line in grounds(evidence):
        assert line
        assert "\n" not in line
        assert "\x1b" not in line
    assert standing(evidence) is None or "standing" in evidence


def test_why_a_lift_is_not_known() -> None:
    learned = Bullet(id="a", section="s", text="t", runs=("r",))
    assert unknown(learned, Credit(shown=3, used=Arm(runs=3))) == "not left out yet"
    assert unknown(learned, Credit(without=Arm(runs=1))) == unknown(learned, Credit()) == "not used yet"
    assert "no run is its source" in unknown(replace(learned, runs=()), Credit())


def test_figures_in_words() -> None:
    assert measured({"wrong": 1, "caught": 1, "right": 1, "alarms": 0}) == "flags 1 of 1 wrong answer, 0 of 1 right one"
    assert questions(Asked()) == "has not asked another look at an answer yet"
    told = questions(Asked(times=1_004, wrong=1_000, right=2, unknown=2, mended=7, spoiled=1))
    assert told == "asked another look at 1,004 answers: 1,000 wrong (7 mended), 2 right (1 spoiled), 2 not known"


# Refine


@pytest.fixture
def doubled(agentfly: Run, tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    texts: Sequence[str] = (
        "Round the final answer to 2 decimals.",
        "Read the file before computing anything from it.",
        "Always round the final answer to 2 decimals.",
        "Round the final answer to 3 decimals.",
        "Do read the file before you compute anything from it.",
    )
    with Home.open(folder) as place:
        ledger = PlaybookLedger(place.db, place.playbook)
        ledger.commit(delta(*map(add, texts)), author="human")
        ledger.commit(delta({"op": "tag", "id": "str-00003", "tag": "helpful"}), author="run")
    return folder


def test_refine_merges_near_duplicates_now(agentfly: Run, doubled: Path) -> None:
    done = agentfly("playbook", "refine", "--similar", 0.8)
    assert done.code == 0
    assert sorted(done.out.splitlines()) == [
        "merged str-00001 + str-00003 into [str-00006]: Always round the final answer to 2 decimals.",
        "merged str-00002 + str-00005 into [str-00007]: Read the file before computing anything from it.",
        "the playbook is at version 3 (3 bullets)",
    ]
    assert "by refine" in agentfly("playbook", "history").out
    assert agentfly("playbook", "refine", "--similar", 0.8).out == "nothing to merge: the playbook stays at version 3\n"
    assert "playbook.md" in [path.name for path in doubled.iterdir()]


def test_refine_as_data_and_by_the_setting(agentfly: Run, doubled: Path) -> None:
    (doubled / "config.yaml").write_text("playbook:\n  similar: 0.999\n")
    data = json.loads(agentfly("playbook", "refine", "--json").out)
    assert data == {"version": 2, "accepted": False, "bullets": 5, "merged": [], "retired": []}
    data = json.loads(agentfly("playbook", "refine", "--similar", "0.8", "--json").out)
    assert (data["version"], data["accepted"], data["bullets"]) == (3, True, 3)
    found = {tuple(one["ids"]): one["into"]["helpful"] for one in data["merged"]}
    assert found == {("str-00001", "str-00003"): 1, ("str-00002", "str-00005"): 0}


def test_merges_are_told_apart(tmp_path: Path) -> None:
    with Home.open(tmp_path) as place:
        ledger = PlaybookLedger(place.db, None)
        ledger.commit(delta(*(add(text) for text in "abcd")), author="human")
        merge = [
            {"op": "merge", "ids": list(ids), "text": "x" + ids[0]}
            for ids in (("str-00001", "str-00004"), ("str-00002", "str-00003"))
        ]
        done = ledger.commit(delta(*merge), author="refine")
    assert [(ids, bullet.id) for ids, bullet in merges(done.changes)] == [
        (("str-00001", "str-00004"), "str-00005"),
        (("str-00002", "str-00003"), "str-00006"),
    ]
