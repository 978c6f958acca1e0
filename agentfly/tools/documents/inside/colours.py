"""Colours of cells: told as RGB with a name, cells of one colour as ranges."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterable
from typing import Any

from .optional import package

_SCHEME = re.compile(
    rb"<a:(dk1|lt1|dk2|lt2|accent[1-6]|hlink|folHlink)>.*?(?:lastClr|srgbClr val)=\"([0-9A-Fa-f]{6})\"", re.S
)
# ECMA-376 18.8.3: a colour's theme attribute counts light before dark.
_ORDER = ("lt1", "dk1", "lt2", "dk2", *(f"accent{number}" for number in range(1, 7)), "hlink", "folHlink")
_OFFICE = (
    "FFFFFF", "000000", "E7E6E6", "44546A", "4472C4", "ED7D31", "A5A5A5", "FFC000", "5B9BD5", "70AD47", "0563C1", "954F72",
)  # fmt: skip
_NAMES = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "light grey": (210, 210, 210),
    "red": (255, 0, 0),
    "dark red": (150, 0, 0),
    "pink": (255, 170, 190),
    "orange": (255, 153, 0),
    "light orange": (248, 203, 173),
    "brown": (140, 80, 30),
    "yellow": (255, 255, 0),
    "light yellow": (255, 242, 180),
    "green": (0, 176, 80),
    "bright green": (0, 255, 0),
    "light green": (198, 224, 180),
    "dark green": (0, 97, 0),
    "cyan": (0, 255, 255),
    "teal": (0, 128, 128),
    "light blue": (173, 206, 235),
    "blue": (0, 0, 255),
    "mid blue": (68, 114, 196),
    "dark blue": (0, 0, 110),
    "purple": (128, 0, 160),
    "magenta": (255, 0, 255),
}


class Palette:
    """The colours of a workbook.

    Args:
        theme: its theme as XML, which says what colours with a theme's number are.
    """

    def __init__(self, theme: bytes | None) -> None:
        scheme = {name.decode(): rgb.decode().upper() for name, rgb in _SCHEME.findall((theme or b"")[:200_000])}
        self._theme = [scheme.get(name, rgb) for name, rgb in zip(_ORDER, _OFFICE, strict=True)]

    def fill(self, cell: Any) -> str:
        """The colour that a cell is filled with, such as ``FF0000 (red)``; empty where it is not."""
        fill = cell.fill
        if fill is None or getattr(fill, "fill_type", None) is None:
            return ""
        colour = getattr(fill, "fgColor", None)
        if colour is None:  # a gradient: its first colour
            stops = getattr(fill, "stop", ())
            colour = stops[0].color if stops else None
        return self._told(colour)

    def font(self, cell: Any) -> str:
        """The colour of a cell's text where it is neither the default nor black."""
        told = self._told(getattr(cell.font, "color", None)) if cell.value is not None else ""
        return "" if told.startswith("000000") else told

    def _told(self, colour: Any) -> str:
        rgb = self._rgb(colour) if colour is not None else ""
        return f"{rgb} ({_nearest(rgb)})" if rgb else ""

    def _rgb(self, colour: Any) -> str:
        known = package("openpyxl.styles.colors").COLOR_INDEX
        if colour.type == "rgb":
            base = str(colour.rgb)[-6:]
        elif colour.type == "indexed":
            base = known[colour.indexed][-6:] if colour.indexed < len(known) else ""
        elif colour.type == "theme":
            base = self._theme[colour.theme] if 0 <= colour.theme < len(self._theme) else ""
        else:
            base = ""
        return _tinted(base, float(colour.tint or 0.0)) if re.fullmatch(r"[0-9A-Fa-f]{6}", base) else ""


def ranges(places: Iterable[tuple[int, int]], most: int) -> str:
    """Cells (row, column) as ranges such as ``A1:C4, E7``: runs in a row, joined with equal runs below."""
    letter = package("openpyxl.utils").get_column_letter
    open_runs: dict[tuple[int, int], tuple[int, int]] = {}
    blocks: list[tuple[int, int, int, int]] = []  # top, left, bottom, right
    for row, left, right in _runs(places):
        top, bottom = open_runs.get((left, right), (row, row))
        if bottom < row - 1:
            blocks.append((top, left, bottom, right))
            top = row
        open_runs[left, right] = (top, row)
    blocks += [(top, left, bottom, right) for (left, right), (top, bottom) in open_runs.items()]
    told = []
    for top, left, bottom, right in sorted(blocks)[:most]:
        first, last = f"{letter(left)}{top}", f"{letter(right)}{bottom}"
        told.append(first if first == last else f"{first}:{last}")
    return ", ".join(told) + (f" and {len(blocks) - most} more ranges" if len(blocks) > most else "")


def _runs(places: Iterable[tuple[int, int]]) -> list[tuple[int, int, int]]:
    runs: list[tuple[int, int, int]] = []
    for row, column in sorted(places):
        if runs and runs[-1][0] == row and runs[-1][2] == column - 1:
            runs[-1] = (row, runs[-1][1], column)
        else:
            runs.append((row, column, column))
    return runs


def _tinted(rgb: str, tint: float) -> str:
    """Lighter (tint above 0) or darker, as ECMA-376 18.8.19 has it."""
    if not tint:
        return rgb.upper()
    red, green, blue = (int(rgb[at : at + 2], 16) / 255 for at in (0, 2, 4))
    hue, light, saturation = colorsys.rgb_to_hls(red, green, blue)
    light = light * (1 + tint) if tint < 0 else light * (1 - tint) + tint
    return "".join(f"{round(part * 255):02X}" for part in colorsys.hls_to_rgb(hue, light, saturation))


def _nearest(rgb: str) -> str:
    parts = [int(rgb[at : at + 2], 16) for at in (0, 2, 4)]
    return min(_NAMES, key=lambda name: sum((a - b) ** 2 for a, b in zip(parts, _NAMES[name], strict=True)))
