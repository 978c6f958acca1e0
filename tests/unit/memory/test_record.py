"""The record as policies read it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from memory_helpers import cases
from tiny_policy import judged, show

from agentfly.memory import credit
from agentfly.memory.bank import CaseBank
from agentfly.memory.selection import record
from agentfly.protocols import Episode
from agentfly.store.migrations import MIGRATIONS
from agentfly.testing import HashEmbedder


class Page(NamedTuple):
    episodes: list[Episode]
    upto: int


def read(bank: CaseBank, after: int = 0, limit: int | None = None) -> Page:
    reader = record.Reader(bank._db, after, bank.embedder.name, bank.embedder.dimensions)
    return Page(reader.read(limit), reader.upto)


def test_an_episode_says_what_was_shown_when_and_what_it_earned(bank: CaseBank) -> None:
    stored = bank.add_many(cases(3))
    state = bank.embed("price of tax")
    judged(bank, "run-1", [stored[2], stored[0]], 0.25, state=state, propensity=0.125)
    (episode,) = read(bank).episodes
    assert (episode.number, episode.run, episode.reward) == (1, "run-1", 0.25)
    (shown,) = episode.recalls
    assert [case.id for case in shown.cases] == [stored[2].id, stored[0].id]
    assert np.array_equal(shown.state, state)
    assert np.array_equal(shown.vectors, bank.embedder.embed([stored[2].question, stored[0].question]))
    assert shown.propensities == (0.125, 0.125)
    assert replace(shown.cases[0], shown=0, helped=0.0) == replace(stored[2], shown=0, helped=0.0)


def test_what_was_recalled_is_what_is_read(bank: CaseBank) -> None:
    bank.add_many(cases(40))
    found = bank.recollect("mean of tax", k=4, temperature=0.3, seed=1)
    bank.record_shown("run-1", "task-1", found)
    bank.record_outcome("run-1", 1.0)
    (shown,) = read(bank).episodes[0].recalls
    assert [case.id for case in shown.cases] == [one.case.id for one in found.chosen]
    assert shown.propensities == tuple(one.propensity for one in found.chosen)
    assert np.array_equal(shown.state, found.state)


def test_unjudged_runs_are_not_in_the_record(bank: CaseBank) -> None:
    (a,) = bank.add_many(cases(1))
    show(bank, "run-1", [a])
    assert read(bank) == Page([], 0)
    assert record.latest(bank._db) == 0


def test_pages_join_to_the_whole(bank: CaseBank) -> None:
    stored = bank.add_many(cases(5))
    for i in range(11):
        judged(bank, f"run-{i}", [stored[i % 5]], i / 10)
    whole = read(bank)
    assert [one.number for one in whole.episodes] == list(range(1, 12))
    assert whole.upto == record.latest(bank._db) == 11
    reader = record.Reader(bank._db, 0, bank.embedder.name, bank.embedder.dimensions)
    pages = [reader.read(4) for _ in range(4)]
    assert [len(part) for part in pages] == [4, 4, 3, 0]
    assert [one.recalls[0].cases for part in pages for one in part] == [one.recalls[0].cases for one in whole.episodes]
    assert read(bank, 11) == Page([], 11)


def test_the_counters_are_those_from_before_the_verdict(bank: CaseBank) -> None:
    """Else a policy with counters among its features learns from the outcome that it is to predict."""
    a, b = bank.add_many([replace(case, shown=3, helped=1.5) for case in cases(2)])
    for i, reward in enumerate((1.0, 0.0, 0.5)):
        judged(bank, f"run-{i}", [a, b] if i == 1 else [a], reward)
    expected = [(3, 1.5), (4, 2.5), (5, 2.5)]
    for after in range(3):
        got = [one.recalls[0].cases[0] for one in read(bank, after).episodes]
        assert [(case.shown, case.helped) for case in got] == expected[after:]
        assert [(case.shown, case.helped) for case in (read(bank, after, 1).episodes[0].recalls[0].cases[0],)] == [
            expected[after]
        ]
    assert bank.get(a.id).shown == 6


def test_what_another_embedder_embedded_is_passed_over(bank: CaseBank) -> None:
    a, b = bank.add_many(cases(2))
    judged(bank, "run-1", [a, b], 1.0)
    with bank._db.write() as tx:
        tx.execute("UPDATE cases SET embedder = 'other' WHERE id = ?", (a.id,))
    (episode,) = read(bank).episodes
    assert [case.id for case in episode.recalls[0].cases] == [b.id]
    assert episode.recalls[0].propensities == (0.5,)
    with bank._db.write() as tx:
        tx.execute("UPDATE cases SET embedding = x'00' WHERE id = ?", (b.id,))
    assert read(bank) == Page([], 1)
    with bank._db.write() as tx:
        tx.execute("UPDATE recalls SET embedder = 'other'")
    assert read(bank) == Page([], 1)
    other = HashEmbedder(32)
    assert record.episodes(bank._db, 0, None, other.name, other.dimensions) == []


def test_a_state_of_the_wrong_size_is_passed_over(bank: CaseBank) -> None:
    (a,) = bank.add_many(cases(1))
    judged(bank, "run-1", [a], 1.0)
    judged(bank, "run-2", [a], 1.0)
    with bank._db.write() as tx:
        tx.execute("UPDATE recalls SET state = x'00000000' WHERE run_id = 'run-1'")
    assert [one.run for one in read(bank).episodes] == ["run-2"]


def test_a_record_from_before_subtasks_reads_as_well(bank: CaseBank) -> None:
    """Schema 1 had no numbers: the migration took the recall's id for one."""
    assert any("judged = id" in statement for statement in MIGRATIONS[1])
    a, b = bank.add_many(cases(2))
    show(bank, "run-1", [a])
    show(bank, "run-2", [b])
    with bank._db.write() as tx:
        tx.execute("UPDATE interactions SET reward = 1.0")
        tx.execute("UPDATE recalls SET judged = id, choice = '{}', candidates = NULL")
    assert [(one.number, one.run) for one in read(bank).episodes] == [(1, "run-1"), (2, "run-2")]


