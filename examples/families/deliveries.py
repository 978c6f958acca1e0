"""Deliveries: days between two dates written day first."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from random import Random

from families.common import Item, lines, rounded

_CARRIERS = ("Swift", "Heron", "Gull")
_HINT = "Hint: read the dates with pd.to_datetime(df['sent'], format='%d.%m.%Y'). "
_MEAN = "mean number"
_LARGEST = "largest number"
Row = tuple[date, date, str]  # sent, arrived, carrier


def items(rng: Random) -> list[Item]:
    """Six tasks; the first three say how to read the dates."""
    return [
        _item(rng, "lisbon", _MEAN, "Swift", _HINT),
        _item(rng, "porto", _LARGEST, "Heron", _HINT),
        _item(rng, "braga", _MEAN, "Gull", _HINT),
        _item(rng, "evora", _MEAN, "Gull"),
        _item(rng, "faro", _LARGEST, "Swift"),
        _item(rng, "sintra", _MEAN, "Heron"),
    ]


def _item(rng: Random, town: str, what: str, carrier: str, hint: str = "") -> Item:
    rows = [_row(rng, n) for n in range(21)]
    text = [f"{n + 501},{sent:%d.%m.%Y},{arrived:%d.%m.%Y},{who}" for n, (sent, arrived, who) in enumerate(rows)]
    days = [(arrived - sent).days for sent, arrived, who in rows if who == carrier]
    answer = rounded(Fraction(sum(days), len(days)), 2) if what == _MEAN else str(max(days))
    rounding = "Round to two decimals." if what == _MEAN else "Give a whole number."
    return Item(
        question=f"What is the {what} of days from sent to arrived for the carrier {carrier}? {hint}{rounding}",
        answer=answer,
        level=1,
        file_name=f"deliveries_{town}.csv",
        content=lines("parcel,sent,arrived,carrier", *text),
    )


def _row(rng: Random, number: int) -> Row:
    # The first parcels leave on days that read month first would be dates as well.
    sent = date(2024, 2, number + 2) if number < 4 else date(2024, 1, 25) + timedelta(days=rng.randrange(0, 40))
    return sent, sent + timedelta(days=rng.randrange(1, 30)), _CARRIERS[number % 3]
