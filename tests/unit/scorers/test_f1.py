from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.scorers.f1 import F1Scorer, token_f1, tokens
from agentfly.types import Attempt, Feedback, Task


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("The cat sat.", "a CAT sat", 1.0),
        ("the black cat", "cat", 2 / 3),
        ("cat", "the black cat", 2 / 3),
        ("cat cat", "cat", 2 / 3),  # said twice is once too often
        ("dog", "cat", 0.0),
        ("", "cat", 0.0),
        ("sat cat", "cat sat", 1.0),  # the order does not count
        ("The", "the", 1.0),  # nothing is left of either
        ("a", "the", 0.0),
        ("?!", "!?", 0.0),
        ("in Paris, France", "Paris", 0.5),
    ],
)
def test_values(answer: str, reference: str, expected: float) -> None:
    assert token_f1(answer, reference) == pytest.approx(expected)


def test_an_article_inside_a_word_stays() -> None:
    assert tokens("Another, then: an atom") == ["another", "then", "atom"]


@given(st.text(), st.text())
def test_it_is_symmetric_in_range_and_one_for_the_same(one: str, other: str) -> None:
    value = token_f1(one, other)
    assert 0.0 <= value <= 1.0
    assert value == token_f1(other, one)
    assert token_f1(one, one) == 1.0


@given(st.lists(st.sampled_from(["red", "green", "blue", "grey"]), min_size=1, max_size=6))
def test_it_depends_on_the_words_alone(words: list[str]) -> None:
    mixed = sorted(words)
    assert token_f1(" ".join(words).upper() + ".", "the " + ", ".join(mixed)) == 1.0


async def test_part_of_the_truth_earns_a_part_and_the_text_gives_nothing_away() -> None:
    task = Task("q", reference="zebra mussel colony")
    feedback = await F1Scorer().score(task, Attempt(task_id="t", answer="a mussel"), Path("w"))
    expected = "The answer 'a mussel' is partly right (F1 of its words: 0.50)."
    assert feedback == Feedback(reward=0.5, text=expected, source="reference")
    assert await F1Scorer().score(Task("q"), Attempt(task_id="t", answer="a"), Path("w")) is None
