"""Cutting a long text into pages at natural breaks."""

from __future__ import annotations

CHARS = 8_000
"""Characters of a page."""
_BREAKS = ("\n## ", "\n\n", "\n", ". ", " ")
_LEAST = 0.6
"""Share of a page that a break must leave on it."""


def pages(text: str, chars: int = CHARS) -> tuple[str, ...]:
    """A text in pages, which joined are the text.

    A page ends before a heading, else after a paragraph, a line, a sentence or a word, whichever there is in its last part.

    Args:
        text: any.
        chars: longest page, at least 1.

    Returns:
        At least one page; only of an empty text is one empty.
    """
    found, start = [], 0
    while len(text) - start > chars:
        end = _break(text, start, chars)
        found.append(text[start:end])
        start = end
    return (*found, text[start:])


def _break(text: str, start: int, chars: int) -> int:
    least = start + max(1, int(chars * _LEAST))
    for sign in _BREAKS:
        at = text.rfind(sign, least, start + chars)
        if at >= 0:
            return at + 1 if sign == "\n## " else at + len(sign)
    return start + chars
