from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.scorers.numeric import numeric_match, parse_number


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("2", "2.0"),
        ("2.004", "2.0"),
        ("570.681", "570.68"),
        ("$1,234.50", "1234.5"),
        ("1,234,567", "1234567"),
        ("12,5", "12.5"),
        ("12.5 kg", "12.5"),
        ("USD 12.5 per m2", "12.5"),
        ("12.5%", "12.5"),
        ("0.125", "12.5%"),
        ("12.5", "12.5 %"),
        ("\u22127", "-7"),
        ("- 7", "-7"),
        (".5", "0.5"),
        ("1e3", "1000"),
        ("about 5.", "5"),
        ("0.125", "0.13"),  # a tie may go either way
        ("0.0012", "0.0012"),
    ],
)
def test_right(answer: str, reference: str) -> None:
    assert numeric_match(answer, reference)


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("2.04", "2.0"),  # at least two places must agree
        ("0.0013", "0.0012"),
        ("7", "-7"),
        ("3 or 4", "3"),
        ("no number", "3"),
        ("", "3"),
        (None, "3"),
        ("nan", "3"),
        ("inf", "3"),
        ("CO2", "2"),
        ("1.2.3", "1.2"),
        ("12345,678", "12345"),
        ("1" * 400, "3"),
        ("1e999", "3"),
    ],
)
def test_wrong(answer: str | None, reference: str) -> None:
    assert not numeric_match(answer, reference)


def test_places_and_tolerance_can_be_set() -> None:
    assert numeric_match("3.1", "3.14159", decimals=0)
    assert not numeric_match("3.2", "3.14159", decimals=1)
    assert numeric_match("98", "100", tolerance=2)
    assert not numeric_match("97.9", "100", tolerance=2)


@pytest.mark.parametrize("reference", ["", "none", "1 to 2"])
def test_a_reference_that_is_not_one_number_is_refused(reference: str) -> None:
    with pytest.raises(ValueError, match="not one number"):
        numeric_match("1", reference)


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=2))
def test_reads_back_what_python_formats(value: Decimal) -> None:
    assert parse_number(f"{value:,}") == (value, False)
    assert numeric_match(f"€{value:,}" if value >= 0 else str(value), str(value))


@given(st.text())
def test_never_an_error(text: str) -> None:
    assert numeric_match(text, "1") in (True, False)
