"""PDF page by page, as pages are what questions name; ruled tables besides, where there is time for them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from time import monotonic
from typing import Any, BinaryIO

from .optional import package
from .problems import Unreadable
from .tables import markdown

PAGES = 2_000
TABLE_SECONDS = 10.0
"""Time for finding tables, over all pages; about 0.1 s a page."""
CHARS = 4_000_000


def read(file: BinaryIO, *, eyes: bool) -> str:
    """The text of each page under its number, and its tables.

    Args:
        file: the PDF.
        eyes: whether ask_image can look at its pages.

    Raises:
        Unreadable: damaged, or behind a password.
    """
    pypdfium2 = package("pypdfium2")
    try:
        document = pypdfium2.PdfDocument(file.read())
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise Unreadable("the PDF is behind a password") from None
        raise Unreadable(f"the PDF is damaged ({error})") from None
    count = len(document)
    tables = _Tables(file)
    parts = [f"PDF, {count:,} pages"]
    length = bare = 0
    for number in range(min(count, PAGES)):
        text = _text(document, number).strip()
        bare += not text
        found = tables.of(number) if text else ""
        parts.append(f"## PDF page {number + 1}\n\n{text or '(no text: an image or a scan)'}" + found)
        length += len(parts[-1])
        if length > CHARS:
            break
    if bare == min(count, PAGES) and count:
        parts[0] += "; none of them holds text: it is a scan"
        parts[0] += ". ask_image can look at a page: give its number" if eyes else ""
    return "\n\n".join(parts)


def picture(file: BinaryIO, page: int) -> bytes:
    """A page as PNG, 1,600 pixels at its longer side.

    Args:
        file: the PDF.
        page: from 1.

    Raises:
        Unreadable: damaged, or no such page.
    """
    pypdfium2 = package("pypdfium2")
    try:
        document = pypdfium2.PdfDocument(file.read())
        if not 1 <= page <= len(document):
            raise Unreadable(f"there is no page {page}: the PDF has {len(document):,}")
        sheet = document[page - 1]
        scale = 1600 / max(*sheet.get_size(), 1.0)
        drawn = sheet.render(scale=min(scale, 4.0)).to_pil()
    except pypdfium2.PdfiumError as error:
        raise Unreadable(f"the PDF is damaged ({error})") from None
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG")
    return buffer.getvalue()


def _text(document: Any, number: int) -> str:
    pypdfium2 = package("pypdfium2")
    try:
        text = str(document[number].get_textpage().get_text_range())
    except pypdfium2.PdfiumError:
        return "(this page is damaged)"
    return text.replace("\r\n", "\n").replace("\ufffe", "-\n")  # PDFium's sign for a hyphen at the end of a line


class _Tables:
    """Ruled tables of a document, for as long as there is time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._document: Any = None
        self._until = monotonic() + TABLE_SECONDS

    def of(self, number: int) -> str:
        if monotonic() > self._until:
            return ""
        try:
            tables = self._found(number)
        except Exception:  # noqa: BLE001 - the parser lets anything through that a damaged file provokes; the text is there
            self._until = 0.0
            return ""
        return "".join("\n\nTable:\n" + markdown(table[0], table[1:]) for table in tables)

    def _found(self, number: int) -> Sequence[Sequence[Sequence[str]]]:
        if self._document is None:
            self._file.seek(0)
            self._document = package("pdfplumber").open(self._file)
        page = self._document.pages[number]
        try:
            if not (page.lines or page.rects):
                return []
            found = page.extract_tables()
        finally:
            page.close()
        rows = [[[str(cell or "") for cell in row] for row in table] for table in found]
        return [table for table in rows if len(table) > 1 and len(table[0]) > 1]
