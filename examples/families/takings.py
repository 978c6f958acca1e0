"""Takings of a shop: a table with semicolons and decimal commas, and voided rows that do not count."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from random import Random

from families.common import Item, lines, rounded

Row = tuple[int, int, int, str]  # day of March, till, cents, mark


def items(rng: Random) -> list[Item]:
    """Six tasks."""
    return [
        _item(rng, "quay", "What is the sum of the amounts of till 2?", _total(2)),
        _item(rng, "mill", "What is the mean of the amounts of till 1?", _mean(1)),
        _item(rng, "abbey", "What is the sum of the amounts of till 3?", _total(3)),
        _item(rng, "station", "What is the mean of the amounts of till 3?", _mean(3)),
        _item(rng, "castle", "What is the largest amount of till 2?", _largest(2)),
        _item(rng, "market", "What is the sum of the amounts of till 1?", _total(1)),
    ]


def _item(rng: Random, shop: str, question: str, solve: Callable[[list[Row]], Fraction]) -> Item:
    rows = [(4 + n // 4, n % 3 + 1, rng.randrange(150, 60_000), rng.choice(("ok", "ok", "void"))) for n in range(24)]
    for till in (1, 2, 3):
        rows[till + 2] = (*rows[till + 2][:3], "ok")
        rows.append((12, till, rng.randrange(60_000, 90_000), "void"))  # the largest amount of all is void
    text = [f"{day:02}.03.2024;{till};{cents // 100},{cents % 100:02};{mark}" for day, till, cents, mark in rows]
    return Item(
        question=f"{question} Leave out the rows whose mark is void. Round to two decimals.",
        answer=rounded(solve([row for row in rows if row[3] != "void"]) / 100, 2),
        level=1,
        file_name=f"takings_{shop}.csv",
        content=lines("date;till;amount;mark", *text),
    )


def _total(till: int) -> Callable[[list[Row]], Fraction]:
    return lambda rows: Fraction(sum(_amounts(rows, till)))


def _mean(till: int) -> Callable[[list[Row]], Fraction]:
    return lambda rows: Fraction(sum(_amounts(rows, till)), len(_amounts(rows, till)))


def _largest(till: int) -> Callable[[list[Row]], Fraction]:
    return lambda rows: Fraction(max(_amounts(rows, till)))


def _amounts(rows: list[Row], till: int) -> list[int]:
    return [cents for _, where, cents, _ in rows if where == till]
