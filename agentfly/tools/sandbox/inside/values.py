"""Python values as plain JSON data, so that an answer never crosses the boundary as a pickle."""

from __future__ import annotations

import datetime
import math
import sys
from collections.abc import Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

DEPTH = 12
ITEMS = 10_000


def plain(value: Any, depth: int = DEPTH) -> Any:
    """`value` as None, bool, int, float, str, list or dict; text where nothing else fits.

    numpy and pandas values become numbers, lists and dicts; a number that JSON cannot hold becomes its text; containers are
    cut to `ITEMS` items and `depth` levels.
    """
    if value is None or type(value) in (bool, str):
        return value
    if type(value) is int:
        return value if value.bit_length() <= 1024 else str(value)[:2000]
    if type(value) is float:
        return value if math.isfinite(value) else str(value)
    if depth == 0:
        return _text(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return _date(value)
    if isinstance(value, Mapping):
        return {_key(k): plain(v, depth - 1) for k, v in _first(value.items())}
    if isinstance(value, (set, frozenset)):
        return sorted((plain(v, depth - 1) for v in _first(value)), key=str)
    if isinstance(value, (list, tuple, range, type({}.keys()), type({}.values()), type({}.items()))):
        return [plain(v, depth - 1) for v in _first(value)]
    if isinstance(value, (bytes, bytearray)):
        return bytes(value[:ITEMS]).decode("utf-8", "replace")
    if isinstance(value, (bool, int, float, str)):  # their subclasses, such as enums and numpy.float64
        return plain(_base(value), depth - 1)
    return _foreign(value, depth)


def simple(value: Any) -> Any:
    """A numpy scalar as the Python value it stands for, so that it is echoed as a bare number; anything else as it is."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        return value.item()
    return value


def _foreign(value: Any, depth: int) -> Any:
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is not None and isinstance(value, numpy.generic):
        item = value.item()
        return plain(item, depth - 1) if not isinstance(item, numpy.generic) else _text(value)
    if numpy is not None and isinstance(value, numpy.ndarray):
        return plain(value.reshape(-1)[:ITEMS].tolist() if value.size > ITEMS else value.tolist(), depth - 1)
    if pandas is not None:
        if value is pandas.NA:
            return None
        if isinstance(value, pandas.Series):
            numbered = isinstance(value.index, pandas.RangeIndex)
            return plain(value.tolist() if numbered else value.to_dict(), depth - 1)
        if isinstance(value, pandas.DataFrame):
            return plain(value.head(ITEMS).to_dict("records"), depth - 1)
        if isinstance(value, pandas.Index):
            return plain(value.tolist(), depth - 1)
    return _text(value)


def _base(value: Any) -> Any:
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return str(value)


def _date(value: Any) -> str | None:
    """ISO form; a moment at midnight without a zone is a day; pandas.NaT is nothing."""
    if value != value:
        return None
    if isinstance(value, datetime.datetime) and value.tzinfo is None and value.time() == datetime.time.min:
        return value.date().isoformat()
    return str(value.isoformat())


def _key(value: Any) -> str:
    converted = plain(value, 1)
    return converted if isinstance(converted, str) else str(converted)


def _first(items: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if len(found) == ITEMS:
            break
        found.append(item)
    return found


def _text(value: Any) -> str:
    return str(value)[:ITEMS]
