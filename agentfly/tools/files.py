"""A short look at a file for a prompt: what it is, what it holds, how it begins.

The workspace belongs to code that a model wrote. So links are not followed, pipes and devices not opened, and what would take
long or much memory is left at its size.
"""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from agentfly.tools.documents.inside import archives
from agentfly.tools.documents.inside.problems import Unreadable

CHARS = 600
"""Longest preview, about 150 tokens."""
_PARSED = 5 * 1024 * 1024
"""Bytes of the largest file that is read whole for a preview."""
_COUNTED = 200 * 1024 * 1024
"""Bytes of the largest file whose lines are counted."""
_UNPACKED = 50 * 1024 * 1024
"""Bytes that the parts of a workbook may unpack to."""
_SPARSE = 8 * 1024 * 1024
"""Bytes from which on a file is asked whether it takes as much room as it says."""
_CELL = 40
_TABLES = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True, slots=True)
class _Subject:
    """An open file."""

    file: BinaryIO
    path: Path
    size: int
    hollow: bool
    """Whether it has holes: it says that it is larger than the room that it takes."""

    def start(self, count: int) -> bytes:
        """The first bytes."""
        self.file.seek(0)
        return self.file.read(count)


def preview(path: Path, chars: int = CHARS) -> str:
    """Describe a file in a few lines, beginning with its name.

    Args:
        path: the file; what it holds is not trusted, and a file that cannot be read is described as such.
        chars: longest description.
    """
    try:
        text = _described(path)
    except OSError as error:
        text = f"cannot be read ({error.strerror})"
    text = text.encode("utf-8", "replace").decode()  # half a surrogate pair, as JSON can hold, fits in no request
    return _cut(f"{shown_name(path.name)}: {text}", chars)


def shown_name(name: str) -> str:
    """A file's name for a prompt: what does not print is escaped, so that it cannot look like a further line."""
    return name if name.isprintable() else ascii(name)[1:-1]


def previews(paths: Iterable[Path]) -> str:
    """Previews of several files; the more files, the shorter each."""
    found = sorted(paths)
    chars = max(120, min(CHARS, 4 * CHARS // max(len(found), 1)))
    lines = [f"- {preview(path, chars)}" for path in found[:20]]
    if len(found) > 20:
        lines.append(f"- and {len(found) - 20} more files")
    return "\n".join(lines)


def _described(path: Path) -> str:
    kind = path.lstat().st_mode
    if stat.S_ISLNK(kind):
        return "a link, which is not followed"
    if not stat.S_ISREG(kind):
        return "a folder" if stat.S_ISDIR(kind) else "a pipe, a device or a socket, not a file"
    # It may have been exchanged since: a link fails here, a pipe does not block, and neither is read.
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(number, "rb") as file:
        told = os.fstat(number)
        if not stat.S_ISREG(told.st_mode):
            return "not a regular file"
        hollow = told.st_size > _SPARSE and told.st_blocks * 512 < told.st_size // 2
        subject = _Subject(file, path, told.st_size, hollow)
        if not subject.size:
            return "empty file"
        try:
            return _LOOKS.get(path.suffix.lower(), _plain)(subject)
        except (ValueError, KeyError, csv.Error, Unreadable, ImportError, RecursionError):
            return _plain(subject)  # not what its name says, or not readable here


def _table(subject: _Subject) -> str:
    sample = subject.start(64 * 1024).decode("utf-8-sig", "replace")
    delimiter = _TABLES[subject.path.suffix.lower()]
    first = sample.partition("\n")[0]
    if delimiter not in first:
        delimiter = max(";\t|,", key=first.count)
    rows = list(islice(csv.reader(io.StringIO(sample), delimiter=delimiter), 3))
    if not rows:
        return _plain(subject)
    lines = _line_count(subject)
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


def _line_count(subject: _Subject) -> int | None:
    if subject.size > _COUNTED or subject.hollow:
        return None
    count, last, left = 0, b"\n", _COUNTED
    subject.file.seek(0)
    while left > 0 and (piece := subject.file.read(1 << 20)):  # it may grow while it is read
        count += piece.count(b"\n")
        last = piece[-1:]
        left -= len(piece)
    return count + (last != b"\n")


def _workbook(subject: _Subject) -> str:
    if subject.size > _PARSED:
        return "workbook"
    with archives.opened(subject.file) as archive:
        archives.check_document(archive)
        if sum(entry.file_size for entry in archive.infolist()) > _UNPACKED:
            return "workbook"
    from openpyxl import load_workbook

    subject.file.seek(0)
    try:
        book = load_workbook(subject.file, read_only=True, data_only=True)
        parts = []
        for sheet in book.worksheets[:4]:
            rows = [list(row) for row in islice(sheet.iter_rows(values_only=True), 3)]
            shown = _columns(rows) if rows else "  empty"
            parts.append(f"  sheet {sheet.title!r}, {sheet.max_row or 0:,} rows\n{shown}")
        more = f"\n  and {len(book.worksheets) - 4} more sheets" if len(book.worksheets) > 4 else ""
        return "workbook\n" + "\n".join(parts) + more
    except Exception as error:  # noqa: BLE001  # openpyxl lets anything through that a damaged file provokes, sheets as late as here
        return f"workbook that cannot be opened ({type(error).__name__})"


def _json(subject: _Subject) -> str:
    if subject.size > _PARSED:
        return _plain(subject)
    return "JSON, " + _shape(json.loads(subject.start(_PARSED).decode("utf-8-sig")))


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


def _archive(subject: _Subject) -> str:
    with archives.opened(subject.file) as archive:
        entries = archive.infolist()
    names = "\n".join(f"  {_cut(e.filename, 80)} ({e.file_size:,} bytes)" for e in entries[:10])
    more = f"\n  and {len(entries) - 10} more" if len(entries) > 10 else ""
    return f"zip archive of {len(entries)}\n{names}{more}"


def _plain(subject: _Subject) -> str:
    """First lines of a text; the size of anything else."""
    head = subject.start(2048)
    if b"\0" in head:
        return f"binary, {subject.size:,} bytes"
    text = head.decode("utf-8", "replace").strip()
    lines = _line_count(subject)
    shown = "\n".join("  " + _cut(line, 120) for line in text.splitlines()[:4])
    return f"text, {lines:,} lines, begins\n{shown}" if lines else f"text, begins\n{shown}"


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else text[: max(chars - 3, 0)] + "..."


_LOOKS: dict[str, Callable[[_Subject], str]] = {
    ".csv": _table,
    ".tsv": _table,
    ".xlsx": _workbook,
    ".xlsm": _workbook,
    ".json": _json,
    ".zip": _archive,
}
