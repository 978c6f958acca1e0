"""The exact search: the same as sorting by cosine, whatever was changed in between and by whom."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from memory_helpers import cases

from agentfly.memory import exact as exact_module
from agentfly.memory.bank import CaseBank
from agentfly.memory.exact import ExactIndex
from agentfly.memory.filters import Filter
from agentfly.testing import HashEmbedder
from agentfly.types import Case

RNG = np.random.default_rng(1)


def unit(n: int) -> np.ndarray:
    vectors = RNG.normal(size=(n, 64)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("chunk", [1, 7, 8192])
def test_follows_what_is_committed(bank: CaseBank, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(exact_module, "_CHUNK", chunk)
    index, query, vectors = ExactIndex(bank._db, 64), unit(1)[0], unit(60)
    assert index.nearest(query, 5) == []
    stored = []
    for start in (0, 20, 40):
        stored += bank.add_many(cases(20, start=start), vectors[start : start + 20])
        expected = (1 + np.argsort(-(vectors[: start + 20] @ query))).tolist()
        assert index.nearest(query, 1000) == expected
        assert index.nearest(query, 5) == expected[:5]
        assert index.nearest(query, 3, among=expected[10:]) == expected[10:13]
        assert index.nearest(query, 3, among=[expected[7], 9999]) == [expected[7]]
        assert index.nearest(query, 3, among=[]) == []
    bank.set_status(stored[expected[0] - 1].id, "pruned")
    assert index.nearest(query, 5) == expected[1:6]
    bank.set_status(stored[expected[0] - 1].id, "active")
    assert index.nearest(query, 5) == expected[:5]
    assert index.nearest(query, 0) == []


def test_embedding_without_direction_or_of_another_size_is_passed_over(bank: CaseBank) -> None:
    bank.add_many(cases(4), unit(4))
    with bank._db.write() as tx:
        tx.execute("UPDATE cases SET embedding = zeroblob(256) WHERE seq = 1")
        tx.execute("UPDATE cases SET embedding = zeroblob(100) WHERE seq = 2")
        tx.execute("UPDATE cases SET embedding = x'' WHERE seq = 3")
    assert ExactIndex(bank._db, 64).nearest(unit(1)[0], 10) == [4]
    for where in (Filter(), Filter(created_after=1.0)):
        assert [one.case.task_id for one in bank._recaller._scored("mean", 10, where)[1]] == ["task-3"]


def test_a_case_that_the_index_has_not_read_does_not_hide_nearer_ones(tmp_path: Path) -> None:
    """The filter passes a tenth of the indexed cases, and all of the new ones, which are far off."""
    query = HashEmbedder(64).embed(["mean"])[0]
    away = unit(1)[0] - 2 * query
    near = [query * 3 + unit(1)[0] for _ in range(400)]
    with CaseBank(tmp_path, HashEmbedder(64), exact_up_to=0) as bank:
        bank.add_many([Case(question=f"{i}", domain="d" if i % 10 == 0 else "") for i in range(400)], np.stack(near))
        assert bank.sync_index() == 0
        bank.add_many([Case(question=f"far {i}", domain="d") for i in range(20)], np.stack([away] * 20))
        found = bank._recaller._scored("mean", 12, Filter(domain="d"))[1]
        assert bank.stats().index.owned
        assert len(found) == 12
        assert not any(one.case.question.startswith("far") for one in found)


def test_threads_search_while_others_write(bank: CaseBank) -> None:
    bank.add_many(cases(50), unit(50))
    failures: list[BaseException] = []

    def work(start: int) -> None:
        try:
            for i in range(15):
                bank.add_many(cases(2, start=start + 2 * i), unit(2))
                assert len(bank.recollect("mean", 4).candidates) == 32
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(1000 * n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert bank.count() == 50 + 4 * 30
    assert len(bank.recollect("mean", candidates=1000).candidates) == bank.count()
