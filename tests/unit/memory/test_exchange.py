"""Cases go out to a file and come back the same; files of others are read, line by line."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from memory_helpers import cases

from agentfly.errors import InputError
from agentfly.memory import exchange, files
from agentfly.memory.bank import CaseBank
from agentfly.memory.formats import read_line, write_line
from agentfly.testing import HashEmbedder
from agentfly.types import Case, Provenance, Task

ROOT = Path(__file__).parents[3]
MEMENTO = ROOT.parent / "shared/data/memento/memory.jsonl"
needs_memento = pytest.mark.skipif(not MEMENTO.is_file(), reason="Memento's memory.jsonl is not at hand")

ODD = (
    "naïve 日本 \u202eright to left\u202c \x1b[31mred\x1b[0m\r\n\tline two\u2028line three\x85 \x9b \U0001f600 [b]x[/b]"
)
FULL = Case(
    question="What is the mean? " + ODD, solution="print(1)\n" + ODD, answer=ODD, reward=0.75, lesson=ODD,
    task_id="t-1", domain="prices", tags=("mean", ODD), id="case-of-mine", status="superseded", shown=7, helped=3.25,
    seen=4, created=1_700_000_000.123,
    provenance=Provenance(
        run="r1", model="m", strategy="codeact", tools=("read", "web"), untrusted=True, source="human", feedback="judge"
    ),
)  # fmt: skip


@pytest.fixture
def other(tmp_path: Path) -> Any:
    with CaseBank(tmp_path / "other", HashEmbedder(64)) as bank:
        yield bank


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


# One line


@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_line_keeps_every_field(ascii_only: bool) -> None:
    text = write_line(FULL, "case-better", ascii_only=ascii_only)
    assert text.splitlines(keepends=True) == [text], "a reader that ends lines at other marks must see one line"
    line = read_line(text.encode())
    assert (line.case, line.superseded_by, line.format) == (FULL, "case-better", "agentfly")
    assert text.isascii() or not ascii_only
    data = json.loads(text)
    assert (data["format"], data["version"]) == ("agentfly-case", 1)


def test_every_field_of_a_case_is_in_the_file() -> None:
    data = json.loads(write_line(FULL))
    assert set(data) == {"format", "version", "superseded_by", *Case.__dataclass_fields__}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"case": "Q?", "plan": '{"plan": [{"id": 1}]}', "case_label": "positive"}, ("Q?", '{"plan": [{"id": 1}]}', 1.0)),
        ({"case": "Q?", "plan": {"plan": [{"id": 1, "description": "é"}]}, "case_label": "Negative "},
         ("Q?", '{"plan": [{"id": 1, "description": "é"}]}', 0.0)),
        ({"question": "Q?", "plan": "look it up", "reward": 1}, ("Q?", "look it up", 1.0)),
        ({"question": "Q?", "plan": "look it up", "reward": 0.25}, ("Q?", "look it up", 0.25)),
    ],
)  # fmt: skip
def test_memento_lines(row: dict[str, object], expected: tuple[str, str, float]) -> None:
    line = read_line(json.dumps(row).encode())
    assert (line.case.question, line.case.solution, line.case.reward) == expected
    assert (line.format, line.case.provenance.source, line.case.answer) == ("memento", "import:memento", None)


@pytest.mark.parametrize(
    ("row", "answer"),
    [
        ({"question": "Q?", "answer": "4"}, "4"),
        ({"context": "Q?", "target": 4.5}, "4.5"),
        ({"Question": "Q?", "Final answer": "4", "Level": 1, "task_id": "T", "file_name": ""}, "4"),
        ({"question": "Q?", "ground_truth": ""}, ""),
        ({"question": "Q?", "answer": None, "target": "x"}, "x"),
    ],
)
def test_plain_lines(row: dict[str, object], answer: str) -> None:
    line = read_line(json.dumps(row).encode())
    assert (line.case.question, line.case.answer, line.case.reward) == ("Q?", answer, 1.0)
    assert (line.format, line.case.provenance.source) == ("plain", "import:plain")
    assert line.case.task_id == row.get("task_id", Task("Q?").id), "the id under which the file's own tasks are asked"


def test_a_plain_line_may_bring_more() -> None:
    row = {
        "question": "Q?",
        "answer": "4",
        "solution": "print(4)",
        "lesson": "L",
        "reward": 0.5,
        "domain": "d",
        "tags": ["a"],
    }
    case = read_line(json.dumps(row).encode()).case
    assert (case.solution, case.lesson, case.reward, case.domain, case.tags) == ("print(4)", "L", 0.5, "d", ("a",))


BAD = {
    "nothing": (b"{}", "no question"),
    "not JSON": (b'{"question": "Q?", ', "not JSON"),
    "a list": (b"[1]", "must be a JSON object, not a list"),
    "text": (b'"x"', "not text"),
    "null": (b"null", "not null"),
    "NaN": (b'{"question": "Q?", "answer": "1", "reward": NaN}', "NaN is no JSON number"),
    "infinite": (b'{"question": "Q?", "answer": "1", "reward": 1e999}', "[0, 1]"),
    "bytes": (b'{"question": "\xff", "answer": "1"}', "not UTF-8"),
    "NUL": (b"\x00\x00", "not JSON"),
    "deep": (b'{"a":' * 100_000, "not JSON that can be read"),
    "long number": (b'{"question": "Q?", "answer": ' + b"9" * 5000 + b"}", "not JSON that can be read"),
    "no answer": (b'{"question": "Q?"}', "no answer"),
    "withheld": (b'{"Question": "Q?", "Final answer": "?"}', "withheld"),
    "blank question": (b'{"question": " ", "answer": "1"}', "no question"),
    "question of a wrong type": (b'{"question": ["Q?"], "answer": "1"}', "'question' must be text"),
    "answer of a wrong type": (b'{"question": "Q?", "answer": {"a": 1}}', "'answer' must be text or a number"),
    "tags of a wrong type": (b'{"question": "Q?", "answer": "1", "tags": "a"}', "'tags' must be a list"),
    "reward": (b'{"question": "Q?", "answer": "1", "reward": 7}', "[0, 1]"),
    "long text": (json.dumps({"question": "Q" * 1_000_001, "answer": "1"}).encode(), "characters long"),
    "training pair": (
        b'{"query": "Q", "case": "C", "plan": "P", "case_label": "positive", "truth_label": true}',
        "pair",
    ),
    "label": (b'{"case": "Q?", "plan": "P", "case_label": "maybe"}', "'positive' or 'negative'"),
    "label of a wrong type": (b'{"case": "Q?", "plan": "P", "case_label": 1}', "'positive' or 'negative'"),
    "no plan": (b'{"case": "Q?", "plan": "", "case_label": "positive"}', "'plan' is empty"),
    "plan of a wrong type": (b'{"case": "Q?", "plan": 3, "case_label": "positive"}', "not a number"),
    "no case": (b'{"plan": "P", "case_label": "positive"}', "no task"),
    "newer": (b'{"format": "agentfly-case", "version": 2, "question": "Q?", "new": 1}', "newer agentfly"),
    "no version": (b'{"format": "agentfly-case", "question": "Q?"}', "version"),
    "other format": (b'{"format": "agentfly-playbook", "bullets": []}', "another format"),
    "own: unknown field": (b'{"format": "agentfly-case", "version": 1, "question": "Q?", "rewrad": 1}', "rewrad"),
    "own: reward": (b'{"format": "agentfly-case", "version": 1, "question": "Q?", "reward": 2}', "reward"),
    "own: reward as text": (b'{"format": "agentfly-case", "version": 1, "question": "Q?", "reward": "1"}', "reward"),
    "own: status": (b'{"format": "agentfly-case", "version": 1, "question": "Q?", "status": "gone"}', "status"),
    "own: counts": (b'{"format": "agentfly-case", "version": 1, "question": "Q?", "shown": -1}', "shown"),
    "own: time": (b'{"format": "agentfly-case", "version": 1, "question": "Q?", "created": 1e300}', "created"),
    "own: id": (b'{"format": "agentfly-case", "version": 1, "question": "Q?", "id": "a\\u001b[31m"}', "id"),
    "own: empty": (b'{"format": "agentfly-case", "version": 1, "question": " "}', "question"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_says_why(name: str) -> None:
    raw, reason = BAD[name]
    with pytest.raises(InputError) as caught:
        read_line(raw)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_half_a_surrogate_pair_is_taken_in_as_a_question_mark() -> None:
    assert read_line(b'{"question": "Q\\ud800?", "answer": "1"}').case.question == "Q??"


# Files


def test_bad_lines_are_reported_and_the_rest_is_imported(bank: CaseBank, tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    good = [json.dumps({"question": f"Q{i}?", "answer": "1"}).encode() for i in range(3)]
    own = write_line(Case(question="Own?", id="case-own")).encode().strip()
    memento = b'{"case": "M?", "plan": "P", "case_label": "negative"}'
    rows = [good[0], b"", b"nonsense", good[1], b'{"question": "\xff"}', b"   ", own, b"[]", memento, good[2]]
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(rows))  # a byte order mark, Windows line ends, none at the end
    report = bank.import_from(path)
    assert (report.lines, report.new, report.known, report.bad) == (8, 5, 0, 3)
    assert [problem.number for problem in report.problems] == [3, 5, 8]
    assert "UTF-8" in report.problems[1].reason
    assert report.formats == {"plain": 3, "agentfly": 1, "memento": 1}
    assert {case.question for case in bank.list()} == {"Q0?", "Q1?", "Q2?", "Own?", "M?"}


def test_only_the_first_bad_lines_are_kept_but_all_are_counted(bank: CaseBank, tmp_path: Path) -> None:
    path = lines(tmp_path / "f", *["x\n"] * 50, {"question": "Q?", "answer": "1"})
    report = bank.import_from(path)
    assert (report.bad, len(report.problems), report.new) == (50, exchange.SHOWN_PROBLEMS, 1)


def test_a_line_that_is_too_long_is_skipped_without_being_held(
    bank: CaseBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_LINE", 1000)
    long = json.dumps({"question": "Q" * 5000, "answer": "1"})
    path = lines(
        tmp_path / "f", {"question": "A?", "answer": "1"}, long + "\n", {"question": "B?", "answer": "1"}, long
    )
    report = bank.import_from(path)
    assert (report.new, [problem.number for problem in report.problems]) == (2, [2, 4])
    assert "longer than" in report.problems[0].reason


def test_a_line_of_just_the_longest_length_is_read(
    bank: CaseBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = json.dumps({"question": "Q?", "answer": "1"})
    monkeypatch.setattr(files, "MAX_LINE", len(row))
    assert bank.import_from(lines(tmp_path / "f", row + "\n", row.replace("Q", "R"))).new == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n \n\r\n", "is empty"),
        (b"nonsense\n", "its only line cannot be read; line 1: not JSON"),
        (b'[\n {"question": "Q?", "answer": "1"},\n]\n', "3 lines can be read; line 1: not JSON"),
        ('{"question": "Q?", "answer": "1"}'.encode("utf-16"), "UTF-16"),
        (os.urandom(2000), "can"),
    ],
)
def test_a_file_without_a_readable_line_is_one_error(bank: CaseBank, tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        bank.import_from(tmp_path / "f")
    assert "\n" not in str(caught.value)
    assert bank.count(None) == 0


def test_a_file_that_is_not_there_or_no_file(bank: CaseBank, tmp_path: Path) -> None:
    for path, said in ((tmp_path / "none", "no such file"), (tmp_path, "is a folder")):
        with pytest.raises(InputError, match=said):
            bank.import_from(path)


def test_duplicates_within_the_file_and_against_the_bank(bank: CaseBank, tmp_path: Path) -> None:
    rows = [{"case": f"Q{i % 400}?", "plan": f"P{i % 400}", "case_label": "positive"} for i in range(700)]
    path = lines(tmp_path / "f", *rows)
    first, again = bank.import_from(path), bank.import_from(path)
    assert (first.new, first.known, first.lines) == (400, 300, 700)
    assert (again.new, again.known) == (0, 700)
    assert bank.count() == 400


def test_of_duplicates_in_one_file_the_first_counts(bank: CaseBank, tmp_path: Path) -> None:
    row = {"case": "Q?", "plan": "P", "case_label": "positive"}
    bank.import_from(lines(tmp_path / "f", row, {**row, "case_label": "negative"}))
    assert [case.reward for case in bank.list()] == [1.0]


def test_what_is_there_stays_as_it_is(bank: CaseBank, tmp_path: Path) -> None:
    path = lines(tmp_path / "f", {"case": "Q?", "plan": "P", "case_label": "positive"})
    bank.import_from(path)
    case = bank.list()[0]
    bank.set_status(case.id, "pruned")
    bank.add(replace(case, id="", reward=0.0, lesson="it failed", created=0.0, status="quarantined"))
    before = bank.get(case.id)
    assert bank.import_from(path, domain="d", tags=["t"]).known == 1
    assert bank.get(case.id) == before


def test_an_imported_success_takes_no_place(bank: CaseBank, tmp_path: Path) -> None:
    mine = bank.add(Case(question="Q?", solution="mine", reward=0.0, task_id="t"))
    rows = [
        {"question": "Q?", "solution": "a", "answer": "1", "reward": 0, "task_id": "t"},
        {"question": "Q?", "solution": "b", "answer": "2", "reward": 1, "task_id": "t"},
        {"question": "Q?", "solution": "c", "answer": "2", "reward": 1, "task_id": "t"},
    ]
    assert bank.import_from(lines(tmp_path / "f", *rows)).new == 3
    assert bank.count() == 4
    assert bank.get(mine.id).status == "active"


def test_domain_tags_and_quarantine(bank: CaseBank, tmp_path: Path) -> None:
    rows = [
        {"question": "A?", "answer": "1"},
        {"question": "B?", "answer": "1", "domain": "own", "tags": ["x", "y"]},
        json.loads(write_line(Case(question="C?", status="pruned"))),
    ]
    bank.import_from(lines(tmp_path / "f", *rows), domain="given", tags=("y", "z"), quarantine=True)
    found = {case.question: case for case in bank.list(status=None)}
    assert {q: (c.domain, c.tags, c.status) for q, c in found.items()} == {
        "A?": ("given", ("y", "z"), "quarantined"),
        "B?": ("own", ("x", "y", "z"), "quarantined"),
        "C?": ("given", ("y", "z"), "pruned"),
    }
    assert bank.recall("A?") == []
    assert [[event.action for event in bank.events(case.id)] for case in found.values()] == [
        ["pruned"], ["quarantined"], ["quarantined"]
    ]  # fmt: skip


def test_progress_tells_lines_and_comes_to_the_end(bank: CaseBank, tmp_path: Path) -> None:
    told: list[int] = []
    path = lines(tmp_path / "f", *({"question": f"Q{i}?", "answer": "1"} for i in range(600)), "bad\n")
    bank.import_from(path, progress=told.append)
    assert told == [256, 512, 601]


def test_the_capacity_of_the_bank_holds(open_bank: Callable[..., CaseBank], tmp_path: Path) -> None:
    path = lines(tmp_path / "f", *({"question": f"number{i} of {i % 7}", "answer": "1"} for i in range(60)))
    bank = open_bank(capacity=40)
    assert bank.import_from(path).new == 60
    assert bank.count() <= 40
    assert bank.count(None) == 60


# There and back


def fill(bank: CaseBank) -> None:
    """Cases of every status, with counts, links and odd texts."""
    bank.add_many(cases(300))
    better = bank.add(Case(question="better", solution=ODD))
    worse = bank.add(Case(question="worse", reward=0.0, tags=("a", ODD), domain="d"))
    bank.supersede(worse.id, better.id)
    bank.add(Case(question="own id", id="my-id", created=1234.5, shown=3, helped=1.5, seen=2))
    bank.set_status(bank.add(Case(question="pruned one")).id, "pruned")
    bank.add(Case(question="quarantined one", status="quarantined", provenance=Provenance(untrusted=True)))


def test_everything_comes_back_the_same(bank: CaseBank, other: CaseBank, tmp_path: Path) -> None:
    fill(bank)
    path = tmp_path / "all.jsonl"
    assert bank.export_to(path, everything=True) == bank.count(None)
    report = other.import_from(path)
    assert (report.new, report.known, report.bad) == (bank.count(None), 0, 0)
    assert other.list(1000, status=None) == bank.list(1000, status=None)
    assert other.import_from(path).new == 0
    second = tmp_path / "again.jsonl"
    other.export_to(second, everything=True)
    assert second.read_bytes() == path.read_bytes(), "the links between cases came back too"


def test_only_active_cases_go_out_unless_all_are_asked_for(bank: CaseBank, tmp_path: Path) -> None:
    fill(bank)
    assert bank.export_to(tmp_path / "f") == bank.count() < bank.count(None)


def test_a_fresh_home_recalls_the_same_cases(bank: CaseBank, other: CaseBank, tmp_path: Path) -> None:
    fill(bank)
    bank.export_to(tmp_path / "f")
    other.import_from(tmp_path / "f")
    for i in range(100):
        text = f"{cases(1, 3 * i)[0].question} and more"
        ids = [one.case.id for one in bank.recall(text)]
        assert len(ids) == 4
        assert [one.case.id for one in other.recall(text)] == ids


def test_an_id_that_is_taken_gives_way_and_links_follow(bank: CaseBank, other: CaseBank, tmp_path: Path) -> None:
    other.add(Case(question="someone else's", id="case-x"))
    new = bank.add(Case(question="new", id="case-x"))
    old = bank.add(Case(question="old", id="case-old", reward=0.0))
    bank.supersede(old.id, new.id)
    bank.export_to(tmp_path / "f", everything=True)
    other.import_from(tmp_path / "f")
    stored = {case.question: case.id for case in other.list(status=None)}
    assert stored["someone else's"] == "case-x" != stored["new"]
    other.export_to(tmp_path / "g", everything=True)
    rows = {row["question"]: row for row in map(json.loads, (tmp_path / "g").read_text().splitlines())}
    assert rows["old"]["superseded_by"] == stored["new"]
    other.import_from(tmp_path / "f")
    other.export_to(tmp_path / "h", everything=True)
    assert (tmp_path / "h").read_bytes() == (tmp_path / "g").read_bytes()


def test_a_link_to_a_case_that_is_not_there_is_dropped(bank: CaseBank, tmp_path: Path) -> None:
    (tmp_path / "f").write_text(write_line(Case(question="Q?", status="superseded", id="a"), "nowhere"))
    assert bank.import_from(tmp_path / "f").new == 1
    bank.export_to(tmp_path / "g", everything=True)
    assert json.loads((tmp_path / "g").read_text())["superseded_by"] is None


def test_two_processes_may_import_one_file(
    bank: CaseBank, tmp_path: Path, python: Callable[..., subprocess.Popen[str]]
) -> None:
    path = lines(tmp_path / "f", *({"question": f"Q{i}?", "answer": "1"} for i in range(1500)))
    code = """
