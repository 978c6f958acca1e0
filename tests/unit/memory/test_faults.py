"""Real faults: processes killed at any moment, disks that are full, folders that cannot be used, two at once."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from memory_helpers import cases, question

from agentfly.errors import AgentflyError, InputError
from agentfly.memory import builder, index
from agentfly.memory.bank import CaseBank
from agentfly.memory.stamp import Source
from agentfly.testing import HashEmbedder
from agentfly.types import Case

ROUNDS = 20
WITH_INDEX = {6, 12, 19}

ADD = """
import sys
import numpy
from agentfly.memory.bank import CaseBank
from agentfly.testing import HashEmbedder
from memory_helpers import cases
home, start, use_index = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "True"
if use_index:
    import chromadb
print("ready", flush=True)
sys.stdin.readline()
bank = CaseBank(home, HashEmbedder(64), exact_up_to=0 if use_index else 10**9)
for i, case in enumerate(cases(5000, start=start)):
    print(bank.add(case).id, flush=True)
    if use_index and i % 10 == 0:
        bank.sync_index()
"""


def test_killed_at_random_moments_while_two_processes_add(tmp_path: Path, python) -> None:
    """Every acknowledged case is there once, and the next recall is right, with nothing done by hand."""
    rng, home, acknowledged = random.Random(0), tmp_path / "home", set[str]()
    CaseBank(home, HashEmbedder(64)).close()

    def start(round_: int) -> list:
        starts = (10_000 * (2 * round_ + 1), 10_000 * (2 * round_ + 2))
        use_index = (round_ in WITH_INDEX, False)  # one process can own it
        return [python(ADD, home, *args, stdin=True) for args in zip(starts, use_index, strict=True)]

    waiting = start(0)
    for round_ in range(ROUNDS):
        children = waiting
        for child in children:
            assert child.stdout.readline() == "ready\n"
        for child in children:
            child.stdin.write("go\n")
            child.stdin.flush()
        for child in children[: rng.randrange(3)]:  # sometimes at once, sometimes when it has acknowledged something
            acknowledged.add(child.stdout.readline().strip())
        if round_ + 1 < ROUNDS:
            waiting = start(round_ + 1)  # it loads what it needs meanwhile
        time.sleep(rng.random() * (0.6 if round_ in WITH_INDEX else 0.2))
        victims = children if rng.random() < 0.5 else children[:1]
        for child in victims:
            child.kill()
        time.sleep(0.05)
        for child in children:  # the survivor went on for a while
            child.kill()
            # A line that was cut off in the pipe was read by nobody.
            acknowledged.update(line for line in child.communicate()[0].splitlines() if len(line) == 21)
        with CaseBank(home, HashEmbedder(64), exact_up_to=0 if round_ in WITH_INDEX else 10**9) as bank:
            ids = [case.id for case in bank.list(limit=10**6, status=None)]
            assert len(ids) == len(set(ids))
            assert acknowledged <= set(ids)
            some = rng.sample(sorted(acknowledged), min(3, len(acknowledged)))
            for id in [bank.list(limit=1)[0].id, *some]:  # the fake embedder gives some questions the same embedding
                assert id in bank.recollect(bank.get(id).question, candidates=64).candidates
            if round_ in WITH_INDEX:
                deadline = time.monotonic() + 30
                while bank.sync_index():  # a child that builds for a killed process finishes its batch first
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
                assert bank.stats().index.count == len(ids)
    with CaseBank(home, HashEmbedder(64)) as bank:
        assert bank.verify().ok
        assert len(acknowledged) > ROUNDS
        assert len({case.question for case in bank.list(limit=10**6)}) == bank.count()


TRY = """
import sys
from agentfly.memory.bank import CaseBank
from agentfly.testing import HashEmbedder
from memory_helpers import question
bank = CaseBank(sys.argv[1], HashEmbedder(64), exact_up_to=0)
print("ready", flush=True)
sys.stdin.readline()
print("left", bank.sync_index(), flush=True)
print("owned", bank.stats().index.owned, "problem", bank.stats().index.problem, flush=True)
print(*[one.case.id for i in (3, 50) for one in bank.recall(question(i))], flush=True)
bank.close()
"""


def expected(home: Path) -> str:
    with CaseBank(home, HashEmbedder(64), exact_up_to=10**9) as bank:
        return " ".join(one.case.id for i in (3, 50) for one in bank.recall(question(i)))


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    with CaseBank(tmp_path / "bank", HashEmbedder(64)) as bank:
        bank.add_many(cases(300))
    return tmp_path / "bank"


def test_two_processes_open_a_new_index_at_once(filled: Path, python) -> None:
    children = [python(TRY, filled, stdin=True) for _ in range(2)]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    outputs = [child.communicate(timeout=60) for child in children]
    assert [child.returncode for child in children] == [0, 0], outputs
    assert [out.splitlines()[-1] for out, _ in outputs] == [expected(filled)] * 2
    with CaseBank(filled, HashEmbedder(64), exact_up_to=0) as bank:
        assert bank.verify().ok
        assert bank.sync_index() == 0
        assert bank.stats().index.count == 300


def run(code: str, *args: object, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    here = Path(__file__).resolve().parent
    return subprocess.run(
        [*prefix, sys.executable, "-c", code, *map(str, args)],
        env={**os.environ, "PYTHONPATH": f"{here.parents[2]}{os.pathsep}{here}"},
        input="go\n", capture_output=True, text=True, timeout=90,
    )  # fmt: skip


@contextlib.contextmanager
def small_disk(path: Path, size: str) -> Iterator[None]:
    path.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


@pytest.mark.parametrize("size", ["64k", "256k"])
def test_index_on_a_full_disk(filled: Path, size: str) -> None:
    """The truth is on a disk with room, the index on one that is full before it is built."""
    if shutil.which("mount") is None:
        pytest.skip("no mount here")
    with small_disk(filled / "index", size):
        done = run(TRY, filled)
        assert done.returncode == 0, done.stderr
        left, state, answers = done.stdout.splitlines()[1:]
        assert left == "left 300"
        assert state.startswith("owned False problem ")
        assert not state.endswith("problem ")
        assert answers == expected(filled)
    done = run(TRY, filled)  # room again
    assert "owned True" in done.stdout
    assert done.stdout.splitlines()[-1] == expected(filled)


def test_disk_that_is_full_while_cases_are_added(tmp_path: Path) -> None:
    """The truth's own disk: what cannot be stored is refused in one line, what was acknowledged stays."""
    if shutil.which("mount") is None:
        pytest.skip("no mount here")
    home = tmp_path / "home"
    with small_disk(home, "3m"):
        with CaseBank(home, HashEmbedder(64)) as bank:
            held = []
            many = (Case(question=case.question, solution="x" * 20_000) for case in cases(2000))
            with pytest.raises(AgentflyError) as caught:
                held.extend(bank.add(case).id for case in many)
            assert "\n" not in str(caught.value)
            assert {case.id for case in bank.list(limit=10**6)} == set(held)
            assert bank.recall(bank.get(held[-1]).question, k=1)[0].case.id == held[-1]
        shutil.copytree(home, tmp_path / "larger")
    with CaseBank(tmp_path / "larger", HashEmbedder(64)) as bank:
        assert bank.count() == len(held)
        bank.add(Case(question="there is room"))


