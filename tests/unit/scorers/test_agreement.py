from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.scorers.agreement import majority, same_answer

SAME = [
    ("42", "42.0"),
    ("Paris", " paris."),
    ("1,234", "1234"),
    ("3.14159", "3.14"),
    ("3 km", "3"),
    ("5%", "0.05"),
    ("a, b", "A; B"),
    ("nan", "nan"),
]
OTHER = [
    ("42", "43"),
    ("Paris", "London"),
    ("3 km", "3 kg"),
    ("room 3", "level 3"),
    ("3.14", "3.15"),
    ("a, b", "b, a"),
    ("inf", "word"),
    ("", "x"),
    ("1 and 2", "1 and 3"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same(one: str, other: str) -> None:
    assert same_answer(one, other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_not_the_same(one: str, other: str) -> None:
    assert not same_answer(one, other)


@given(st.text(), st.text())
def test_it_does_not_matter_which_comes_first(one: str, other: str) -> None:
    assert same_answer(one, other) == same_answer(other, one)
    assert same_answer(one, one)


@given(st.lists(st.sampled_from(["7", "7.0", "8", "9"]), max_size=9))
def test_the_majority_is_the_largest_group(answers: list[str]) -> None:
    found = majority(answers)
    sizes = sorted((sum(float(answer) == value for answer in answers) for value in (7, 8, 9)), reverse=True)
    if found is None:
        assert not answers
        return
    assert found.size == sizes[0] == sum(float(answer) == float(found.answer) for answer in answers)
    assert found.tied == (sizes[0] == sizes[1])
