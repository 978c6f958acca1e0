"""What the families of the demo suite share."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

SHOP = "Finch & Daughters"


@dataclass(frozen=True, slots=True)
class Item:
    """One task of the suite: a question over one small file."""

    question: str
    answer: str
    level: int
    file_name: str
    content: bytes


def rounded(value: Fraction | int, places: int) -> str:
    """A number as people write it, a half rounded up."""
    exact = Decimal(Fraction(value).numerator) / Decimal(Fraction(value).denominator)
    return str(exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP))


def is_tie(value: Fraction, places: int) -> bool:
    """Whether rounding is a matter of taste, which an honest question avoids."""
    return (value * 10**places * 2).denominator == 1 and (value * 10**places).denominator != 1


def lines(*rows: str) -> bytes:
    """Text of these lines."""
    return ("\n".join(rows) + "\n").encode()
