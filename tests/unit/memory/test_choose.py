"""What is shown out of what was found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentfly.memory.selection.choose import SAME, choose, cost
from agentfly.types import Case, Recalled


def one(name: str, score: float, reward: float = 1.0, similarity: float | None = None, task: str = "") -> Recalled:
    case = Case(id=name, question=name, reward=reward, task_id=task)
    return Recalled(case=case, score=score, similarity=score if similarity is None else similarity)


def pick(found: list[Recalled], k: int, vectors: np.ndarray | None = None, **options) -> list[str]:
    if vectors is None:
        vectors = np.eye(max(len(found), 1), dtype=np.float32)
    return [chosen.case.id for chosen in choose(found, vectors, k, **options)]


def test_best_first_whatever_the_order() -> None:
    found = [one("b", 0.5), one("a", 0.9), one("c", 0.1)]
    assert pick(found, 2) == ["a", "b"]
    assert pick(found, 9) == ["a", "b", "c"]
    assert pick(found, 0) == []
    assert pick([], 4) == []


def test_successes_stand_before_failures() -> None:
    found = [one("fail", 0.9, reward=0.0), one("good", 0.5), one("better", 0.6)]
    assert pick(found, 3) == ["better", "good", "fail"]


def test_share_of_failures() -> None:
    found = [one(f"f{i}", 0.9 - i / 100, reward=0.0) for i in range(4)] + [
        one(f"s{i}", 0.5 - i / 100) for i in range(4)
    ]
    assert pick(found, 4, failures=0.25) == ["s0", "s1", "s2", "f0"]
    assert pick(found, 4, failures=0.0) == ["s0", "s1", "s2", "s3"]
    assert pick(found, 4, failures=1.0) == ["f0", "f1", "f2", "f3"]
    assert pick(found, 4) == ["f0", "f1", "f2", "f3"]


def test_share_is_of_what_is_shown_not_of_what_was_asked_for() -> None:
    assert pick([one("f", 0.9, reward=0.0)], 4, failures=0.25) == []
    assert pick([one("f", 0.9, reward=0.0), one("s", 0.1)], 4, failures=0.5) == ["s", "f"]


def test_floor_is_on_similarity_not_on_score() -> None:
    assert pick([one("far", 0.9, similarity=0.2), one("near", 0.1, similarity=0.8)], 4, floor=0.35) == ["near"]


def test_budget_passes_over_what_does_not_fit() -> None:
    big = Recalled(case=Case(id="big", question="q" * 4000), similarity=0.9, score=0.9)
    found = [big, one("small", 0.5)]
    assert pick(found, 2, tokens=cost(found[1].case)) == ["small"]
    assert pick(found, 2, tokens=10_000) == ["big", "small"]
    assert pick(found, 2, tokens=0) == []


def test_one_question_is_shown_once_as_success_and_once_as_failure() -> None:
    vectors = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1]], dtype=np.float32)
    found = [one("s1", 0.9), one("s2", 0.8), one("f1", 0.7, 0.0), one("f2", 0.6, 0.0), one("other", 0.1)]
    assert pick(found, 5, vectors) == ["s1", "other", "f1"]


def test_one_task_is_shown_once() -> None:
    assert pick([one("a", 0.9, task="t"), one("b", 0.8, task="t"), one("c", 0.7, task="u")], 3) == ["a", "c"]
    assert pick([one("a", 0.9), one("b", 0.8)], 3) == ["a", "b"]  # no task named: not the same task


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1, 1), st.booleans()), max_size=20),
    st.integers(0, 8),
    st.floats(0, 1),
    st.integers(0, 200),
)
def test_limits_hold_for_anything(items: list[tuple[float, bool]], k: int, share: float, tokens: int) -> None:
    found = [one(f"c{i}", score, reward=float(good)) for i, (score, good) in enumerate(items)]
    vectors = np.eye(max(len(found), 1), dtype=np.float32)
    shown = choose(found, vectors, k, failures=share, tokens=tokens, floor=-0.5)
    failures = [not recalled.case.success for recalled in shown]
    assert len(shown) <= k
    assert sum(failures) <= share * len(shown) + 1e-6
    assert failures == sorted(failures)
    assert sum(cost(recalled.case) for recalled in shown) <= tokens
    assert len({recalled.case.id for recalled in shown}) == len(shown)


def test_sameness_leaves_siblings_apart() -> None:
    angle = np.arccos(SAME - 0.01)
    vectors = np.array([[1, 0], [np.cos(angle), np.sin(angle)]], dtype=np.float32)
    assert pick([one("a", 0.9), one("b", 0.8)], 2, vectors) == ["a", "b"]


@pytest.mark.parametrize("field", ["question", "solution", "answer", "lesson"])
def test_cost_counts_every_text_that_is_shown(field: str) -> None:
    short, long = (Case(**{"question": "q", field: "x" * n}) for n in (4, 4004))
    assert cost(long) - cost(short) == 1000
