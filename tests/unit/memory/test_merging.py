"""What counts as the same case: what must be merged, and what must not."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from agentfly.errors import InputError
from agentfly.memory.bank import CaseBank
from agentfly.memory.merging import alike, bare, merge_all, merge_existing, plain
from agentfly.types import Case, Provenance

CODE = "import csv\nrows = list(csv.DictReader(open('a.csv')))\nfinal_answer(len(rows))"
CASE = Case(question="How many rows are in a.csv?", solution=CODE, answer="12", task_id="t")


@pytest.mark.parametrize(
    "texts",
    [
        ("What is the mean?", "what is  the mean", "What is the mean ?\n", "WHAT IS THE MEAN..."),
        ("Rows, columns and cells: how many?", "Rows columns and cells how many"),
        ("Tell me now!", "tell me now"),
        ("The “best” one", 'the "best" one'),
        ("caf\u00e9", "cafe\u0301"),
    ],
)
def test_texts_that_say_the_same(texts: tuple[str, ...]) -> None:
    assert len({plain(text) for text in texts}) == 1


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("mean of column A", "mean of column B"),
        ("x < 5", "x > 5"),
        ("-5", "5"),
        ("3.5", "35"),
        (".5", "5"),
        ("1/2", "12"),
        ("1,234", "1234"),
        ("5!", "5"),
        ("n!", "n"),
        ("C++", "C"),
        ("C#", "C"),
        ("5 %", "5"),
        ("5", "5.0"),
        ("in 2019", "in 2020"),
        ("f'", "f"),
        ("ab", "a b"),
        ("x\u00b2", "x2"),
    ],
)
def test_texts_that_do_not(one: str, two: str) -> None:
    assert plain(one) != plain(two)


@pytest.mark.parametrize(
    "code",
    [
        CODE.replace(" = ", "=") + "\n\n",
        "# count them\n" + CODE + "  # done",
        CODE.replace("(csv.DictReader(open('a.csv')))", "(\n    csv.DictReader(\n        open('a.csv')\n    )\n)"),
        CODE.replace("'", '"'),
    ],
)
def test_code_that_does_the_same(code: str) -> None:
    assert bare(code) == bare(CODE)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (CODE, CODE.replace("a.csv", "b.csv")),
        (CODE, CODE.replace("len(rows)", "len(rows) - 1")),
        (CODE, CODE.replace("rows", "lines")),
        ("print('# 1')", "print('# 2')"),
        ("if a:\n    b()\nc()", "if a:\n    b()\n    c()"),
        ("Take #1", "Take #2"),
        ("item # 3", "item # 4"),
        ("1. Look up the city\n2. Add", "1. Look up the country\n2. Add"),
        ("A", "a"),
        ("", "print()"),
    ],
)
def test_solutions_that_do_not(one: str, two: str) -> None:
    assert bare(one) != bare(two)


def test_a_plan_in_words_is_compared_by_its_words() -> None:
    assert bare("1. Look up\n   2. Add") == bare("1. Look up 2. Add")


@pytest.mark.parametrize("text", ["(" * 3000 + ")" * 3000, "x = 1\x00", "x = (" + "1," * 60_000 + ")", "\ud800 é"])
def test_odd_solutions_do_not_raise(text: str) -> None:
    assert bare(text) == bare(text)


def test_the_answer_counts() -> None:
    assert alike(CASE, replace(CASE, answer=" 12. "))
    for other in ("12.0", "13", "", None, "12 rows"):
        assert not alike(CASE, replace(CASE, answer=other))


def test_near_identical_cases_become_one_with_their_counts(bank: CaseBank) -> None:
    first = bank.add(replace(CASE, reward=0.6, lesson="a", tags=("x",)), merge=True)
    variant = replace(
        CASE, question="how many rows are in A.csv", solution=CODE + "  # counted", reward=1.0, lesson="b",
        tags=("y",), shown=2, helped=1.5, provenance=Provenance(run="r-2", feedback="reference"),
    )  # fmt: skip
    merged = bank.add(variant, merge=True)
    assert bank.count(None) == 1
    assert merged == bank.get(first.id)
    assert (merged.id, merged.question, merged.solution) == (first.id, first.question, first.solution)
    assert (merged.seen, merged.shown, merged.helped) == (2, 2, 1.5)
    assert (merged.reward, merged.lesson, merged.tags) == (1.0, "b", ("x", "y"))
    assert merged.provenance.feedback == "reference"
    (event,) = bank.events(first.id)
    assert (event.action, event.run) == ("merged", "r-2")
    assert event.other not in (None, first.id)


def test_a_run_that_is_resumed_counts_once_and_an_older_verdict_does_not_win(bank: CaseBank) -> None:
    bank.add(replace(CASE, lesson="now"), merge=True)
    variant = replace(CASE, solution=CODE + "\n", provenance=Provenance(run="r"))
    assert bank.add(variant, merge=True).seen == 2
    assert bank.add(variant, merge=True).seen == 2
    assert bank.add(replace(variant, provenance=Provenance(run="r2")), merge=True).seen == 3
    assert bank.add(replace(variant, lesson="old", created=5.0, solution=CODE + "\n\n"), merge=True).lesson == "now"
    same = replace(CASE, provenance=Provenance(run="r3"))
    assert [bank.add(same, merge=True).seen for _ in range(2)] == [5, 5]
    assert bank.add(same).seen == 5
    assert bank.count(None) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"question": "How many rows are in b.csv?"},
        {"answer": "13"},
        {"solution": CODE.replace("len(rows)", "len(rows) + 0")},
        {"reward": 0.0},
        {"domain": "other"},
    ],
)
def test_what_differs_stays_apart(bank: CaseBank, change: dict[str, object]) -> None:
    bank.add_many([replace(CASE, task_id="")], merge=True)
    bank.add(replace(CASE, task_id="", **{"solution": CODE + "\n", **change}), merge=True)
    assert bank.count() == 2


def test_a_success_is_merged_across_tasks_and_a_failure_is_not(bank: CaseBank) -> None:
    bank.add_many([CASE, replace(CASE, task_id="u")], merge=True)
    assert bank.count() == 1
    failures = [replace(CASE, reward=0.0, answer="7", task_id=task) for task in ("v", "w", "w")]
    bank.add_many([replace(case, solution=CODE + "\n" * i) for i, case in enumerate(failures)], merge=True)
    assert bank.count() == 3
    assert bank.add(replace(CASE, task_id="w"), merge=True).seen == 3
    assert sorted((case.task_id, case.reward) for case in bank.list()) == [("t", 1.0), ("v", 0.0)]


def test_without_merging_all_stay(bank: CaseBank) -> None:
    bank.add_many([replace(CASE, solution=CODE + "\n" * i) for i in range(5)])
    assert bank.count() == 5


def test_cases_of_an_older_version_are_merged_with(bank: CaseBank) -> None:
    # More than are looked at with one writing: those of the task come first.
    bank.add_many([Case(question=f"q{i}", task_id=f"t{i}") for i in range(2500)])
    with bank._db.write() as tx:
        tx.execute("UPDATE cases SET gist = NULL")
    for i in (2400, 5):
        assert bank.add(Case(question=f"Q{i}?", task_id=f"t{i}"), merge=True).seen == 2
    bank.add(Case(question="other"), merge=True)
    assert bank.add(Case(question="Q17?", task_id="another task"), merge=True).seen == 2
    assert bank._db.read("SELECT count(*) FROM cases WHERE gist IS NULL")[0][0] == 0


def test_the_newest_solutions_are_compared(bank: CaseBank) -> None:
    bank.add_many([replace(CASE, solution=f"final_answer({i})") for i in range(40)])
    assert bank.add(replace(CASE, solution="final_answer( 39 )"), merge=True).seen == 2
    assert bank.add(replace(CASE, solution="final_answer( 8 )"), merge=True).seen == 2
    assert bank.add(replace(CASE, solution="final_answer( 7 )"), merge=True).seen == 1, (
        "so that no task holds up writing"
    )


def test_two_stored_cases_can_be_merged(bank: CaseBank) -> None:
    one, two, other = bank.add_many([CASE, replace(CASE, solution=CODE + "\n", shown=3), replace(CASE, answer="1")])
    with pytest.raises(InputError, match="near-identical"):
        merge_existing(bank._db, one.id, other.id)
    assert merge_existing(bank._db, one.id, two.id).shown == 3
    assert (bank.get(two.id).status, bank.get(one.id).seen) == ("superseded", 2)
    assert [(e.action, e.other) for e in bank.events(two.id)] == [("superseded", one.id)]
    assert [(e.action, e.other) for e in bank.events(one.id)] == [("merged", two.id)]
    with pytest.raises(InputError):
        merge_existing(bank._db, one.id, two.id)


def test_all_that_are_stored_can_be_merged(bank: CaseBank) -> None:
    variants = [replace(CASE, question=f"Q{i}", solution=CODE + "\n" * j) for i, j in product(range(60), range(4))]
    bank.add_many(variants)
    assert merge_all(bank._db) == 180
    assert merge_all(bank._db) == 0
    assert [case.seen for case in bank.list(limit=100)] == [4] * 60
    assert bank.recall("Q7", k=1)[0].case.solution == CODE


def test_finding_a_twin_neither_scans_nor_sorts(bank: CaseBank) -> None:
    bank.add(CASE, merge=True)
    plans: list[str] = []
    with bank._db.write() as tx:
        for sql in (
            "SELECT * FROM cases WHERE gist = '' AND status = 'active' AND +domain = '' ORDER BY seq DESC LIMIT 9",
            "SELECT * FROM cases WHERE gist IS NULL AND task_id = 't' LIMIT 9",
            "SELECT 1 FROM case_events WHERE case_id = '' AND run_id = '' AND action = 'merged'",
        ):
            plans += [row["detail"] for row in tx.read(f"EXPLAIN QUERY PLAN {sql}")]
    assert not [plan for plan in plans if plan.startswith("SCAN") or "TEMP B-TREE" in plan]
