"""Text that is not ours, made fit for a page. Escaping of markup is the templates' part."""

from __future__ import annotations

import unicodedata

_HIDDEN = frozenset({"Cc", "Cs", "Cn", "Zl", "Zp"})
_TURNING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def visible(text: str) -> str:
    """Show control characters, halves of surrogate pairs and what turns the direction of text, instead of obeying them."""
    return text if text.isascii() and text.isprintable() else "".join(map(_shown, text.replace("\r\n", "\n")))


def _shown(character: str) -> str:
    if character in "\n\t":
        return character
    hidden = unicodedata.category(character) in _HIDDEN or unicodedata.bidirectional(character) in _TURNING
    return f"\\u{ord(character):04x}" if hidden else character


def shorten(text: str, most: int) -> str:
    """One line of at most `most` characters; what was cut is marked by an ellipsis."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"
