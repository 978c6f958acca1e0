"""Several processes on one home; for those that are killed see `test_faults.py`."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

from memory_helpers import cases, question

from agentfly.memory.bank import CaseBank
from agentfly.testing import HashEmbedder

ADD = """
import sys
from agentfly.memory.bank import CaseBank
from agentfly.testing import HashEmbedder
from memory_helpers import cases
bank = CaseBank(sys.argv[1], HashEmbedder(64), exact_up_to=int(sys.argv[4]))
if int(sys.argv[4]) == 0:
    bank.sync_index()
print("ready", flush=True)
for case in cases(int(sys.argv[3]), start=int(sys.argv[2])):
    print(bank.add(case).id, flush=True)
    if int(sys.argv[4]) == 0:
        bank.sync_index()
"""


def lines(child, seconds: float = 60) -> list[str]:
    return child.communicate(timeout=seconds)[0].splitlines()


def test_two_processes_add_at_once(bank: CaseBank, python) -> None:
    children = [python(ADD, bank._home.path, start, 60, 10**6) for start in (0, 1000, 0)]
    ids = [lines(child)[1:] for child in children]
    assert [len(part) for part in ids] == [60, 60, 60]
    assert ids[0] == ids[2]  # the same cases: the same rows
    assert bank.count() == 120
    assert {case.id for case in bank.list(limit=999)} == {*ids[0], *ids[1]}


def test_another_process_sees_a_case_as_soon_as_it_was_added(bank: CaseBank, python) -> None:
    bank.add_many(cases(20))
    child = python(
        "import sys; from agentfly.memory.bank import CaseBank; from agentfly.testing import HashEmbedder\n"
        "bank = CaseBank(sys.argv[1], HashEmbedder(64))\n"
        "for line in sys.stdin: print(bank.recall(line.strip(), k=1)[0].case.id, flush=True)",
        bank._home.path,
        stdin=True,
    )
    for start in (100, 200, 300):
        added = bank.add(cases(1, start=start)[0])
        child.stdin.write(question(start) + "\n")
        child.stdin.flush()
        assert child.stdout.readline().strip() == added.id


def test_forked_child_may_use_the_bank(open_bank) -> None:
    bank = open_bank(exact_up_to=0)
    bank.add_many(cases(30))
    bank.sync_index()
    expected = [one.case.id for one in bank.recall(question(3))]

    def child() -> None:
        same = [one.case.id for one in bank.recall(question(3))] == expected
        bank.add(cases(1, start=500)[0])
        bank.close()
        os._exit(0 if same else 9)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(30)
    process.kill()
    assert process.exitcode == 0
    assert bank.count() == 31
    assert bank.stats().index.owned  # the child took nothing away
    assert bank.recall(question(500), k=1)[0].case.task_id == "task-500"


def test_home_folder_may_be_moved(open_bank, tmp_path: Path) -> None:
    bank = open_bank(exact_up_to=0)
    bank.add_many(cases(30))
    bank.sync_index()
    bank.close()
    bank._home.path.rename(tmp_path / "moved")
    with CaseBank(tmp_path / "moved", HashEmbedder(64), exact_up_to=0) as moved:
        assert moved.recall(question(3), k=1)[0].case.task_id == "task-3"
        assert moved.stats().index.owned
