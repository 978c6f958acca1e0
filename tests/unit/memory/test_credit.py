"""Showings and verdicts: what is counted, what replaces what, and the order of the record."""

from __future__ import annotations

import sqlite3

import pytest
from memory_helpers import cases
from tiny_policy import judged, show

from agentfly.memory import credit
from agentfly.memory.bank import CaseBank
from agentfly.memory.selection import record
from agentfly.store.home import Home


def numbers(bank: CaseBank) -> dict[str, set[int | None]]:
    found: dict[str, set[int | None]] = {}
    for row in bank._db.read("SELECT run_id, judged FROM recalls"):
        found.setdefault(row["run_id"], set()).add(row["judged"])
    return found


def counters(bank: CaseBank, id: str) -> tuple[int, float]:
    case = bank.get(id)
    return case.shown, case.helped


def test_a_verdict_goes_to_every_case_of_the_run_and_to_no_other(bank: CaseBank) -> None:
    a, b, c = bank.add_many(cases(3))
    show(bank, "run-1", [a, b])
    show(bank, "run-2", [b, c])
    assert credit.outcome(bank._db, "run-1", 0.75) == 2
    assert [counters(bank, case.id) for case in (a, b, c)] == [(1, 0.75), (2, 0.75), (1, 0.0)]
    assert credit.outcome(bank._db, "nobody", 1.0) == 0


def test_a_later_verdict_takes_the_place_of_the_earlier_one(bank: CaseBank) -> None:
    (a,) = bank.add_many(cases(1))
    judged(bank, "run-1", [a], 1.0)
    judged(bank, "run-2", [a], 0.5)
    credit.outcome(bank._db, "run-1", 0.25)
    assert counters(bank, a.id) == (2, pytest.approx(0.75))
    assert numbers(bank) == {"run-1": {3}, "run-2": {2}}
    assert [(one.number, one.run, one.reward) for one in read(bank)] == [(2, "run-2", 0.5), (3, "run-1", 0.25)]
    credit.outcome(bank._db, "run-1", 0.25)
    assert counters(bank, a.id) == (2, pytest.approx(0.75))
    assert numbers(bank)["run-1"] == {4}


def test_all_recalls_of_a_run_are_judged_together(bank: CaseBank) -> None:
    a, b, c = bank.add_many(cases(3))
    for part in ([a, b], [b], [c, a]):
        show(bank, "run-1", part)
    assert credit.outcome(bank._db, "run-1", 1.0) == 5
    assert numbers(bank) == {"run-1": {1}}
    assert [counters(bank, case.id) for case in (a, b, c)] == [(2, 2.0), (2, 2.0), (1, 1.0)]
    (episode,) = read(bank)
    assert [[case.id for case in part.cases] for part in episode.recalls] == [[a.id, b.id], [b.id], [c.id, a.id]]


def test_a_recall_after_the_verdict_waits_for_the_next_one(bank: CaseBank) -> None:
    a, b = bank.add_many(cases(2))
    judged(bank, "run-1", [a], 1.0)
    show(bank, "run-1", [b])
    assert numbers(bank) == {"run-1": {1, None}}
    assert counters(bank, b.id) == (1, 0.0)
    assert [len(one.recalls) for one in read(bank)] == [1]
    credit.outcome(bank._db, "run-1", 0.5)
    assert numbers(bank) == {"run-1": {2}}
    assert (counters(bank, a.id), counters(bank, b.id)) == ((1, 0.5), (1, 0.5))
    assert [len(one.recalls) for one in read(bank)] == [2]


def test_a_showing_is_recorded_whole_or_not_at_all(bank: CaseBank) -> None:
    (a,) = bank.add_many(cases(1))
    stranger = cases(1, start=7)[0]  # not in the bank: the second interaction fails
    with pytest.raises(sqlite3.IntegrityError):
        show(bank, "run-1", [a, stranger])
    assert bank._db.read("SELECT count(*) FROM recalls")[0][0] == 0
    assert counters(bank, a.id) == (0, 0.0)


def test_two_processes_that_judge_at_once_get_different_numbers(bank: CaseBank, python) -> None:
    (a,) = bank.add_many(cases(1))
    for i in range(120):
        show(bank, f"run-{i}", [a])
    code = (
        "import sys; from agentfly.memory import credit; from agentfly.store.home import Home\n"
        "db = Home.open(sys.argv[1]).db; print('ready', flush=True); sys.stdin.readline()\n"
        "for i in range(int(sys.argv[2]), 120, 2): credit.outcome(db, f'run-{i}', 1.0)"
    )
    children = [python(code, bank._home.path, start, stdin=True) for start in (0, 1)]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    assert [child.wait(60) for child in children] == [0, 0]
    assert sorted(number for part in numbers(bank).values() for number in part) == list(range(1, 121))
    assert counters(bank, a.id) == (120, 120.0)


def test_killed_while_judging(bank: CaseBank, python) -> None:
    """SIGKILL at some moment: each run is judged with all its parts and counted, or not at all."""
    a, b = bank.add_many(cases(2))
    for i in range(400):
        show(bank, f"run-{i}", [a])
        show(bank, f"run-{i}", [b])
    child = python(
        "import sys; from agentfly.memory import credit; from agentfly.store.home import Home\n"
        "db = Home.open(sys.argv[1]).db\n"
        "for i in range(400): credit.outcome(db, f'run-{i}', 1.0); print(i, flush=True)",
        bank._home.path,
    )
    acknowledged = [child.stdout.readline() for _ in range(25)]
    child.kill()
    acknowledged += child.communicate()[0].splitlines()
    with Home.open(bank._home.path) as home:
        done = [row[0] for row in home.db.read("SELECT count(reward) FROM interactions JOIN recalls ON id = recall_id GROUP BY run_id")]  # fmt: skip
        assert set(done) <= {0, 2}
        judged_runs = sum(n == 2 for n in done)
        assert len(acknowledged) - 1 <= judged_runs <= len(acknowledged) + 1
    assert counters(bank, a.id) == counters(bank, b.id) == (400, float(judged_runs))
    assert len(read(bank)) == judged_runs


def read(bank: CaseBank):
    return record.episodes(bank._db, 0, None, bank.embedder.name, bank.embedder.dimensions)
