"""Workbooks: every sheet as a table under its own letters and numbers, with merged cells, notes and colours."""

from __future__ import annotations

import datetime
import os
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from .colours import Palette, ranges
from .optional import package
from .problems import Unreadable
from .tables import markdown

WHOLE_BYTES = 24 * 1024 * 1024
"""Unpacked size up to which a workbook is read with its styles; a larger one is read for its values alone. 24 MB take about 8 s."""
CELLS = 300_000
"""Most values of a sheet that are shown."""
LISTED = 200
_SPARSE = 20
"""Cells per value from which on a sheet is shown as a list of its values instead of a table."""


def read(file: BinaryIO, parts: zipfile.ZipFile, sheet: str | None, formulas: bool) -> str:
    """Sheets of an ``xlsx`` workbook.

    Args:
        file: the workbook.
        parts: the same as an archive.
        sheet: name of the only one to show, or its number from 1.
        formulas: whether formulas are shown beside the values that were last computed.

    Raises:
        Unreadable: damaged, or no such sheet.
    """
    openpyxl = package("openpyxl")
    whole = sum(entry.file_size for entry in parts.infolist()) <= WHOLE_BYTES
    try:
        book = openpyxl.load_workbook(file, data_only=True, read_only=not whole)
        written = openpyxl.load_workbook(file) if whole and _computes(parts) else None
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - openpyxl lets anything through that a damaged file provokes
        raise Unreadable(f"the workbook is damaged ({type(error).__name__}: {str(error)[:200]})") from None
    palette = Palette(getattr(book, "loaded_theme", None))
    names = [each.title for each in book.worksheets]
    told = [f"workbook with {len(names)} sheets: {', '.join(map(repr, names))}"]
    for name in chosen(names, sheet):
        view = _Sheet(book[name], written[name] if written else None, whole=whole, formulas=formulas)
        told.append(view.text(palette))
    return "\n\n".join(told)


def read_old(data: bytes, sheet: str | None) -> str:
    """Sheets of an ``xls`` workbook, values only.

    Raises:
        Unreadable: damaged, or no such sheet.
        ImportError: xlrd is not installed.
    """
    xlrd = package("xlrd")
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        try:
            book = xlrd.open_workbook(file_contents=data, logfile=nowhere)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - xlrd lets anything through that a damaged file provokes
            raise Unreadable(f"it is no .xls workbook, or a damaged one ({str(error)[:200]})") from None
    names = book.sheet_names()
    parts = [f"workbook with {len(names)} sheets: {', '.join(map(repr, names))}"]
    for name in chosen(names, sheet):
        page = book.sheet_by_name(name)
        values = {
            (row + 1, column + 1): _old_value(page.cell(row, column), book.datemode)
            for row in range(page.nrows)
            for column in range(page.row_len(row))
        }
        values = {place: text for place, text in values.items() if text}
        parts.append(f"## Sheet {name!r}\n\n{_grid(values)}")
    return "\n\n".join(parts)


def chosen(names: list[str], sheet: str | None) -> list[str]:
    """The sheets to show.

    Raises:
        Unreadable: there is none of that name or number.
    """
    if sheet is None:
        return names
    if sheet in names:
        return [sheet]
    if sheet.isdigit() and 1 <= int(sheet) <= len(names):
        return [names[int(sheet) - 1]]
    close = [name for name in names if name.strip().lower() == sheet.strip().lower()]
    if close:
        return close[:1]
    raise Unreadable(f"there is no sheet {sheet!r}; the sheets are {', '.join(map(repr, names))}")