import sys
from agentfly.memory.bank import CaseBank
from agentfly.testing import HashEmbedder
with CaseBank(sys.argv[1], HashEmbedder(64)) as bank:
    print(bank.import_from(sys.argv[2]).new)
"""
    children = [python(code, tmp_path / "bank", path) for _ in range(2)]
    new = [int(child.communicate(timeout=60)[0]) for child in children]
    assert sum(new) == bank.count() == 1500


def test_an_import_that_was_killed_is_done_again(
    bank: CaseBank, tmp_path: Path, python: Callable[..., subprocess.Popen[str]]
) -> None:
    path = lines(tmp_path / "f", *({"question": f"Q{i}?", "answer": "1"} for i in range(2000)))
    code = """
import sys, time
from agentfly.memory.bank import CaseBank
from agentfly.testing import HashEmbedder
with CaseBank(sys.argv[1], HashEmbedder(64)) as bank:
    bank.import_from(sys.argv[2], progress=lambda done: (print(done, flush=True), time.sleep(0.2)))
"""
    child = python(code, tmp_path / "bank", path)
    assert child.stdout is not None
    child.stdout.readline()
    child.stdout.readline()
    child.kill()
    child.wait()
    kept = bank.count()
    assert 512 <= kept < 2000
    report = bank.import_from(path)
    assert (report.new, report.known) == (2000 - kept, kept)
    assert bank.verify().problems == ()


# Writing the file


def test_a_failed_export_leaves_the_old_file(bank: CaseBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bank.add_many(cases(5))
    path = tmp_path / "out" / "f"
    path.parent.mkdir()
    path.write_text("old")

    def broken(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exchange, "write_line", broken)
    with pytest.raises(InputError, match="No space left"):
        bank.export_to(path)
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_where_a_file_cannot_be_written(bank: CaseBank, tmp_path: Path) -> None:
    bank.add_many(cases(1))
    for path, said in (
        (tmp_path, "is a folder"),
        (tmp_path / "none/f", "cannot be written"),
        (tmp_path / "bank/agentfly.db", "is a database"),
    ):
        with pytest.raises(InputError, match=said):
            bank.export_to(path)
    assert bank.count() == 1


def test_export_goes_through_links_into_pipes_and_keeps_the_mode(bank: CaseBank, tmp_path: Path) -> None:
    bank.add_many(cases(3))
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    assert bank.export_to(link) == 3
    assert link.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert len(target.read_text().splitlines()) == 3
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(
        [sys.executable, "-c", f"print(open({str(tmp_path / 'pipe')!r}).read())"], stdout=-1
    ) as reader:
        assert bank.export_to(tmp_path / "pipe") == 3
        assert reader.communicate(timeout=30)[0].count(b"agentfly-case") == 3
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_standard_output_gets_plain_ascii(bank: CaseBank, capsys: pytest.CaptureFixture[str]) -> None:
    bank.add(Case(question=ODD))
    assert bank.export_to("-") == 1
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\x1b" not in out
    assert json.loads(out)["question"] == ODD


def test_export_does_not_hold_the_cases(bank: CaseBank, tmp_path: Path) -> None:
    import tracemalloc

    big = "x" * 20_000
    bank.add_many([Case(question=f"Q{i}?", solution=big) for i in range(2000)])
    tracemalloc.start()
    bank.export_to(tmp_path / "f")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "f").stat().st_size > 40_000_000
    assert peak < 30_000_000


# Memento's own file


@needs_memento
def test_all_of_mementos_memory_is_read_once(bank: CaseBank) -> None:
    first, again = bank.import_from(MEMENTO), bank.import_from(MEMENTO)
    assert (first.new, first.known, first.bad) == (1278, 0, 0)
    assert (again.new, again.known, again.bad) == (0, 1278, 0)
    rewards = [case.reward for case in bank.list(2000)]
    assert (rewards.count(1.0), rewards.count(0.0)) == (897, 381)
    plans = {case.question: case.solution for case in bank.list(2000)}
    for row in map(json.loads, MEMENTO.read_text().splitlines()):
        assert plans[row["case"]] == row["plan"]


@needs_memento
def test_the_real_embedder_recalls_the_same_in_a_fresh_home(tmp_path: Path) -> None:
    from agentfly.memory.embedding import MiniLMEmbedder

    embedder = MiniLMEmbedder()
    sample = MEMENTO.read_text().splitlines(keepends=True)[:110]
    (tmp_path / "sample").write_text("".join(sample))
    with CaseBank(tmp_path / "a", embedder) as one, CaseBank(tmp_path / "b", embedder) as two:
        began = time.perf_counter()
        assert one.import_from(tmp_path / "sample").new == 110
        assert time.perf_counter() - began < 60
        one.export_to(tmp_path / "f")
        two.import_from(tmp_path / "f")
        for row in map(json.loads, sample[:100]):
            ids = [found.case.id for found in one.recall(row["case"])]
            assert len(ids) == 4
            assert [found.case.id for found in two.recall(row["case"])] == ids
