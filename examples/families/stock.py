"""Stock lists: workbooks with weights as text, some in grams and some in kilograms."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from fractions import Fraction
from random import Random

from families.common import Item, rounded
from openpyxl import Workbook

_GOODS = ("flour", "rice", "salt", "sugar", "soap", "beans", "oats", "tea", "wax", "starch", "nails", "twine")
_EPOCH = datetime(2024, 3, 1)
Row = tuple[str, str, int]  # goods, bay, grams


def items(rng: Random) -> list[Item]:
    """Six tasks."""
    return [
        _item(rng, "north", "A"),
        _item(rng, "south", "B"),
        _item(rng, "east", None),
        _item(rng, "west", "C"),
        _item(rng, "loft", "B"),
        _item(rng, "yard", "A"),
    ]


def _item(rng: Random, store: str, bay: str | None) -> Item:
    rows = [(goods, "ABC"[n % 3], rng.randrange(5, 400) * 10) for n, goods in enumerate(_GOODS)]
    grams = sum(weight for _, where, weight in rows if bay in (None, where))
    place = f"in bay {bay}" if bay else "in all bays together"
    return Item(
        question=f"What is the total weight in kilograms of the goods {place}? Round to two decimals.",
        answer=rounded(Fraction(grams, 1000), 2),
        level=2,
        file_name=f"stock_{store}.xlsx",
        content=_workbook(rows, rng),
    )


def _workbook(rows: list[Row], rng: Random) -> bytes:
    book = Workbook()
    book.properties.created = book.properties.modified = _EPOCH
    sheet = book.active
    sheet.title = "Stock"
    sheet.append(["goods", "bay", "weight"])
    for goods, bay, grams in rows:
        sheet.append([goods, bay, f"{grams} g" if grams < 1000 or rng.random() < 0.3 else f"{grams / 1000:g} kg"])
    buffer = io.BytesIO()
    book.save(buffer)
    return _repacked(buffer)


def _repacked(buffer: io.BytesIO) -> bytes:
    """The same workbook without the time of day in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
        for name in sorted(source.namelist()):
            data = source.read(name)
            if name == "docProps/core.xml":  # openpyxl stamps the time of saving
                start, end = data.index(b"<dcterms:modified"), data.index(b"</dcterms:modified>")
                stamp = f'<dcterms:modified xsi:type="dcterms:W3CDTF">{_EPOCH.isoformat()}Z'.encode()
                data = data[:start] + stamp + data[end:]
            info = zipfile.ZipInfo(name, _EPOCH.timetuple()[:6])
            target.writestr(info, data)
    return out.getvalue()
