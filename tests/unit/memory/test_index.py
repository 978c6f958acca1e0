"""The Chroma index: the same answers as exact search, and no fault of it is ever felt."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from memory_helpers import cases, question

from agentfly.memory import index as index_module
from agentfly.memory import nearest, soundness, stamp
from agentfly.memory.bank import CaseBank
from agentfly.memory.lock import FileLock
from agentfly.testing import HashEmbedder
from agentfly.types import Case

N = 1200
QUERIES = [question(i) for i in (3, 50, 111, 222, 333)] + ["tax ratio", "nothing like it at all"]


def answers(bank: CaseBank) -> list[list[tuple[str, float]]]:
    return [[(one.case.id, one.similarity) for one in bank.recall(query)] for query in QUERIES]


def owned(bank: CaseBank) -> bool:
    return bank.stats().index.owned


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for his turn here: large writes."""
    monkeypatch.setattr(index_module, "BATCH", index_module.LARGE_BATCH)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose index is built: its HNSW files are written after 1,000 rows."""
    path = tmp_path_factory.mktemp("template") / "home"
    with CaseBank(path, HashEmbedder(64)) as bank:
        bank.add_many(cases(N))
        assert bank.sync_index() == 0
    return path


@pytest.fixture
def indexed(template: Path, open_bank: Callable[..., CaseBank], tmp_path: Path) -> Path:
    """The home that `open_bank` opens, with its index built."""
    return Path(shutil.copytree(template, tmp_path / "bank"))


@pytest.fixture
def truth(open_bank: Callable[..., CaseBank], indexed: Path) -> list[list[tuple[str, float]]]:
    return answers(open_bank())


def folder(home: Path) -> Path:
    (found,) = (home / "index").glob("chroma-*")
    return found


def test_same_answers_with_and_without_index(open_bank, indexed: Path, truth) -> None:
    bank = open_bank(exact_up_to=0)
    assert answers(bank) == truth
    assert owned(bank)


def test_an_intact_index_is_opened_without_a_test_of_it(open_bank, indexed: Path, monkeypatch) -> None:
    def no_probe(*_: object) -> None:
        raise AssertionError("probed")

    monkeypatch.setattr(soundness, "probe", no_probe)
    for _ in range(2):
        bank = open_bank(exact_up_to=0)
        bank.recall("mean")
        assert owned(bank)
        assert bank.stats().index.problem == ""
        bank.close()


def test_what_the_index_has_not_read_is_found_all_the_same(open_bank, indexed: Path) -> None:
    bank = open_bank(exact_up_to=0)
    bank.recall("mean")
    new = bank.add(cases(1, start=7000)[0])
    assert bank.stats().index.behind == 1
    assert owned(bank)
    assert bank.recall(question(7000), k=1)[0].case.id == new.id
    other = open_bank()
    newer = other.add(cases(1, start=8000)[0])
    assert bank.recall(question(8000), k=1)[0].case.id == newer.id
    other.set_status(new.id, "pruned")
    assert new.id not in [one.case.id for one in bank.recall(question(7000), k=4)]
    assert bank.sync_index() == 0
    assert bank.stats().index.count == N + 1
    other.set_status(new.id, "active")
    assert bank.sync_index() == 0
    assert bank.stats().index.count == N + 2


def test_an_open_index_is_kept_up_to_date_while_cases_are_added(open_bank, indexed: Path) -> None:
    bank = open_bank(exact_up_to=0)
    bank.recall("mean")
    for start in range(1000, 1000 + nearest.TAIL, 50):
        bank.add_many(cases(50, start=start))
    assert bank.stats().index.behind < nearest.TAIL // 2


def test_a_narrow_filter_is_searched_to_the_end(open_bank, indexed: Path) -> None:
    with open_bank() as bank:
        rare = bank.add(Case(question="zebra", domain="rare"))
        bank.sync_index()
    bank = open_bank(exact_up_to=0)
    assert [one.case.id for one in bank.recall(question(3), domain="rare")] == [rare.id]


def test_only_one_process_owns_the_index_and_the_others_search_exactly(open_bank, indexed: Path, truth, python) -> None:
    child = python(
        "import sys; from agentfly.memory.bank import CaseBank; from agentfly.testing import HashEmbedder;"
        "bank = CaseBank(sys.argv[1], HashEmbedder(64), exact_up_to=0); bank.recall('mean');"
        "print(bank.stats().index.owned, flush=True); sys.stdin.read()",
        indexed,
        stdin=True,
    )
    assert child.stdout.readline() == "True\n"
    bank = open_bank(exact_up_to=0)
    assert answers(bank) == truth
    assert not owned(bank)
    assert bank.stats().index.problem == "another process owns it"
    new = bank.add(cases(1, start=7000)[0])
    assert bank.recall(question(7000), k=1)[0].case.id == new.id
    child.kill()
    child.wait()
    assert bank.sync_index() == 0  # the dead owner's lock is gone with it
    assert owned(bank)
    assert bank.recall(question(7000), k=1)[0].case.id == new.id


def test_two_banks_of_one_process_do_not_both_own_it(open_bank, indexed: Path) -> None:
    first, second = open_bank(exact_up_to=0), open_bank(exact_up_to=0)
    assert first.recall("mean") == second.recall("mean")
    assert [owned(first), owned(second)] == [True, False]


def delete_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def delete_hnsw(path: Path) -> None:
    shutil.rmtree(next(child for child in path.iterdir() if child.is_dir()))


def garbage_in_hnsw(path: Path) -> None:
    for file in path.rglob("*.bin"):
        file.write_bytes(b"\xff\x7f" * (file.stat().st_size // 2))


def truncated_hnsw(path: Path) -> None:
    for file in path.rglob("*.bin"):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def emptied_sqlite(path: Path) -> None:
    (path / "chroma.sqlite3").write_bytes(b"")


def truncated_sqlite(path: Path) -> None:
    file = path / "chroma.sqlite3"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 3])


def deleted_rows(path: Path) -> None:
    with sqlite3.connect(path / "chroma.sqlite3") as connection:
        connection.execute("DELETE FROM embeddings WHERE id % 2")
    connection.close()


def emptied_log(path: Path) -> None:
    """What Chroma has not put into its graph yet."""
    with sqlite3.connect(path / "chroma.sqlite3") as connection:
        assert connection.execute("DELETE FROM embeddings_queue").rowcount
    connection.close()


def sqlite_without_its_journal(path: Path) -> None:
    """As after a power cut on a disk that lied: a write was half done, and the journal that could undo it is gone."""
    file = path / "chroma.sqlite3"
    data = bytearray(file.read_bytes())
    data[4096 * 3 : 4096 * 6] = os.urandom(4096 * 3)
    file.write_bytes(data)
    for journal in path.glob("chroma.sqlite3-*"):
        journal.unlink()


def delete_stamp(path: Path) -> None:
    (path.parent / stamp.FILE).unlink()


def garbage_stamp(path: Path) -> None:
    (path.parent / stamp.FILE).write_text('{"source": [], "files": 3}')


FAULTS = [
    delete_folder,
    delete_hnsw,
    garbage_in_hnsw,
    truncated_hnsw,
    emptied_sqlite,
    truncated_sqlite,
    deleted_rows,
    emptied_log,
    sqlite_without_its_journal,
    delete_stamp,
    garbage_stamp,
]


@pytest.mark.parametrize("fault", FAULTS)
def test_damage_is_found_on_open_and_mended(open_bank, indexed: Path, truth, fault) -> None:
    fault(folder(indexed))
    bank = open_bank(exact_up_to=0)
    assert answers(bank) == truth
    assert not owned(bank)
    assert bank.stats().index.problem
    assert bank.sync_index() == 0
    assert owned(bank)
    assert bank.stats().index.count == N
    assert answers(bank) == truth
    bank.close()
    again = open_bank(exact_up_to=0)
    assert answers(again) == truth
    assert owned(again)


def test_verify_finds_damage_and_rebuild_mends_it(open_bank, indexed: Path, truth) -> None:
    bank = open_bank(exact_up_to=0)
    files = {path: (path.read_bytes(), path.stat()) for path in folder(indexed).rglob("*.bin")}
    garbage_in_hnsw(folder(indexed))
    for path, (_, status) in files.items():  # nothing to see from outside
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    health = bank.verify()
    assert health.problems == ()
    assert not health.ok
    assert (health.cases, health.index.count, health.index.problem) == (N, 0, "its files are damaged")
    health = bank.rebuild()
    assert health.ok
    assert health.index.count == N
    assert answers(bank) == truth


def test_index_of_another_home_is_not_used(open_bank, indexed: Path, tmp_path: Path) -> None:
    with CaseBank(tmp_path / "other", HashEmbedder(64), exact_up_to=0) as other:
        other.add_many(cases(5, start=5000))
        shutil.rmtree(other._home.index)
        shutil.copytree((indexed / "index"), other._home.index)
        assert {one.case.task_id for one in other.recall("mean")} <= {f"task-{i}" for i in range(5000, 5005)}
        assert not owned(other)
        assert "another home" in other.stats().index.problem
        assert other.sync_index() == 0
        assert other.stats().index.count == 5


def test_index_that_is_ahead_of_a_restored_database_is_not_used(open_bank, tmp_path: Path) -> None:
    bank = open_bank(exact_up_to=0)
    bank.add_many(cases(5))
    backup = sqlite3.connect(tmp_path / "backup.db")
    with sqlite3.connect(bank._home.path / "agentfly.db") as source:
        source.backup(backup)
    backup.close()
    source.close()
    bank.add_many(cases(5, start=100))
    bank.sync_index()
    bank.close()
    bank._home.close()
    for file in bank._home.path.glob("agentfly.db*"):
        file.unlink()
    shutil.copy(tmp_path / "backup.db", bank._home.path / "agentfly.db")
    restored = open_bank(exact_up_to=0)
    restored.add_many(cases(5, start=200))  # as many revisions as before, of other cases
    assert restored.recall(question(202), k=1)[0].case.task_id == "task-202"
    assert "another state" in restored.stats().index.problem
    assert restored.sync_index() == 0
    assert restored.stats().index.count == 10


def test_chroma_database_that_another_process_locked_does_not_hang(open_bank, indexed: Path, truth) -> None:
    other = sqlite3.connect(folder(indexed) / "chroma.sqlite3", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    bank = open_bank(exact_up_to=0)
    assert answers(bank) == truth
    assert not owned(bank)
    other.execute("ROLLBACK")
    other.close()


def test_failure_of_chroma_in_use_costs_the_index_and_nothing_else(open_bank, indexed, truth, caplog) -> None:
    bank = open_bank(exact_up_to=0)
    bank.recall("mean")

    class Broken:
        def query(self, **_: object) -> None:
            raise BaseException("panicked")  # as the Rust core's panics arrive

        def count(self) -> int:
            raise RuntimeError("broken")

    bank._index._collection = Broken()
    with caplog.at_level(logging.WARNING):
        assert answers(bank) == truth
    assert "panicked" in bank.stats().index.problem
    assert "panicked" in caplog.text
    assert bank.sync_index() == 0
    assert owned(bank)
    assert answers(bank) == truth


def test_files_in_the_index_folder_that_are_not_ours_are_left_alone(open_bank, indexed: Path) -> None:
    mine = (indexed / "index") / "mine"
    mine.mkdir()
    (mine / "x").write_text("x")
    bank = open_bank(exact_up_to=0)
    bank.rebuild()
    assert (mine / "x").read_text() == "x"
    assert len(list((indexed / "index").glob("chroma-*"))) == 1


def test_small_bank_never_loads_chroma(tmp_path: Path, python) -> None:
    child = python(
        "import sys; from agentfly.memory.bank import CaseBank; from agentfly.testing import HashEmbedder;"
        "from memory_helpers import cases; bank = CaseBank(sys.argv[1], HashEmbedder(64)); bank.add_many(cases(50));"
        "assert len(bank.recall('mean')) == 4; bank.stats(); bank.close(); print('chromadb' in sys.modules)",
        tmp_path / "h",
    )
    assert child.communicate(timeout=60) == ("False\n", "")


def test_large_bank_that_is_closed_leaves_an_index(open_bank) -> None:
    bank = open_bank(exact_up_to=nearest.TAIL)
    bank.add_many(cases(nearest.TAIL + 1))
    bank.close()
    state = json.loads((bank._home.index / stamp.FILE).read_text())
    assert 0 < state["count"] <= nearest.TAIL + 1


def test_lock_excludes_and_is_given_back(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.take()
    assert first.take()
    assert not second.take()
    first.release()
    first.release()
    assert second.take()
    second.release()