def test_index_folder_that_cannot_be_written_to(filled: Path) -> None:
    with CaseBank(filled, HashEmbedder(64)) as bank:
        assert bank.sync_index() == 0
    prefix: tuple[str, ...] = ()
    if os.getuid() == 0:  # who may write everywhere
        if shutil.which("setpriv") is None:
            pytest.skip("root cannot be kept from writing here")
        prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    answers, folders = expected(filled), [filled / "index", *(filled / "index").glob("chroma-*")]
    modes = {path: path.stat().st_mode for path in [*folders, *(filled / "index").rglob("*")]}
    for path in modes:
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        done = run(TRY, filled, prefix=prefix)
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    if "Operation not permitted" in done.stderr:
        pytest.skip("setpriv is not permitted here")
    assert done.returncode == 0, done.stderr
    assert "owned False problem its folder cannot be used: Permission denied" in done.stdout
    assert done.stdout.splitlines()[-1] == answers
    assert "owned True" in run(TRY, filled).stdout


def test_file_in_place_of_the_index(filled: Path) -> None:
    bank = CaseBank(filled, HashEmbedder(64), exact_up_to=0)
    answers = expected(filled)
    shutil.rmtree(filled / "index")
    (filled / "index").write_text("not a folder")
    assert " ".join(one.case.id for i in (3, 50) for one in bank.recall(question(i))) == answers
    assert bank.sync_index() == 300
    assert "File exists" in bank.stats().index.problem
    assert not bank.verify().ok
    assert not bank.rebuild().ok
    assert (filled / "index").read_text() == "not a folder"  # not ours to delete
    (filled / "index").unlink()
    assert bank.rebuild().ok
    bank.close()


