"""What every selection policy must do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agentfly.memory.selection.similarity import SimilarityPolicy
from agentfly.protocols import Policy
from agentfly.types import Case

RNG = np.random.default_rng(7)


@pytest.fixture(params=[SimilarityPolicy])
def policy(request: pytest.FixtureRequest) -> Policy:
    return request.param()


def candidates(n: int, dimensions: int = 16) -> tuple[np.ndarray, list[Case], np.ndarray]:
    vectors = RNG.normal(size=(n + 1, dimensions)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cases = [Case(id=f"case-{i}", question=f"q{i}", reward=i % 2, shown=i, helped=i / 2) for i in range(n)]
    return vectors[0], cases, vectors[1:]


def test_is_a_policy_with_a_name(policy: Policy) -> None:
    assert isinstance(policy, Policy)
    assert policy.name == policy.name.lower()


@pytest.mark.parametrize("n", [1, 2, 64])
def test_one_finite_score_for_each_case(policy: Policy, n: int) -> None:
    scores = policy.score(*candidates(n))
    assert scores.shape == (n,)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()


def test_a_score_does_not_depend_on_the_order(policy: Policy) -> None:
    state, cases, vectors = candidates(10)
    order = RNG.permutation(10)
    shuffled = policy.score(state, [cases[i] for i in order], vectors[order])
    assert np.allclose(shuffled, policy.score(state, cases, vectors)[order], atol=1e-6)


def test_scoring_changes_nothing(policy: Policy) -> None:
    state, cases, vectors = candidates(10)
    before = (state.copy(), [replace(case) for case in cases], vectors.copy())
    first = policy.score(state, cases, vectors)
    assert np.array_equal(first, policy.score(state, cases, vectors))
    assert np.array_equal(before[0], state)
    assert before[1] == cases
    assert np.array_equal(before[2], vectors)


def test_with_nothing_learned_the_nearer_of_equals_is_better(policy: Policy) -> None:
    state, cases, vectors = candidates(5)
    equals = [replace(case, reward=1.0, shown=0, helped=0.0) for case in cases]
    scores = policy.score(state, equals, vectors)
    assert int(np.argmax(scores)) == int(np.argmax(vectors @ state))
