"""What case memory costs at 100,000 cases: figures printed, ratios within the run held. `make bench` runs these."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from agentfly.memory.bank import CaseBank
from agentfly.memory.embedding import MiniLMEmbedder
from agentfly.types import Case

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

D = 384
SIZE = 100_000
NEVER = 10**9
RNG = np.random.default_rng(0)
POLICIES = ["similarity", *(name for name in ("episodic", "neural") if find_spec(f"agentfly.memory.selection.{name}"))]


class Given:
    """Looks embeddings up, so that embedding is left out of what is measured."""

    name, dimensions = "given", D

    def __init__(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        self.known = dict(zip(texts, vectors, strict=True))

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self.known[text] for text in texts])


def clustered(n: int, centres: np.ndarray) -> np.ndarray:
    """Unit vectors in clusters, as sentence embeddings lie."""
    vectors = centres[RNG.integers(0, len(centres), n)] + 0.8 * RNG.normal(size=(n, D))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def make(start: int, stop: int) -> list[Case]:
    text = "with as many words as a question has " * 3
    return [
        Case(
            question=f"question {i} {text}",
            solution="print(1)\n" * 20,
            answer=str(i),
            domain="rare" if i % 1000 == 0 else f"domain {i % 7}",
            tags=("rare", "any") if i % 1000 == 1 else ("any",),
            reward=float(i % 3 > 0),
        )
        for i in range(start, stop)
    ]


def median(action: Callable[[str], object], queries: Sequence[str]) -> float:
    """Median milliseconds."""
    times = []
    for query in queries:
        start = time.perf_counter()
        action(query)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


@dataclass
class Large:
    """A home of 100,000 cases with its index built."""

    path: Path
    embedder: Given
    queries: list[str]

    def open(self, exact_up_to: int = 0, **options) -> CaseBank:
        return CaseBank(self.path, self.embedder, exact_up_to=exact_up_to, **options)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Large:
    centres = RNG.normal(size=(400, D))
    queries = [f"query {i}" for i in range(200)]
    made = Large(tmp_path_factory.mktemp("large") / "home", Given(queries, clustered(200, centres)), queries)
    with made.open(NEVER) as bank:
        vectors, cases = clustered(10_000, centres), make(0, 10_000)
        start = time.perf_counter()
        for i in range(0, 10_000, 500):
            bank.add_many(cases[i : i + 500], vectors[i : i + 500])
        rate = 10_000 / (time.perf_counter() - start)
        print(f"\n10,000 cases added in batches of 500, durably: {rate:,.0f} cases/s")
        assert rate >= 800
        for i in range(10_000, SIZE, 10_000):
            bank.add_many(make(i, i + 10_000), clustered(10_000, centres))
        start = time.perf_counter()
        left = asyncio.run(_built_beside_a_loop(bank))
        print(f"index of {SIZE:,} cases built: {SIZE / (time.perf_counter() - start):,.0f} cases/s")
        assert left == 0
    return made


async def _built_beside_a_loop(bank: CaseBank) -> int:
    """Builds the index in a thread; the event loop must not notice."""
    task, waits = asyncio.create_task(asyncio.to_thread(bank.sync_index)), []
    while not task.done():
        start = time.perf_counter()
        await asyncio.sleep(0.005)
        waits.append((time.perf_counter() - start - 0.005) * 1e3)
    waits.sort()
    print(f"event loop meanwhile: late by {waits[int(0.99 * len(waits))]:.1f} ms (99 %), {waits[-1]:.0f} ms at most")
    assert waits[int(0.99 * len(waits))] <= 50
    return task.result()


def test_opening_with_an_intact_index(large: Large) -> None:
    import chromadb  # noqa: F401  its import is no part of opening a home

    start = time.perf_counter()
    with large.open() as bank:
        bank.recall(large.queries[0])
        took = time.perf_counter() - start
        assert bank.stats().index.owned
    print(f"\nhome of {SIZE:,} cases opened, first recall included: {took:.2f} s")
    assert took <= 2


def test_what_recall_finds_with_the_index(large: Large) -> None:
    with large.open() as bank, large.open(NEVER) as exact:
        shares = {
            k: statistics.mean(
                len({one.case.id for one in bank.recall(query, k)} & {one.case.id for one in exact.recall(query, k)})
                / k
                for query in large.queries
            )
            for k in (4, 32)
        }
        assert bank.stats().index.owned
    print(f"\nshare of the exact answer that is found: {shares[4]:.4f} of 4, {shares[32]:.4f} of 32")
    assert min(shares.values()) >= 0.95


@pytest.mark.parametrize("policy", POLICIES)
def test_recall_against_bare_chroma(large: Large, policy: str) -> None:
    with large.open(policy=policy) as bank, large.open(NEVER, policy=policy) as exact:
        for i, query in enumerate(large.queries[:60]):  # so that a policy that learns has something to go by
            bank.record_shown(f"{policy} {i}", f"task {i}", bank.recollect(query))
            bank.record_outcome(f"{policy} {i}", float(i % 2))
        exact.recall(large.queries[0])
        assert bank.stats().index.owned
        chroma = bank._index._collection.query
        known = large.embedder.known
        lean = median(lambda q: chroma(query_embeddings=[known[q]], n_results=32, include=[]), large.queries)
        bare = median(lambda q: chroma(query_embeddings=[known[q]], n_results=32), large.queries)
        ours, ours_exact = median(bank.recall, large.queries), median(exact.recall, large.queries)
    print(
        f"\n{SIZE:,} cases, {policy}: recall {ours:.2f} ms, exactly {ours_exact:.2f} ms; "
        f"Chroma alone {bare:.2f} ms, ids only {lean:.2f} ms: {ours / bare:.1f} and {ours / lean:.1f} times"
    )
    assert ours <= 8
    assert ours <= 3 * bare


@pytest.mark.parametrize(
    "where",
    [{"domain": "rare"}, {"tags": ["rare"]}, {"tags": ["no such"]}, {"domain": "domain 1", "min_reward": 0.5}],
    ids=str,
)
def test_recall_through_a_narrow_filter(large: Large, where: dict) -> None:
    queries = large.queries[:20]
    with large.open() as bank, large.open(NEVER) as exact:
        same = [
            [one.case.id for one in bank.recall(query, **where)]
            == [one.case.id for one in exact.recall(query, **where)]
            for query in queries
        ]
        ours = median(lambda query: bank.recall(query, **where), queries)
    print(f"\n{where}: recall {ours:.1f} ms")
    assert statistics.mean(same) >= 0.95
    assert ours <= 1000


def test_recall_against_embedding_the_pool_for_each_query(tmp_path: Path) -> None:
    """Memento embeds its whole pool for every query."""
    file = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "memento" / "memory.jsonl"
    if file.is_file():
        questions = [json.loads(line)["case"] for line in file.read_text(encoding="utf-8").splitlines()]
    else:
        questions = [case.question for case in make(0, 1278)]
    embedder = MiniLMEmbedder()
    embedder.embed(questions[:2])
    start = time.perf_counter()
    embedder.embed(questions)
    pool = (time.perf_counter() - start) * 1e3
    with CaseBank(tmp_path, embedder) as bank:
        bank.add_many([Case(question=question) for question in questions])
        bank.recall("warm")
        ours = median(bank.recall, [f"{question} again?" for question in questions[:100]])
    print(f"\n{len(questions):,} cases: recall {ours:.1f} ms, embedding included; embedding the pool {pool:,.0f} ms")
    assert pool / ours >= 150