def test_chroma_is_given_numbers_only(filled: Path) -> None:
    """It drops, merges and refuses metadata of many kinds, so that nothing may depend on any."""
    with CaseBank(filled, HashEmbedder(64), exact_up_to=0) as bank:
        bank.sync_index()
        held = bank._index._collection.get(limit=5, include=["metadatas", "documents", "uris"])
        assert held["metadatas"] == held["documents"] == [None] * 5
        assert bank._index._client.get_max_batch_size() >= index.LARGE_BATCH


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_embedding_that_is_not_finite_is_refused(tmp_path: Path, bad: float) -> None:
    class Broken(HashEmbedder):
        def embed(self, texts):
            vectors = super().embed(texts)
            vectors[[text.startswith("bad") for text in texts], 3] = bad
            return vectors

    bank = CaseBank(tmp_path, Broken(64), exact_up_to=0)
    bank.add_many(cases(50))
    bank.sync_index()
    for attempt in (lambda: bank.add(Case(question="bad one")), lambda: bank.recall("bad one")):
        with pytest.raises(InputError, match="not finite for 'bad one'"):
            attempt()
    with pytest.raises(InputError, match="not finite"):
        bank.add_many([*cases(2, start=500), Case(question="bad")])
    vectors = np.ones((1, 64), dtype=np.float32)
    vectors[0, 5] = bad
    with pytest.raises(InputError, match="finite"):
        bank.add_many(cases(1, start=600), vectors)
    assert bank.count() == 50


def test_stored_embedding_that_is_not_finite_is_passed_over_and_mended(filled: Path) -> None:
    with CaseBank(filled, HashEmbedder(64), exact_up_to=0) as bank, CaseBank(filled, HashEmbedder(64)) as exact:
        bad = np.full(64, np.nan, dtype="<f4").tobytes()
        with bank._db.write() as tx:
            tx.execute("UPDATE cases SET embedding = ? WHERE seq = 1", (bad,))
        assert bank.sync_index() == 0
        assert bank.stats().index.count == 299
        for searched in (bank, exact):
            assert len(searched.recollect("mean", candidates=400).candidates) == 299
        assert "1 embeddings hold numbers that are not finite: rebuild" in bank.verify().problems
        assert bank.rebuild().ok
        assert bank.recall(question(0), k=1)[0].case.task_id == "task-0"


def test_truth_that_was_edited_from_outside_is_told_in_words(filled: Path) -> None:
    with CaseBank(filled, HashEmbedder(64)) as bank:
        bank.record_shown("run-1", "task", bank.recollect("mean"))
        bank.supersede(bank.list()[0].id, bank.list()[1].id)
        assert bank.verify().ok
    with contextlib.closing(sqlite3.connect(filled / "agentfly.db")) as db, db:
        db.execute("UPDATE cases SET embedding = x'00' WHERE seq = 1")
        db.execute("UPDATE cases SET embedder = 'another' WHERE seq IN (2, 3)")
        db.execute("UPDATE cases SET solution = 'planted' WHERE seq = 4")
        db.execute("UPDATE cases SET superseded_by = 'case-gone' WHERE seq = 5")
        db.execute("UPDATE cases SET provenance = '{' WHERE seq = 6")
        db.execute("UPDATE interactions SET case_id = 'case-gone' WHERE rank = 0")
        db.execute("UPDATE case_events SET case_id = 'case-gone'")
    with CaseBank(filled, HashEmbedder(64)) as bank:
        assert set(bank.verify().problems) == {
            "1 embeddings have the wrong size: rebuild",
            "2 cases were embedded by 'another', not by 'hash-64': rebuild",
            "1 cases are not what was stored: something else has edited them",
            "1 cases gave way to a case that is not there: rebuild",
            "1 cases have tags or a provenance that cannot be read",
            "1 recorded showings are of cases that are not there",
            "1 recorded events are of cases that are not there",
        }
        left = bank.rebuild().problems
        assert len(left) == 4
        assert not any("rebuild" in problem for problem in left)


# Off the event loop


