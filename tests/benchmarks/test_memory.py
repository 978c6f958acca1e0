"""What case memory costs: figures printed, ratios held. `make bench` runs these."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from agentfly.memory.bank import CaseBank
from agentfly.memory.embedding import MiniLMEmbedder
from agentfly.types import Case

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

D = 384
SIZE = 20_000
RNG = np.random.default_rng(0)


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


def make(n: int, start: int = 0) -> list[Case]:
    text = "with as many words as a question has " * 3
    return [Case(question=f"question {i} {text}", solution="print(1)\n" * 20, answer=str(i)) for i in range(start, n)]


def median(action: Callable[[str], object], queries: Sequence[str]) -> float:
    """Median milliseconds."""
    times = []
    for query in queries:
        start = time.perf_counter()
        action(query)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Given, list[str]]:
    centres = RNG.normal(size=(400, D))
    queries = [f"query {i}" for i in range(200)]
    embedder = Given(queries, clustered(len(queries), centres))
    path = tmp_path_factory.mktemp("large") / "home"
    with CaseBank(path, embedder, exact_up_to=10**9) as bank:
        vectors, cases = clustered(SIZE, centres), make(SIZE)
        start = time.perf_counter()
        for i in range(0, 10_000, 500):
            bank.add_many(cases[i : i + 500], vectors[i : i + 500])
        rate = 10_000 / (time.perf_counter() - start)
        print(f"\n{rate:,.0f} cases/s added in batches of 500, durably")
        assert rate >= 800
        bank.add_many(cases[10_000:], vectors[10_000:])
        start = time.perf_counter()
        bank.sync_index()
        print(f"{SIZE / (time.perf_counter() - start):,.0f} cases/s indexed")
    return path, embedder, queries


def test_recall_with_index_against_bare_chroma(large: tuple[Path, Given, list[str]]) -> None:
    path, embedder, queries = large
    with CaseBank(path, embedder, exact_up_to=0) as bank, CaseBank(path, embedder, exact_up_to=10**9) as exact:
        start = time.perf_counter()
        bank.recall(queries[0])
        print(f"\n{time.perf_counter() - start:.2f} s to the first recall with the index")
        assert bank.stats().index.owned
        same = [
            len({one.case.id for one in bank.recall(query)} & {one.case.id for one in exact.recall(query)}) / 4
            for query in queries
        ]
        ours, ours_exact = median(bank.recall, queries), median(exact.recall, queries)
        bare = median(lambda query: bank._index.nearest(embedder.known[query], 32), queries)
    print(f"{SIZE:,} cases: recall {ours:.2f} ms, exactly {ours_exact:.2f} ms, bare Chroma {bare:.2f} ms")
    assert statistics.mean(same) >= 0.99
    assert ours <= max(8.0, 3 * bare)


def test_recall_against_embedding_the_pool_for_each_query(tmp_path: Path) -> None:
    """Memento embeds its whole pool for every query."""
    file = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "memento" / "memory.jsonl"
    if file.is_file():
        questions = [json.loads(line)["case"] for line in file.read_text(encoding="utf-8").splitlines()]
    else:
        questions = [case.question for case in make(1278)]
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
