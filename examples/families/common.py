"""What the families of the demo suite share."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Item:
    """One task of the suite: a question over one small file."""

    question: str
    answer: str
    level: int
    file_name: str
    content: bytes


def rounded(value: Fraction | int, places: int) -> str:
    """A number to so many decimals.

    Raises:
        ValueError: it lies half way, where the right answer would be a matter of taste.
    """
    scaled = Fraction(value) * 10**places
    if scaled.denominator == 2:
        raise ValueError(f"{value} lies half way between two numbers of {places} decimals")
    return str(Decimal(round(scaled)).scaleb(-places))


def lines(*rows: str) -> bytes:
    """Text of these lines."""
    return ("\n".join(rows) + "\n").encode()
