"""A rota as plain text: when who worked, and hours to be added up."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from random import Random

from families.common import Item, lines, rounded

_PEOPLE = ("Ida", "Jon", "Kit", "Lea")
_ASKED = {9: "Ida", 10: "Kit", 11: "Lea", 12: "Jon", 13: "Kit", 14: "Ida"}
Shift = tuple[date, str, int, int]  # day, person, minute it starts, minute it ends


def items(rng: Random) -> list[Item]:
    """Six tasks."""
    return [_item(rng, week, person) for week, person in _ASKED.items()]


def _item(rng: Random, week: int, person: str) -> Item:
    first = date.fromisocalendar(2024, week, 1)
    shifts = [_shift(rng, first + timedelta(days=n // 2), _PEOPLE[(n + week) % 4]) for n in range(14)]
    minutes = sum(end - start for _, who, start, end in shifts if who == person)
    return Item(
        question=f"How many hours did {person} work in all? Round to two decimals.",
        answer=rounded(Fraction(minutes, 60), 2),
        level=2,
        file_name=f"rota_week{week}.txt",
        content=lines(*(f"{day} {who} {_clock(start)}-{_clock(end)}" for day, who, start, end in shifts)),
    )


def _shift(rng: Random, day: date, person: str) -> Shift:
    start = rng.randrange(6 * 12, 12 * 12) * 5
    return day, person, start, start + rng.randrange(4 * 12, 9 * 12) * 5


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
