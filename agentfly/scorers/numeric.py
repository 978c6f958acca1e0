"""Whether an answer is the reference number, as a pure function."""

from __future__ import annotations

import re
from decimal import Decimal

_NUMBER = re.compile(
    r"""(?<![\w.,])                                   # not inside a word such as CO2, nor the middle of a number
        (?P<sign>[-+]?)\s?[$€£]?\s?
        (?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?       # 1,234,567.89
                 |\d+,\d{1,2}(?![\d,])                # 12,5 with a decimal comma
                 |\d+(?:\.\d*)?|\.\d+)
        (?P<exponent>[eE][-+]?\d{1,3}\b)?
        (?P<percent>\s?%)?
        (?![\d]|[.,]\d)""",
    re.VERBOSE | re.ASCII,
)
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)
_MINUS = str.maketrans({"\u2212": "-", "\u2013": "-", "\u00a0": " ", "\u202f": " "})


def numeric_match(
    answer: str | None, reference: str, *, decimals: int | None = None, tolerance: float | None = None
) -> bool:
    """Whether the one number in `answer` is the number in `reference`.

    Units, currency signs and thousands separators are read over; ``5%`` is the same as ``5`` and as ``0.05``. An answer
    with no number or with several is wrong. A tie in rounding may go either way.

    Args:
        answer: what the agent gave; None is wrong.
        reference: the right number, possibly with a unit.
        decimals: places that must agree; by default those of the reference and at least 2 (the rule of ACE's Formula).
        tolerance: largest absolute difference allowed, in the reference's unit; replaces `decimals`.

    Raises:
        ValueError: the reference holds no number or several.
    """
    wanted = parse_number(reference)
    if wanted is None:
        raise ValueError(f"the reference {reference!r} is not one number")
    given = parse_number(answer or "")
    if given is None:
        return False
    if tolerance is not None:
        slack = Decimal(repr(tolerance))
    else:
        places = max(2, -_exponent(wanted[0])) if decimals is None else decimals
        slack = Decimal(5).scaleb(-places - 1)
    return any(abs(value - wanted[0]) <= slack for value in _readings(given, wanted))


def parse_number(text: str) -> tuple[Decimal, bool] | None:
    """The one number in a text and whether it stands with a percent sign; None when there is none or several."""
    found = list(_NUMBER.finditer(text.translate(_MINUS)))
    if len(found) != 1:
        return None
    digits = found[0]["digits"]
    digits = digits.replace(",", "") if _THOUSANDS.fullmatch(digits) else digits.replace(",", ".")
    return Decimal(found[0]["sign"] + digits + (found[0]["exponent"] or "")), bool(found[0]["percent"])


def _readings(given: tuple[Decimal, bool], wanted: tuple[Decimal, bool]) -> list[Decimal]:
    """What the answer may mean on the reference's scale, where only one of the two has a percent sign."""
    value = given[0]
    if given[1] == wanted[1]:
        return [value]
    return [value, value.scaleb(-2 if given[1] else 2)]


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0
