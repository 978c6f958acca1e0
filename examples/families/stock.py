"""Stock lists: a workbook with a title above the header, and weights as text in grams or kilograms."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from fractions import Fraction
from random import Random

from openpyxl import Workbook

from families.common import SHOP, Item, rounded

_GOODS = ("peat", "gravel", "lime", "bark", "sand", "moss", "clay", "bran", "chalk", "straw", "seed", "bulbs")
_EPOCH = datetime(2024, 3, 1)
Row = tuple[str, str, int, int]  # goods, bay, count, grams each


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
    rows = [(goods, rng.choice("ABC"), rng.randrange(2, 30), rng.randrange(5, 400) * 10) for goods in _GOODS]
    grams = sum(count * each for _, where, count, each in rows if bay in (None, where))
    place = f"in bay {bay}" if bay else "in all bays together"
    return Item(
        question=f"What do the goods {place} weigh in all, in kilograms? Mind the number of sacks. Round to two decimals.",
        answer=rounded(Fraction(grams, 1000), 2),
        level=2,
        file_name=f"stock_{store}.xlsx",
        content=_workbook(f"{SHOP}, stock of the {store} store", rows, rng),
    )


def _workbook(title: str, rows: list[Row], rng: Random) -> bytes:
    book = Workbook()
    book.properties.created = book.properties.modified = _EPOCH
    sheet = book.active
    sheet.title = "Stock"
    sheet.append([title])
    sheet.append([])
    sheet.append(["goods", "bay", "sacks", "weight of a sack"])
    for goods, bay, count, grams in rows:
        sheet.append([goods, bay, count, f"{grams} g" if grams < 1000 or rng.random() < 0.3 else f"{grams / 1000:g} kg"])
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