class _Sheet:
    """One sheet, and the same with its formulas instead of their values where it has any."""

    def __init__(self, sheet: Any, written: Any, *, whole: bool, formulas: bool) -> None:
        self._sheet = sheet
        self._written = written
        self._whole = whole
        self._formulas = formulas
        self._cut = False

    def text(self, palette: Palette) -> str:
        """The sheet for a model."""
        hidden = "" if self._sheet.sheet_state == "visible" else ", hidden"
        values = dict(self._values())
        parts = [f"## Sheet {self._sheet.title!r}{hidden}", _grid(values)]
        if self._cut:
            parts.append(f"(only the first {CELLS:,} values are shown; load the rest with Python)")
        if not self._whole:
            parts.append("(a large workbook: values only)")
        else:
            parts += [line for line in (self._merged(), self._notes(), self._colours(palette)) if line]
        return "\n\n".join(parts)

    def _values(self) -> Iterator[tuple[tuple[int, int], str]]:
        count = 0
        for cell in _cells(self._sheet):
            shown = _value(cell.value)
            if self._written is not None:
                formula = _formula(self._written, cell)
                if formula and (self._formulas or not shown):
                    shown = f"{shown} {{{formula}}}".strip()
            if shown:
                count += 1
                if count > CELLS:
                    self._cut = True
                    return
                yield (cell.row, cell.column), shown

    def _merged(self) -> str:
        merged = [str(each) for each in self._sheet.merged_cells.ranges]
        if not merged:
            return ""
        return f"Merged cells: {', '.join(sorted(merged)[:LISTED])}{' and more' if len(merged) > LISTED else ''}"

    def _notes(self) -> str:
        notes = [(cell.coordinate, cell.comment.text) for cell in _cells(self._sheet) if cell.comment is not None]
        lines = [f"- {place}: {' '.join(text.split())[:300]}" for place, text in notes[:LISTED]]
        return "Notes:\n" + "\n".join(lines) if lines else ""

    def _colours(self, palette: Palette) -> str:
        fills = _coloured(self._sheet, palette.fill)
        fonts = _coloured(self._sheet, palette.font)
        parts = [
            f"{title}:\n" + "\n".join(f"- {colour}: {ranges(places, LISTED)}" for colour, places in found.items())
            for title, found in (("Fill colours", fills), ("Font colours", fonts))
            if found
        ]
        return "\n\n".join(parts)


def _coloured(sheet: Any, colour_of: Callable[[Any], str]) -> dict[str, list[tuple[int, int]]]:
    """Places by colour; cells share few styles, so each style is looked at once."""
    known: dict[int, str] = {}
    found: dict[str, list[tuple[int, int]]] = {}
    for cell in _cells(sheet):
        if not cell.has_style:
            continue
        style = cell.style_id
        if style not in known:
            known[style] = colour_of(cell)
        if known[style]:
            found.setdefault(known[style], []).append((cell.row, cell.column))
    return found


def _cells(sheet: Any) -> Iterator[Any]:
    """Cells that exist, row by row; a sheet with one cell at its far corner has one cell and not 17 billion."""
    held = getattr(sheet, "_cells", None)
    if held is not None:
        for place in sorted(held):
            yield held[place]
        return
    for row in sheet.iter_rows(max_col=1_000):
        yield from (cell for cell in row if cell.value is not None)


def _formula(written: Any, cell: Any) -> str:
    held = written._cells.get((cell.row, cell.column))
    value = held.value if held is not None else None
    value = getattr(value, "text", value)  # an array formula has one
    return value if isinstance(value, str) and value.startswith("=") else ""


def _grid(values: dict[tuple[int, int], str]) -> str:
    """Values as a table under the sheet's own letters and numbers, or as a list where nearly all cells are empty."""
    letter = package("openpyxl.utils").get_column_letter
    if not values:
        return "(no values)"
    rows, columns = {row for row, _ in values}, {column for _, column in values}
    top, bottom, left, right = min(rows), max(rows), min(columns), max(columns)
    if (bottom - top + 1) * (right - left + 1) > _SPARSE * len(values) + 1_000:
        return "\n".join(f"- {letter(column)}{row}: {text}" for (row, column), text in sorted(values.items()))
    header = ["", *(letter(column) for column in range(left, right + 1))]
    lines = (
        [str(row), *(values.get((row, column), "") for column in range(left, right + 1))]
        for row in range(top, bottom + 1)
    )
    return markdown(header, lines)


def _value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime.datetime):
        whole_day = value.time() == datetime.time()
        return value.date().isoformat() if whole_day else value.isoformat(" ")
    return str(value)


def _old_value(cell: Any, datemode: int) -> str:
    xlrd = package("xlrd")
    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            return _value(xlrd.xldate_as_datetime(cell.value, datemode))
        except (ValueError, OverflowError):
            return str(cell.value)
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return _value(bool(cell.value))
    if cell.ctype == xlrd.XL_CELL_NUMBER and cell.value == int(cell.value):
        return str(int(cell.value))
    return _value(cell.value)


def _computes(parts: zipfile.ZipFile) -> bool:
    """Whether a workbook holds formulas; without them it need not be read twice."""
    sheets = [name for name in parts.namelist() if name.startswith("xl/worksheets/")]
    return any(b"<f>" in data or b"<f " in data for data in map(parts.read, sheets))