def test_ten_thousand_episodes_are_read_in_two_seconds(tmp_path) -> None:
    rng = np.random.default_rng(3)
    with CaseBank(tmp_path, HashEmbedder(384)) as bank:
        vectors = rng.normal(size=(2000, 384)).astype(np.float32)
        stored = bank.add_many(cases(2000), vectors)
        state = (vectors[0] / np.linalg.norm(vectors[0])).tobytes()
        with bank._db.write() as tx:
            tx.executemany(
                """INSERT INTO recalls (id, run_id, task_id, created, policy, embedder, state, candidates, judged)
                   VALUES (?1, 'run-' || ?1, 't', 0, 'p', 'hash-384', ?2, '[]', ?1)""",
                [(i, state) for i in range(1, 10_001)],
            )
            tx.executemany(
                "INSERT INTO interactions VALUES (?, ?, ?, 0.5, 0.5, 0.25, 1.0)",
                [(i, rank, stored[(7 * i + rank) % 2000].id) for i in range(1, 10_001) for rank in range(4)],
            )
        start = time.perf_counter()
        found = read(bank)
        seconds = time.perf_counter() - start
        assert len(found.episodes) == 10_000
        assert sum(len(one.recalls[0].cases) for one in found.episodes) == 40_000
        assert seconds < 15.0, "under 1 s on an idle machine"
        print(f"10,000 episodes of 4 in {seconds:.2f} s")
        start = time.perf_counter()
        read(bank, 9_999)
        assert time.perf_counter() - start < seconds / 5, "not all of it is read again"
        print(f"one more episode in {1000 * (time.perf_counter() - start):.2f} ms")


@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_a_run_judged_again_between_pages_comes_again_with_its_last_reward(bank: CaseBank, reward: float) -> None:
    (a,) = bank.add_many(cases(1))
    for i in range(4):
        judged(bank, f"run-{i}", [a], 0.5)
    first = read(bank, 0, 2)
    credit.outcome(bank._db, "run-0", reward)
    rest = read(bank, first.upto)
    assert [(one.run, one.reward) for one in rest.episodes] == [("run-2", 0.5), ("run-3", 0.5), ("run-0", reward)]
