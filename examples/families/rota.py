"""A rota as plain text: when who worked, and hours to be added up."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from random import Random

from families.common import Item, lines, rounded

_PEOPLE = ("Ida", "Jon", "Kit", "Lea")
_HINT = (
    "Hint: pd.to_datetime(df['end'], format='%H:%M') reads the times; "
    "a shift's hours are its .dt.total_seconds() / 3600. "
)
Shift = tuple[date, str, int, int]  # day, person, minute it starts, minute it ends


def items(rng: Random) -> list[Item]:
    """Six tasks; the first three say how to reckon with times."""
    return [
        _item(rng, 9, "Ida", _HINT),
        _item(rng, 10, "Kit", _HINT),
        _item(rng, 11, "Lea", _HINT),
        _item(rng, 12, "Jon"),
        _item(rng, 13, "Kit"),
        _item(rng, 14, "Ida"),
    ]


def _item(rng: Random, week: int, person: str, hint: str = "") -> Item:
    first = date.fromisocalendar(2024, week, 1)
    shifts = [_shift(rng, first + timedelta(days=n // 2), _PEOPLE[(n + week) % 4]) for n in range(14)]
    minutes = sum(end - start for _, who, start, end in shifts if who == person)
    return Item(
        question=f"How many hours did {person} work in all, from start to end of each shift? "
        f"{hint}Round to two decimals.",
        answer=rounded(Fraction(minutes, 60), 2),
        level=2,
        file_name=f"rota_week{week}.txt",
        content=lines(
            "day person start end", *(f"{day} {who} {_clock(start)} {_clock(end)}" for day, who, start, end in shifts)
        ),
    )


def _shift(rng: Random, day: date, person: str) -> Shift:
    start = rng.randrange(6 * 12, 12 * 12) * 5
    return day, person, start, start + rng.randrange(4 * 12, 9 * 12) * 5


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
