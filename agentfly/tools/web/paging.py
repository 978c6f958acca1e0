"""Long texts in pages that end where something ends."""

from __future__ import annotations


def paged(text: str, size: int) -> tuple[str, ...]:
    """Cut a text into pages.

    Args:
        text: any.
        size: characters of a page at most; a page is more than half full before it ends with a paragraph, a line or a word.

    Returns:
        At least one page; joined they are the text.
    """
    pages, start = [], 0
    while len(text) - start > size:
        end = _end(text, start, size)
        pages.append(text[start:end])
        start = end
    return (*pages, text[start:])


def _end(text: str, start: int, size: int) -> int:
    for mark in ("\n\n", "\n", ". ", " "):
        found = text.rfind(mark, start + size // 2, start + size)
        if found >= 0:
            return found + len(mark)
    return start + size
