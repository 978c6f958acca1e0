"""What retention costs and what it keeps: figures printed, ratios held. `make bench` runs these."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from agentfly.memory import retention
from agentfly.memory.bank import CaseBank
from agentfly.memory.embedding import MiniLMEmbedder
from agentfly.memory.keeping import decide
from agentfly.memory.worth import Facts
from agentfly.testing import HashEmbedder
from agentfly.types import Case

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

D = 384


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def zipf(n: int, kinds: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Cases around random centres, the r-th as frequent as 1/r, and which centre each has; every centre has one."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(kinds, D)).astype(np.float32)
    weights = 1 / np.arange(1, kinds + 1)
    truth = np.concatenate([np.arange(kinds), rng.choice(kinds, n - kinds, p=weights / weights.sum())])
    truth = rng.permutation(truth)
    return unit(centres[truth] + noise * rng.normal(size=(n, D)).astype(np.float32)), truth


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def facts(n: int, seed: int = 0, successes: float = 0.7) -> Facts:
    rng = np.random.default_rng(seed)
    judged = rng.integers(0, 6, n).astype(float)
    reward = (rng.random(n) < successes).astype(float)
    return Facts(
        reward=reward, seen=np.ones(n), judged=judged, helped=judged * rng.random(n), lesson=reward == 0,
        task=np.arange(n), tried=np.ones(n), failed=1 - reward,
    )  # fmt: skip


def pairwise(vectors: np.ndarray) -> np.ndarray:
    """One pass over all pairs: what any method costs that compares each case with each other."""
    blocks = range(0, len(vectors), 1024)
    return np.concatenate([(vectors[i : i + 1024] @ vectors.T).max(axis=1) for i in blocks])


def test_time_to_decide() -> None:
    taken, all_pairs = {}, {}
    for n in (2_000, 20_000):
        vectors, _ = zipf(n, n // 50, 1.0)
        known, age = facts(n), np.arange(n)[::-1]
        taken[n] = {
            share: min(seconds(lambda: decide(vectors, known, age, int(n * share))) for _ in range(3))  # noqa: B023
            for share in (0.2, 0.95)
        }
        all_pairs[n] = min(seconds(lambda: pairwise(vectors)) for _ in range(2))  # noqa: B023
        print(
            f"\n{n:,} cases: to 20 % {taken[n][0.2]:.2f} s, to 95 % {taken[n][0.95]:.2f} s; pairs {all_pairs[n]:.2f} s"
        )
    for share in (0.2, 0.95):
        assert taken[20_000][share] <= 1.5 * all_pairs[20_000]
        assert taken[20_000][share] <= 30 * taken[2_000][share]  # all pairs would be 100 times


def test_time_with_a_large_bank(tmp_path: Path) -> None:
    """100,000 cases: what an add costs while there is room, and what pruning costs when there is none."""
    n = 100_000
    vectors, _ = zipf(n, 2_000, 1.0)
    with CaseBank(tmp_path, HashEmbedder(D), exact_up_to=10**9) as bank:
        for start in range(0, n, 5_000):
            bank.add_many(
                [
                    Case(question=f"question {i}", solution="print(1)\n" * 20, reward=float(i % 4 > 0))
                    for i in range(start, start + 5_000)
                ],
                vectors[start : start + 5_000],
            )
        db = bank._db
        count = statistics.median(
            seconds(lambda: db.read("SELECT count(*) FROM cases WHERE status = 'active'")) for _ in range(50)
        )
        retention.keep_to(db, n + 1_000, D)
        under = statistics.median(seconds(lambda: retention.keep_to(db, n + 1_000, D)) for _ in range(200))
        took = seconds(lambda: bank.prune(n - 5_000, dry_run=True))
        over = seconds(lambda: retention.keep_to(db, n - 1, D))
        assert bank.count() == n - 1 - int((n - 1) * retention.SLACK)
    print(f"\n{n:,} cases: keep_to with room {under * 1e6:.0f} us, a count {count * 1e6:.0f} us")
    print(f"{n:,} cases: a dry run to 95 % {took:.1f} s, pruning {over:.1f} s")
    assert under <= count / 5


def coverage(bank: np.ndarray, truth: np.ndarray, kept: np.ndarray, queries: np.ndarray, of: np.ndarray) -> float:
    """Share of queries, as many of each kind, that find a case of their kind among the nearest four."""
    near = np.argpartition(-(queries @ bank[kept].T), 3, axis=1)[:, :4]
    return float((truth[kept][near] == of[:, None]).any(axis=1).mean())


def test_what_pruning_to_a_fifth_keeps() -> None:
    """Kinds by Zipf's law: every one is asked for, the rare ones too."""
    ours, random, oldest, newest = [], [], [], []
    for seed in range(5):
        rng = np.random.default_rng(100 + seed)
        kinds, n = 200, 3_000
        vectors, truth = zipf(n, kinds, 1.0, seed)
        centres = np.stack([vectors[truth == kind].mean(axis=0) for kind in range(kinds)])
        of = np.repeat(np.arange(kinds), 5)
        queries = unit(unit(centres)[of] + 0.6 / np.sqrt(D) * rng.normal(size=(len(of), D)))
        decision = decide(vectors, facts(n, seed), np.arange(n)[::-1], n // 5)
        for result, kept in (
            (ours, np.setdiff1d(np.arange(n), decision.goes)),
            (random, rng.choice(n, n // 5, replace=False)),
            (oldest, np.arange(n // 5)),
            (newest, np.arange(n - n // 5, n)),
        ):
            assert len(kept) == n // 5
            result.append(coverage(vectors, truth, kept, queries, of))
    mean = {
        name: statistics.mean(values)
        for name, values in zip(["ours", "random", "oldest", "newest"], (ours, random, oldest, newest), strict=False)
    }
    print("\nqueries that find their kind after pruning to 20 %: " + ", ".join(f"{k} {v:.1%}" for k, v in mean.items()))
    assert mean["ours"] >= 0.97
    assert mean["ours"] >= mean["random"] + 0.2
    assert mean["ours"] >= max(mean["oldest"], mean["newest"]) + 0.2


def test_what_pruning_mementos_memory_keeps() -> None:
    """How near the nearest kept case is to each question of the bank; and that the failures do not crowd out."""
    file = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "memento" / "memory.jsonl"
    if not file.is_file():
        pytest.skip("Memento's memory.jsonl is not there")
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    vectors = MiniLMEmbedder().embed([line["case"] for line in lines])
    reward = np.array([float(line["case_label"] == "positive") for line in lines])
    n = len(lines)
    known = Facts(
        reward=reward, seen=np.ones(n), judged=np.zeros(n), helped=np.zeros(n), lesson=np.zeros(n) > 0,
        task=np.arange(n), tried=np.ones(n), failed=1 - reward,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    print()
    for share in (0.5, 0.25):
        decision = decide(vectors, known, np.arange(n)[::-1], int(n * share))
        kept = np.setdiff1d(np.arange(n), decision.goes)
        good = np.intersect1d(kept, np.flatnonzero(reward))
        similar = float((vectors @ vectors[kept].T).max(axis=1).mean())
        by_chance, solved_by_chance = [], []
        for _ in range(5):
            drawn = rng.choice(n, len(kept), replace=False)
            by_chance.append(float((vectors @ vectors[drawn].T).max(axis=1).mean()))
            solved_by_chance.append(reward[drawn].mean())
        print(
            f"{n:,} cases of Memento, {decision.kinds.max() + 1} kinds, to {len(kept)} ({decision.held} held): nearest kept "
            f"{similar:.3f}, by chance {statistics.mean(by_chance):.3f}; successes {len(good) / len(kept):.0%}, "
            f"by chance {statistics.mean(solved_by_chance):.0%}"
        )
        assert similar >= statistics.mean(by_chance)
        assert len(good) / len(kept) >= statistics.mean(solved_by_chance)
