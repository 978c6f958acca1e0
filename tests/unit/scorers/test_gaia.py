"""The official rules, from plain to odd."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.scorers.gaia import gaia_match

RIGHT = [
    ("42", "42"),
    ("42.0", "42"),
    ("42", "42.0"),
    ("1,234", "1234"),
    ("$1,234.50", "1234.5"),
    ("17%", "17"),
    (" 42 ", "42"),
    ("4.2e1", "42"),
    ("4_2", "42"),  # what float reads
    ("a; b; c", "a, b, c"),
    ("A ,B", "a,b"),
    ("1,2.0,$3", "1, 2, 3"),
    ("Paris.", "Paris"),
    ("sea gull", "seagull"),
    ("St. John's", "st johns"),
    ("right-hand", "Right hand"),
    ("ÉCLAIR", "éclair"),
    ("...", "!"),  # nothing but punctuation is nothing
    ("word", "inf"),  # an answer that is no number counts as infinity
    ("inf", "Infinity"),
]
WRONG = [
    ("1234", "1,234"),  # the truth is a list of 1 and 234
    ("b, a", "a, b"),
    ("a, b", "a, b, c"),
    ("a., b", "a, b"),  # punctuation counts inside lists
    ("\u221242", "-42"),
    ("FINAL ANSWER: 42", "42"),
    ("42 km", "42"),
    ("nan", "nan"),
    ("0.17", "17%"),
    ("42.001", "42"),
    ("", "42"),
    ("straße", "strasse"),  # lower case, not case folding
    ("“Paris”", "Paris"),  # only ASCII punctuation is dropped
]


@pytest.mark.parametrize(("answer", "truth"), RIGHT)
def test_right(answer: str, truth: str) -> None:
    assert gaia_match(answer, truth)


@pytest.mark.parametrize(("answer", "truth"), WRONG)
def test_wrong(answer: str, truth: str) -> None:
    assert not gaia_match(answer, truth)


@pytest.mark.parametrize("truth", ["None", "none", "inf", "", "42", "a, b"])
def test_a_missing_answer_is_wrong_whatever_the_truth(truth: str) -> None:
    assert not gaia_match(None, truth)


@given(st.text(), st.text())
def test_never_an_error(answer: str, truth: str) -> None:
    assert gaia_match(answer, truth) in (True, False)


@given(st.text(alphabet=string.ascii_letters + " .-'!", min_size=1).filter(lambda t: t.strip().lower() not in {"nan"}))
def test_words_match_themselves_in_any_case_and_spacing(text: str) -> None:
    assert gaia_match(text.lower().replace(" ", "  "), text)
