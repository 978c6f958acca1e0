"""Going back to a mark: what runs have done to a memory is undone, and what others did is not."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_helpers import cases
from tiny_policy import judged, show

from agentfly.memory import marks
from agentfly.memory.bank import CaseBank
from agentfly.memory.selection import checkpoint
from agentfly.testing import HashEmbedder
from agentfly.types import Case, Provenance

OURS, THEIRS = "learn-1-learn-1-0", "somebody"


def by(run: str, case: Case, **more: object) -> Case:
    return replace(case, provenance=Provenance(run=run, feedback="reference"), **more)  # type: ignore[arg-type]


def statuses(bank: CaseBank) -> dict[str, str]:
    return {row["id"]: row["status"] for row in bank._db.read("SELECT id, status FROM cases ORDER BY seq")}


def back(bank: CaseBank, moment: marks.MemoryMark) -> int:
    return bank.back_to(moment, "learn-1-", "learn-1: another version was better")


def test_their_cases_leave_and_those_of_others_stay(bank: CaseBank) -> None:
    (old,) = bank.add_many(cases(1))
    moment = bank.mark()
    ours, theirs = bank.add(by(OURS, cases(1, 1)[0])), bank.add(by(THEIRS, cases(1, 2)[0]))
    assert back(bank, moment) == 1
    assert statuses(bank) == {old.id: "active", ours.id: "pruned", theirs.id: "active"}
    assert bank.events(ours.id)[-1].reason == "learn-1: another version was better"


def test_runs_are_told_apart_by_their_whole_beginning(bank: CaseBank) -> None:
    moment = bank.mark()
    other = bank.add(by("learn-1x-learn-1-0", cases(1)[0]))
    wild = bank.add(by("learn%1-learn", cases(1, 1)[0]))
    assert back(bank, moment) == 0
    assert statuses(bank) == {other.id: "active", wild.id: "active"}


def test_what_gave_way_comes_back(bank: CaseBank) -> None:
    """A failure that was superseded, a case that went for capacity, one that was confirmed, one that was found again."""
    _, pruned, waiting, gone = bank.add_many(cases(4))
    failed = bank.add(by("", replace(cases(1)[0], solution="print('wrong')", answer="wrong"), reward=0.0))
    bank.set_status(waiting.id, "quarantined")
    bank.set_status(gone.id, "pruned", reason="a person did not like it")
    before, moment = statuses(bank), bank.mark()
    bank.add(by(OURS, replace(cases(1)[0], solution="print('right')"), task_id="task-0"))
    bank.set_status(pruned.id, "pruned", reason="over capacity: what stays of its kind covers it")
    bank.add(by(OURS, replace(cases(4)[2], status="active")))
    bank.add(by(OURS, cases(4)[3]))
    changed = statuses(bank)
    assert [changed[one.id] for one in (failed, pruned, waiting, gone)] == ["superseded", "pruned", "active", "active"]
    back(bank, moment)
    found = statuses(bank)
    assert {id: found[id] for id in before} == before


def test_done_again_it_changes_nothing(bank: CaseBank) -> None:
    (failed,) = bank.add_many([replace(cases(1)[0], reward=0.0)])
    moment = bank.mark()
    bank.add(by(OURS, replace(cases(1)[0], solution="print('right')")))
    assert back(bank, moment) == 2
    once = statuses(bank)
    assert back(bank, moment) == 0
    bank.set_status(failed.id, "pruned", reason="a person did not like it")
    assert back(bank, moment) == 0, "what somebody decided since stands"
    assert statuses(bank) == {**once, failed.id: "pruned"}


def test_what_somebody_else_did_to_a_case_afterwards_stands(bank: CaseBank) -> None:
    (failed,) = bank.add_many([replace(cases(1)[0], reward=0.0)])
    moment = bank.mark()
    bank.add(by(OURS, replace(cases(1)[0], solution="print('right')")))
    bank.set_status(failed.id, "quarantined", reason="a person is not sure")
    back(bank, moment)
    assert bank.get(failed.id).status == "quarantined"


@pytest.mark.parametrize("policy", ["episodic", "neural"])
def test_policies_forget_what_the_runs_earned(open_bank: Callable[..., CaseBank], policy: str) -> None:
    bank = open_bank(policy=policy)
    a, b = bank.add_many(cases(2))
    for number in range(20):
        judged(bank, f"run-{number}", [a], 1.0)
    bank.retrain()
    moment, before = bank.mark(), bank.policy.dump()  # type: ignore[attr-defined]
    for number in range(20):
        judged(bank, f"learn-1-{number}", [a, b], 0.0)
    back(bank, moment)
    assert (bank.get(a.id).helped, bank.get(b.id).helped) == (20.0, 0.0)
    assert bank.policy.dump() == before  # type: ignore[attr-defined]


def shown_of(bank: CaseBank) -> list[tuple[str, int]]:
    return [tuple(row) for row in bank._db.read("SELECT id, shown FROM cases ORDER BY seq")]


def test_what_was_shown_by_work_that_was_cut_off_is_forgotten(bank: CaseBank) -> None:
    a, b = bank.add_many(cases(2))
    show(bank, "run-1", [a])
    first = shown_of(bank)
    since = bank._db.read("SELECT max(created) FROM recalls")[0][0]
    show(bank, "run-1/1", [a, b])
    show(bank, "run-1", [b])
    show(bank, "run-10", [b])
    assert marks.unsee(bank._db, "run-1", since) == 2
    assert shown_of(bank) == [(first[0][0], 1), (b.id, 1)]
    assert marks.unsee(bank._db, "run-1", since) == 0
    assert marks.unsee(bank._db, "run-1") == 1
    assert {row[0] for row in bank._db.read("SELECT run_id FROM recalls")} == {"run-10"}


def test_what_was_judged_is_not_forgotten(bank: CaseBank) -> None:
    (a,) = bank.add_many(cases(1))
    judged(bank, "run-1", [a], 1.0)
    assert marks.unsee(bank._db, "run-1") == 0


@settings(max_examples=3, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=20, max_size=26), st.integers(1, 24))
def test_a_policy_that_is_taken_up_again_is_the_same(rewards: list[float], at: int) -> None:
    """What is learned in one go differs from what is learned one by one: so it is saved where one may go on from."""

    def bank_on(folder: str) -> CaseBank:
        return CaseBank(folder, HashEmbedder(64), policy="neural")

    def judge(bank: CaseBank, number: int) -> None:
        stored = bank.list()
        with bank._db.write():
            before = bank.mark().judged
            show(bank, f"run-{number}", stored[:2])
            bank.record_outcome(f"run-{number}", rewards[number])
            marks.keep_policy(bank._db, bank.policy, bank.embedder.name, before)

    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        whole, cut = bank_on(one), bank_on(two)
        for bank in (whole, cut):
            bank.add_many([replace(case, created=1.0) for case in cases(3)])
        for number in range(len(rewards)):
            judge(whole, number)
            if number == at:  # as if its process had been killed
                cut = bank_on(two)
            judge(cut, number)
        dumps = [checkpoint.newest(bank._db, "neural") for bank in (whole, cut)]
        assert dumps[0] is not None
        assert dumps[1] is not None
        assert dumps[0].state == dumps[1].state


def test_a_policy_that_learned_nothing_saves_nothing(open_bank: Callable[..., CaseBank]) -> None:
    bank = open_bank(policy="episodic")
    assert not marks.keep_policy(bank._db, bank.policy, bank.embedder.name, 0)
    assert checkpoint.newest(bank._db, "episodic") is None
