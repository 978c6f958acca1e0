"""A short look at a file for a prompt: what it is, what it holds, how it begins."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

CHARS = 600
"""Longest preview, about 150 tokens."""
_PARSED = 5 * 1024 * 1024
"""Bytes of the largest file that is read whole for a preview."""
_COUNTED = 200 * 1024 * 1024
"""Bytes of the largest file whose lines are counted."""
_CELL = 40
_TABLES = {".csv": ",", ".tsv": "\t"}


def preview(path: Path, chars: int = CHARS) -> str:
    """Describe a file in a few lines, beginning with its name.

    Args:
        path: the file; what it holds is not trusted, and a file that cannot be read is described as such.
        chars: longest description.
    """
    try:
        size = path.stat().st_size
        look = _LOOKS.get(path.suffix.lower(), _unknown)
        text = look(path) if size else "empty file"
    except OSError as error:
        text = f"cannot be read ({error.strerror})"
    except (ValueError, KeyError, csv.Error, zipfile.BadZipFile, ImportError, RecursionError):
        text = _plain(path)  # not what its name says, or not readable here
    return _cut(f"{path.name}: {text}", chars)


def previews(paths: Iterable[Path]) -> str:
    """Previews of several files; the more files, the shorter each."""
    found = sorted(paths)
    chars = max(120, min(CHARS, 4 * CHARS // max(len(found), 1)))
    lines = [f"- {preview(path, chars)}" for path in found[:20]]
    if len(found) > 20:
        lines.append(f"- and {len(found) - 20} more files")
    return "\n".join(lines)


def _table(path: Path) -> str:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        sample = file.read(64 * 1024)
    delimiter = _TABLES[path.suffix.lower()]
    first = sample.partition("\n")[0]
    if delimiter not in first:
        delimiter = max(";\t|,", key=first.count)
    rows = list(islice(csv.reader(io.StringIO(sample), delimiter=delimiter), 3))
    if not rows:
        return _plain(path)
    lines = _line_count(path)
    count = f", about {lines - 1:,} rows" if lines else ""
    separator = "" if delimiter == "," else f", separated by {delimiter!r}"
    return f"table{separator}{count}\n{_columns(rows)}"


def _columns(rows: Sequence[Sequence[Any]]) -> str:
    """Header and first rows of a table; names exactly as code must write them."""
    names = [str(cell) for cell in rows[0]]
    text = f"  columns: {_cut(str(names), CHARS * 2 // 3)}"
    for row in rows[1:]:
        text += "\n  row: " + _cut(", ".join(_cut(str(cell), _CELL) for cell in row), CHARS // 4)
    return text


def _line_count(path: Path) -> int | None:
    if path.stat().st_size > _COUNTED:
        return None
    count, last = 0, b"\n"
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            count += piece.count(b"\n")
            last = piece[-1:]
    return count + (last != b"\n")


def _workbook(path: Path) -> str:
    if path.stat().st_size > _PARSED:
        return "workbook"
    from openpyxl import load_workbook

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # noqa: BLE001  # openpyxl lets anything through that a damaged file provokes
        return f"workbook that cannot be opened ({type(error).__name__})"
    try:
        parts = []
        for sheet in book.worksheets[:4]:
            rows = [list(row) for row in islice(sheet.iter_rows(values_only=True), 3)]
            shown = _columns(rows) if rows else "  empty"
            parts.append(f"  sheet {sheet.title!r}, {sheet.max_row or 0:,} rows\n{shown}")
        more = f"\n  and {len(book.worksheets) - 4} more sheets" if len(book.worksheets) > 4 else ""
        return "workbook\n" + "\n".join(parts) + more
    finally:
        book.close()


def _json(path: Path) -> str:
    if path.stat().st_size > _PARSED:
        return _plain(path)
    return "JSON, " + _shape(json.loads(path.read_text(encoding="utf-8-sig")))


def _shape(data: Any) -> str:
    if isinstance(data, dict):
        kinds = ", ".join(f"{key!r}: {_kind(value)}" for key, value in islice(data.items(), 15))
        return f"object {{{kinds}{', ...' if len(data) > 15 else ''}}}"
    if isinstance(data, list):
        first = _cut(json.dumps(data[0], ensure_ascii=False), CHARS // 3) if data else ""
        return f"list of {len(data):,}" + (f", the first: {first}" if data else "")
    return _cut(json.dumps(data), CHARS // 3)


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return f"object with {_cut(str(list(value)), 80)}"
    if isinstance(value, list):
        first = f" of {_kind(value[0])}" if value else ""
        return f"list of {len(value)}{first}"
    return _cut(json.dumps(value, ensure_ascii=False), _CELL)


def _archive(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    names = "\n".join(f"  {_cut(e.filename, 80)} ({e.file_size:,} bytes)" for e in entries[:10])
    more = f"\n  and {len(entries) - 10} more" if len(entries) > 10 else ""
    return f"zip archive of {len(entries)}\n{names}{more}"


def _plain(path: Path) -> str:
    """First lines of a text; the size of anything else."""
    with path.open("rb") as file:
        head = file.read(2048)
    if b"\0" in head:
        return f"binary, {path.stat().st_size:,} bytes"
    text = head.decode("utf-8", "replace").strip()
    lines = _line_count(path)
    shown = "\n".join("  " + _cut(line, 120) for line in text.splitlines()[:4])
    return f"text, {lines:,} lines, begins\n{shown}" if lines else f"text, begins\n{shown}"


def _unknown(path: Path) -> str:
    return _plain(path)


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else text[: max(chars - 3, 0)] + "..."


_LOOKS: dict[str, Callable[[Path], str]] = {
    ".csv": _table,
    ".tsv": _table,
    ".xlsx": _workbook,
    ".xlsm": _workbook,
    ".json": _json,
    ".zip": _archive,
}
