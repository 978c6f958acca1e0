"""Do the selection policies learn? On simulated streams (see `support.selection_stream` for the world), and at what cost."""

from __future__ import annotations

import os
import statistics
import time

import numpy as np
import pytest
from support.selection_stream import D, Outcome, fresh, milliseconds, stream, unit

from agentfly.memory.selection.named import POLICIES
from agentfly.protocols import Episode, LearningPolicy, Shown
from agentfly.types import Case

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

SEEDS = range(int(os.environ.get("AGENTFLY_BENCH_SEEDS", "5")))
EPISODES, TAIL = 3000, 500


"""For the streams besides the headline: ten minutes otherwise."""


def table(title: str, rows: dict[str, list[Outcome]]) -> None:
    print(
        f"\n{title}: share of the oracle's reward over the last {TAIL} of {EPISODES} episodes, {len(rows['episodic'])} seeds"
    )
    print("policy      greedy: mean   min   max   soft: mean   update, median ms")
    for name, outcomes in rows.items():
        greedy, soft = [one.greedy for one in outcomes], [one.soft for one in outcomes]
        updates = [ms for one in outcomes for ms in one.updates]
        cost = f"{statistics.median(updates):.2f}" if updates else "none"
        print(
            f"{name:<12}{statistics.mean(greedy):>12.3f} {min(greedy):>6.3f} {max(greedy):>5.3f}"
            f"{statistics.mean(soft):>13.3f}{cost:>14}"
        )


def measured(k: int, truth: bool, seeds: range) -> dict[str, float]:
    """Mean greedy share of each policy; prints the table, and holds the cost of an update."""
    rows = {
        name: [stream(fresh(name), seed, k=k, episodes=EPISODES, tail=TAIL, truth=truth) for seed in seeds]
        for name in POLICIES
    }
    table(f"similarity {'is the truth' if truth else 'says little'}, K = {k}", rows)
    for outcomes in rows.values():
        updates = [ms for one in outcomes for ms in one.updates]
        assert not updates or statistics.median(updates) <= 5.0
    return {name: statistics.mean(one.greedy for one in outcomes) for name, outcomes in rows.items()}


def test_selection_learns_where_similarity_says_little() -> None:
    """The headline: one case shown, so that the reward is the policy's own choice and nothing else's."""
    share = measured(k=1, truth=False, seeds=SEEDS)
    assert share["similarity"] <= 0.65
    assert share["episodic"] >= 0.85
    assert share["neural"] >= 0.85


def test_selection_learns_from_slates_of_four() -> None:
    """A quarter of the reward is each case's: the same number of episodes tells far less of each."""
    share = measured(k=4, truth=False, seeds=SEEDS)
    assert share["similarity"] <= 0.65
    assert share["episodic"] >= share["similarity"] + 0.25
    assert share["neural"] >= share["similarity"] + 0.25


@pytest.mark.parametrize("k", [1, 4])
def test_nothing_is_lost_where_similarity_is_the_truth(k: int) -> None:
    share = measured(k=k, truth=True, seeds=SEEDS)
    assert share["episodic"] >= share["similarity"] - 0.02
    assert share["neural"] >= share["similarity"] - 0.02


def record(n: int, k: int = 4) -> list[Episode]:
    """Judged runs at random, as a record to catch up with."""
    rng = np.random.default_rng(0)
    vectors = unit(rng.normal(size=(1000, D)))
    cases = [Case(id=f"case-{i}", question=f"question {i}") for i in range(1000)]
    found = []
    for number in range(1, n + 1):
        at = rng.choice(1000, k, replace=False)
        shown = Shown(
            state=unit(rng.normal(size=D)),
            cases=tuple(cases[i] for i in at),
            vectors=vectors[at],
            propensities=(0.1,) * k,
        )
        reward = float(rng.integers(2))
        found.append(Episode(number=number, run=f"run-{number}", recalls=(shown,), reward=reward))
    return found


@pytest.mark.parametrize("name", ["episodic", "neural"])
def test_cost(name: str) -> None:
    policy, episodes = fresh(name), record(10_100)
    assert isinstance(policy, LearningPolicy)
    start = time.perf_counter()
    policy.learn(episodes[:10_000])
    caught_up = time.perf_counter() - start
    rng = np.random.default_rng(1)
    vectors = unit(rng.normal(size=(64, D)))
    cases = [Case(id=f"case-{i}", question="") for i in range(64)]
    state = unit(rng.normal(size=D))
    score = milliseconds(lambda: policy.score(state, cases, vectors))
    rest = iter(episodes[10_000:])
    update = milliseconds(lambda: policy.learn([next(rest)]))
    dump = milliseconds(policy.dump, 5)
    size = len(policy.dump()) / 2**20
    print(
        f"\n{name}: 64 candidates {score:.2f} ms, an update {update:.2f} ms, 10,000 episodes {caught_up:.1f} s, "
        f"dump {dump:.0f} ms and {size:.1f} MiB"
    )
    assert score <= 2.0
    assert update <= 5.0
    assert caught_up <= 10.0
