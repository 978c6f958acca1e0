"""Takings of a shop: a table with semicolons and decimal commas, and voided rows that do not count."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from random import Random

from families.common import Item, lines, rounded

_BRANCHES = ("North", "South", "East")
_HINT = "Hint: read the table with sep=';' and decimal=','. "
Row = tuple[int, str, int, str]  # day of March, branch, cents, status
Solve = Callable[[list[int]], Fraction]


def items(rng: Random) -> list[Item]:
    """Six tasks; the first three say how to read the table."""
    return [
        _item(rng, "quay", "mean amount", "North", _mean, _HINT),
        _item(rng, "mill", "total amount", "South", _total, _HINT),
        _item(rng, "abbey", "total amount", "East", _total, _HINT),
        _item(rng, "station", "total amount", "North", _total),
        _item(rng, "castle", "mean amount", "East", _mean),
        _item(rng, "market", "total amount", "South", _total),
    ]


def _item(rng: Random, shop: str, what: str, branch: str, solve: Solve, hint: str = "") -> Item:
    rows = [_row(rng, n) for n in range(21)]
    text = [f"{day:02}.03.2024;{where};{cents // 100},{cents % 100:02};{status}" for day, where, cents, status in rows]
    counted = [cents for _, where, cents, status in rows if where == branch and status == "ok"]
    return Item(
        question=f"What is the {what} of the branch {branch}? Leave out rows with status void. "
        f"{hint}Round to two decimals.",
        answer=rounded(solve(counted) / 100, 2),
        level=1,
        file_name=f"takings_{shop}.csv",
        content=lines("date;branch;amount;status", *text),
    )


def _row(rng: Random, number: int) -> Row:
    # Seven rows for each branch, of which the first is never void.
    status = "ok" if number < 3 else rng.choice(("ok", "ok", "void"))
    return 4 + number // 3, _BRANCHES[number % 3], rng.randrange(150, 60_000), status


def _total(cents: list[int]) -> Fraction:
    return Fraction(sum(cents))


def _mean(cents: list[int]) -> Fraction:
    return Fraction(sum(cents), len(cents))
