"""Kinds of tasks: the same ones every time, as many as there are, whatever the embedder."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentfly.memory import clusters


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def bank(sizes: list[int], noise: float, d: int = 128, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Cases around random centres, shuffled, and which centre each has."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = rng.normal(size=(len(sizes), d))
    return unit(centres[truth] + noise * rng.normal(size=(len(truth), d))), truth


@pytest.mark.parametrize("noise", [0.0, 0.3, 0.7])
def test_kinds_that_are_there_are_found(noise: float) -> None:
    vectors, truth = bank([60, 25, 12, 6, 3, 1, 1], noise)
    found = clusters.kinds(vectors)
    assert len({*zip(found.tolist(), truth.tolist(), strict=True)}) == len(set(truth)) == found.max() + 1


def test_a_bank_on_one_subject_falls_into_kinds_as_well() -> None:
    """All cases share much: what tells them apart is the rest."""
    vectors, truth = bank([40, 40, 5], 0.3)
    close = unit(vectors + 1.0 * np.eye(1, vectors.shape[1]))
    found = clusters.kinds(close)
    assert np.median(close @ close.T) > 0.4
    assert len({*zip(found.tolist(), truth.tolist(), strict=True)}) == 3 == found.max() + 1


def test_no_case_one_case_and_no_embedding() -> None:
    assert clusters.kinds(np.zeros((0, 8), dtype=np.float32)).tolist() == []
    assert clusters.kinds(np.eye(1, 8, dtype=np.float32)).tolist() == [0]
    mixed = np.stack([np.zeros(8), np.eye(8)[1], np.zeros(8), np.eye(8)[1]]).astype(np.float32)
    assert clusters.kinds(mixed).tolist() == [0, 1, 0, 1]


def test_opposite_and_unrelated_cases_are_of_different_kinds() -> None:
    axes = np.concatenate([np.eye(4), -np.eye(4)]).astype(np.float32)
    assert clusters.kinds(axes).tolist() == list(range(8))


@settings(max_examples=25)
@given(st.integers(1, 80), st.integers(1, 9), st.integers(0, 10**6))
def test_same_vectors_same_kinds_and_copies_are_of_one_kind(n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = unit(rng.normal(size=(k, 16)))[rng.integers(0, k, n)]
    found = clusters.kinds(vectors)
    assert found.tolist() == clusters.kinds(vectors.copy()).tolist()
    assert [*dict.fromkeys(found.tolist())] == list(range(found.max() + 1))
    for row in range(n):
        assert len(set(found[(vectors == vectors[row]).all(axis=1)].tolist())) == 1


def test_more_kinds_than_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "MOST_KINDS", 5)
    found = clusters.kinds(np.eye(40, dtype=np.float32))
    assert found.shape == (40,)
    assert found.max() < 5


@settings(max_examples=25)
@given(st.integers(1, 200), st.integers(1, 40), st.integers(0, 10**6))
def test_neighbourhoods_hold_every_row_once(n: int, most: int, seed: int) -> None:
    vectors = unit(np.random.default_rng(seed).normal(size=(n, 8)))
    parts = clusters.cells(vectors, most)
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    assert max(map(len, parts)) <= most


def test_neighbourhoods_keep_copies_together() -> None:
    vectors = np.repeat(unit(np.random.default_rng(3).normal(size=(30, 16))), 4, axis=0)
    for part in clusters.cells(vectors, 40):
        assert all(count == 4 for count in np.bincount(part // 4) if count)


def test_neighbourhoods_of_equal_rows_end() -> None:
    parts = clusters.cells(np.ones((100, 4), dtype=np.float32) / 2, 16)
    assert sorted(np.concatenate(parts).tolist()) == list(range(100))
    assert max(map(len, parts)) <= 16