def test_a_large_index_is_built_by_another_process_while_this_one_goes_on(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(index, "_ASIDE", 500)
    with CaseBank(tmp_path, HashEmbedder(64), exact_up_to=0) as bank:
        bank.add_many(cases(3000))
        recalled = []

        async def build() -> tuple[float, int]:
            task, lag = asyncio.create_task(asyncio.to_thread(bank.sync_index)), 0.0
            while not task.done():
                start = time.perf_counter()
                await asyncio.sleep(0.001)
                lag = max(lag, time.perf_counter() - start)
                if bank._index.building:
                    recalled.append((await asyncio.to_thread(bank.recall, question(7), 1))[0].case.task_id)
            return lag, task.result()

        lag, left = asyncio.run(build())
        print(f"longest wait of the event loop {lag * 1e3:.0f} ms, {len(recalled)} recalls meanwhile")
        assert left == 0
        assert bank.stats().index.owned
        assert bank.stats().index.count == 3000
        assert len(recalled) > 3
        assert set(recalled) == {"task-7"}
        bank.add_many(cases(3, start=5000))
        assert bank.recall(question(5001), k=1)[0].case.task_id == "task-5001"


def test_adding_much_to_an_open_index_hands_it_to_another_process(tmp_path: Path) -> None:
    with CaseBank(tmp_path, HashEmbedder(64), exact_up_to=0) as bank:
        bank.add_many(cases(50))
        bank.sync_index()
        assert bank.stats().index.owned
        start = time.perf_counter()
        bank.add_many(cases(1500, start=1000))
        took = time.perf_counter() - start
        assert bank._index.building
        assert bank.recall(question(1003), k=1)[0].case.task_id == "task-1003"
        bank.add(cases(1, start=4000)[0])
        assert bank.sync_index() == 0  # waits for it
        assert bank.stats().index.owned
        assert bank.stats().index.count == 1551
        print(f"{took:.2f} s")


def test_closing_stops_the_process_that_builds(tmp_path: Path) -> None:
    bank = CaseBank(tmp_path, HashEmbedder(64), exact_up_to=0)
    bank.add_many(cases(20))
    bank.sync_index()
    bank.add_many(cases(4000, start=1000))
    child = bank._index._builder._child
    assert child is not None
    bank.close()
    assert child.poll() is not None
    with CaseBank(tmp_path, HashEmbedder(64), exact_up_to=0) as again:
        assert again.sync_index() == 0
        assert again.stats().index.count == 4020


def test_where_no_process_can_be_started_the_index_is_built_here(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(index, "_ASIDE", 50)
    monkeypatch.setattr(builder.sys, "executable", str(tmp_path / "nothing"))
    with CaseBank(tmp_path / "home", HashEmbedder(64), exact_up_to=0) as bank:
        bank.add_many(cases(100))
        assert bank.sync_index() == 0
        assert bank.stats().index.owned


def test_process_that_builds_and_does_not_get_on_is_given_up(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(builder, "STALLED", 0.2)
    hanging = builder.Builder(tmp_path, tmp_path / "agentfly.db", Source(home="", embedder="", dimensions=1))
    hanging._child = subprocess.Popen(["sleep", "60"], stdin=subprocess.PIPE)
    start = time.monotonic()
    hanging.wait(lambda: 0)
    assert time.monotonic() - start < 5
    assert hanging.failed
    assert not hanging.running


def test_recall_waits_for_one_batch_and_not_for_the_whole_sync(tmp_path: Path) -> None:
    with CaseBank(tmp_path, HashEmbedder(64), exact_up_to=0) as bank:
        bank.add_many(cases(100))
        bank.sync_index()
        bank.add_many(cases(480, start=1000))
        thread, seen = threading.Thread(target=bank.sync_index), set()
        thread.start()
        while thread.is_alive():
            bank.recall(question(5))
            seen.add(bank.stats().index.behind)
        thread.join()
        # A recall that waited for the whole would only ever see all of it or none of it left to do.
        assert len(seen - {0, 480}) >= 2
        assert bank.stats().index.behind == 0


def test_adding_ten_thousand_cases_builds_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, numpy; from agentfly.memory.bank import CaseBank; from agentfly.testing import HashEmbedder;"
        "from memory_helpers import cases; bank = CaseBank(sys.argv[1], HashEmbedder(16), exact_up_to=0);"
        "vectors = numpy.random.default_rng(0).normal(size=(10_000, 16));"
        "bank.add_many(cases(10_000), vectors); print(bank.count(), 'chromadb' in sys.modules)"
    )
    done = run(code, tmp_path / "home")
    assert (done.stdout, done.stderr) == ("10000 False\n", "")
