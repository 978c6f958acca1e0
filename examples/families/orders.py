"""Orders as JSON: items to be looked up in a price list in cents."""

from __future__ import annotations

import json
from fractions import Fraction
from random import Random

from families.common import Item, rounded

_GOODS = ("soap", "tea", "rice", "wax", "salt", "oats")
_TOWNS = ("Ryde", "Cowes", "Yarmouth")
_HINT = "Hint: an order costs order['count'] * data['prices_in_cents'][order['item']] / 100. "


def items(rng: Random) -> list[Item]:
    """Six tasks; the first three say how an order is valued."""
    return [
        _item(rng, "monday", "Ryde", _HINT),
        _item(rng, "tuesday", "Cowes", _HINT),
        _item(rng, "wednesday", "Yarmouth", _HINT),
        _item(rng, "thursday", "Ryde"),
        _item(rng, "friday", "Yarmouth"),
        _item(rng, "saturday", "Cowes"),
    ]


def _item(rng: Random, day: str, town: str, hint: str = "") -> Item:
    prices = {goods: rng.randrange(95, 1_900) for goods in _GOODS}
    orders = [
        {"town": _TOWNS[n % 3], "item": rng.choice(_GOODS), "count": rng.randrange(1, 9)}
        for n in rng.sample(range(15), 15)
    ]
    cents = sum(int(order["count"]) * prices[str(order["item"])] for order in orders if order["town"] == town)
    rows = ",\n".join("  " + json.dumps(order) for order in orders)
    content = f'{{"prices_in_cents": {json.dumps(prices)},\n"orders": [\n{rows}\n]}}\n'
    return Item(
        question=f"What do the orders whose town is {town} cost in all, in euros? The file lists the price of each item "
        f"once, apart from the orders. {hint}Round to two decimals.",
        answer=rounded(Fraction(cents, 100), 2),
        level=2,
        file_name=f"orders_{day}.json",
        content=content.encode(),
    )
