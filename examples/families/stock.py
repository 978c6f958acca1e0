"""Stock lists: workbooks with weights of which some are in grams and some in kilograms."""

from __future__ import annotations

import io
import os
import zipfile
from datetime import datetime
from fractions import Fraction
from random import Random

from families.common import Item, rounded

os.environ["OPENPYXL_LXML"] = "False"  # with lxml, where it is installed, other bytes would come out

from openpyxl import Workbook

_GOODS = ("flour", "rice", "salt", "sugar", "soap", "beans", "oats", "tea", "wax", "starch", "nails", "twine")
_EPOCH = datetime(2024, 3, 1)
_HINT = "Hint: read with pd.read_excel; kilograms are df['weight'].where(df['unit'] == 'kg', df['weight'] / 1000). "
Row = tuple[str, str, int, str]  # goods, bay, grams, unit


def items(rng: Random) -> list[Item]:
    """Six tasks; the first three say what to do about the units."""
    return [
        _item(rng, "north", "A", _HINT),
        _item(rng, "south", "B", _HINT),
        _item(rng, "east", "C", _HINT),
        _item(rng, "west", "C"),
        _item(rng, "loft", "B"),
        _item(rng, "yard", "A"),
    ]


def _item(rng: Random, store: str, bay: str, hint: str = "") -> Item:
    rows = [(goods, "ABC"[n % 3], rng.randrange(5, 400) * 10, "kg" if n % 2 else "g") for n, goods in enumerate(_GOODS)]
    grams = sum(weight for _, where, weight, _ in rows if where == bay)
    return Item(
        question=f"What is the total weight in kilograms of the goods in bay {bay}? The column unit says which weights are "
        f"in g and which in kg. {hint}Round to two decimals.",
        answer=rounded(Fraction(grams, 1000), 2),
        level=2,
        file_name=f"stock_{store}.xlsx",
        content=_workbook(rows),
    )


def _workbook(rows: list[Row]) -> bytes:
    book = Workbook()
    book.properties.created = book.properties.modified = _EPOCH
    sheet = book.active
    sheet.title = "Stock"
    sheet.append(["goods", "bay", "weight", "unit"])
    for goods, bay, grams, unit in rows:
        sheet.append([goods, bay, grams if unit == "g" else grams / 1000, unit])
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
