"""A rota as plain text: shifts with breaks, some of them past midnight."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from random import Random

from families.common import Item, lines, rounded

_PEOPLE = ("Ida", "Jon", "Kit", "Lea")
Shift = tuple[str, str, int, int, int]  # day, person, minute it starts, minutes long, minutes of break


def items(rng: Random) -> list[Item]:
    """Six tasks."""
    return [
        _item(rng, week, person) for week, person in zip((9, 10, 11, 12, 13, 14), ("Ida", "Kit", "Lea", "Jon", "Kit", "Ida"), strict=True)
    ]


def _item(rng: Random, week: int, person: str) -> Item:
    first = date.fromisocalendar(2024, week, 1)
    shifts = [_shift(rng, first + timedelta(days=n // 2), _PEOPLE[(n + week) % 4], n) for n in range(14)]
    minutes = sum(long - pause for _, who, _, long, pause in shifts if who == person)
    text = [
        f"{day} {who} {start // 60:02}:{start % 60:02}-{(start + long) // 60 % 24:02}:{(start + long) % 60:02} break {pause}"
        for day, who, start, long, pause in shifts
    ]
    return Item(
        question=f"How many hours did {person} work in this week, without the breaks? Round to two decimals.",
        answer=rounded(Fraction(minutes, 60), 2),
        level=2,
        file_name=f"rota_week{week}.txt",
        content=lines(f"Rota of week {week}. Breaks in minutes. Shifts may end after midnight.", *text),
    )


def _shift(rng: Random, day: date, person: str, number: int) -> Shift:
    start = rng.randrange(28, 48) * 15 if number % 3 else rng.randrange(72, 88) * 15
    return day.isoformat(), person, start, rng.randrange(16, 34) * 15, rng.choice((0, 15, 20, 30, 45))
