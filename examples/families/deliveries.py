"""Deliveries: days between two dates written day first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from fractions import Fraction
from random import Random

from families.common import Item, lines, rounded

_CARRIERS = ("Swift", "Heron", "Gull")
Row = tuple[date, date, str]  # sent, arrived, carrier


def items(rng: Random) -> list[Item]:
    """Six tasks."""
    return [
        _item(rng, "lisbon", *_mean("Swift")),
        _item(rng, "porto", *_mean("Heron")),
        _item(rng, "braga", *_longest("Gull")),
        _item(rng, "evora", *_mean("Gull")),
        _item(rng, "faro", *_longest("Swift")),
        _item(rng, "sintra", *_mean("Heron")),
    ]


def _mean(carrier: str) -> tuple[str, Callable[[list[Row]], str]]:
    question = f"What is the mean number of days from sent to arrived for the carrier {carrier}? Round to two decimals."

    def solve(rows: list[Row]) -> str:
        days = _days(rows, carrier)
        return rounded(Fraction(sum(days), len(days)), 2)

    return question, solve


def _longest(carrier: str) -> tuple[str, Callable[[list[Row]], str]]:
    question = f"What is the largest number of days from sent to arrived for the carrier {carrier}?"
    return question, lambda rows: str(max(_days(rows, carrier)))


def _days(rows: list[Row], carrier: str) -> list[int]:
    return [(arrived - sent).days for sent, arrived, who in rows if who == carrier]


def _item(rng: Random, town: str, question: str, solve: Callable[[list[Row]], str]) -> Item:
    rows = [_row(rng, n) for n in range(21)]
    text = [
        f"{n + 501},{sent:%d.%m.%Y},{arrived:%d.%m.%Y},{carrier}" for n, (sent, arrived, carrier) in enumerate(rows)
    ]
    return Item(
        question=question,
        answer=solve(rows),
        level=1,
        file_name=f"deliveries_{town}.csv",
        content=lines("parcel,sent,arrived,carrier", *text),
    )


def _row(rng: Random, number: int) -> Row:
    # The first parcels leave on days that read month first would be dates as well.
    sent = date(2024, 2, number + 2) if number < 4 else date(2024, 1, 25) + timedelta(days=rng.randrange(0, 40))
    return sent, sent + timedelta(days=rng.randrange(1, 30)), _CARRIERS[number % 3]
