"""Takings of a shop: semicolons, decimal commas, two lines before the header, and voided rows that do not count."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from random import Random

from families.common import SHOP, Item, lines, rounded

Row = tuple[int, int, int, str]  # day of March, till, cents, mark


def items(rng: Random) -> list[Item]:
    """Six tasks."""
    return [
        _item(rng, "quay", "What do the takings of till 2 add up to?", lambda rows: _total(rows, lambda r: r[1] == 2)),
        _item(rng, "mill", "What do the takings of all tills add up to?", lambda rows: _total(rows, lambda r: True)),
        _item(rng, "abbey", "What is the mean amount of the takings of till 1?", lambda rows: _mean(rows, 1)),
        _item(rng, "station", "What do the takings of till 3 add up to?", lambda rows: _total(rows, lambda r: r[1] == 3)),
        _item(rng, "castle", "What is the largest single amount at till 2?", lambda rows: _largest(rows, 2)),
        _item(rng, "market", "What is the mean amount of the takings of till 3?", lambda rows: _mean(rows, 3)),
    ]


def _item(rng: Random, shop: str, question: str, solve: Callable[[list[Row]], Fraction]) -> Item:
    rows = [(4 + n // 4, n % 3 + 1, rng.randrange(150, 60_000), rng.choice(("", "", "V"))) for n in range(24)]
    for till in (1, 2, 3):
        rows[till + 2] = (*rows[till + 2][:3], "")
        rows.append((12, till, rng.randrange(60_000, 90_000), "V"))  # the largest amount of all was voided
    text = [f"{day:02}.03.2024;{till};{cents // 100},{cents % 100:02};{mark}" for day, till, cents, mark in rows]
    return Item(
        question=f"{question} Give euros, rounded to two decimals.",
        answer=rounded(solve([row for row in rows if row[3] != "V"]) / 100, 2),
        level=1,
        file_name=f"takings_{shop}.csv",
        content=lines(
            f"{SHOP}, takings of the {shop} shop in euros",
            "Rows with mark V were voided and do not count",
            "date;till;amount;mark",
            *text,
        ),
    )


def _total(rows: list[Row], wanted: Callable[[Row], bool]) -> Fraction:
    return Fraction(sum(row[2] for row in rows if wanted(row)))


def _mean(rows: list[Row], till: int) -> Fraction:
    amounts = [row[2] for row in rows if row[1] == till]
    return Fraction(sum(amounts), len(amounts))


def _largest(rows: list[Row], till: int) -> Fraction:
    return Fraction(max(row[2] for row in rows if row[1] == till))
