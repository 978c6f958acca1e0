"""Orders as JSON: customers and orders to be joined, prices in cents, returned orders that do not count."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from random import Random
from typing import Any

from families.common import Item, rounded

_NAMES = ("Ada", "Ben", "Cleo", "Dov", "Eve", "Finn", "Gus", "Hal")
_TOWNS = ("Ryde", "Cowes", "Yarmouth")
Data = dict[str, Any]


def items(rng: Random) -> list[Item]:
    """Six tasks."""
    return [
        _spent(rng, "monday", "Ryde"),
        _spent(rng, "tuesday", "Cowes"),
        _spent(rng, "wednesday", "Yarmouth"),
        _spent(rng, "thursday", "Ryde"),
        _best(rng, "friday"),
        _spent(rng, "saturday", "Cowes"),
    ]


def _spent(rng: Random, day: str, town: str) -> Item:
    data = _data(rng)
    cents = sum(_by_customer(data, lambda customer: customer["town"] == town).values())
    question = f"What is the total value in euros of the orders of customers from {town}? Leave out returned orders. Round to two decimals."
    return _item(day, question, rounded(Fraction(cents, 100), 2), data)


def _best(rng: Random, day: str) -> Item:
    data = _data(rng)
    totals = _by_customer(data, lambda customer: True)
    question = "What is the value in euros of all orders of the customer who spent most? Leave out returned orders. Round to two decimals."
    return _item(day, question, rounded(Fraction(max(totals.values()), 100), 2), data)


def _by_customer(data: Data, wanted: Callable[[Data], bool]) -> Counter[int]:
    chosen = {customer["id"] for customer in data["customers"] if wanted(customer)}
    totals: Counter[int] = Counter()
    for order in data["orders"]:
        if order["customer"] in chosen and order["status"] != "returned":
            totals[order["customer"]] += order["count"] * order["price"]
    return totals


def _data(rng: Random) -> Data:
    people = [{"id": 10 + n, "name": name, "town": rng.choice(_TOWNS)} for n, name in enumerate(_NAMES)]
    for n, town in enumerate(_TOWNS):
        people[n]["town"] = town
    orders = [
        {
            "customer": 10 + n % len(people),
            "count": rng.randrange(1, 9),
            "price": rng.randrange(95, 4_000),
            "status": rng.choice(("paid", "paid", "returned", "open")),
        }
        for n in range(20)
    ]
    for n in range(3):
        orders[n]["status"] = "paid"
        orders[n + 8]["status"] = "returned"
    note = "price is in cents for one piece"
    return {"note": note, "customers": people, "orders": orders}


def _item(day: str, question: str, answer: str, data: Data) -> Item:
    rows = {key: ",\n".join("  " + json.dumps(row) for row in data[key]) for key in ("customers", "orders")}
    parts = [f'"{key}": [\n{text}\n]' for key, text in rows.items()]
    content = f'{{"note": {json.dumps(data["note"])},\n' + ",\n".join(parts) + "}\n"
    return Item(question=question, answer=answer, level=2, file_name=f"orders_{day}.json", content=content.encode())
