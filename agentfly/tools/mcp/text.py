"""Text that a server wrote about itself, made safe to be shown to a model. Pure."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 2_000
"""Characters of one description that are kept."""
_READ = 100_000
"""Characters of one description that are looked at."""
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_GAP = re.compile(r"[ \t]{16,}")
_LINES = re.compile(r"\n\s*\n\s*\n")
_EMOJI = frozenset("\u200d\ufe0e\ufe0f")
"""Joiner and variation selectors: they hide nothing of length, and stand in every second emoji."""
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f")
"""Fillers and selectors that are drawn as nothing, though Unicode counts them as letters or marks."""
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn")


def clean(text: str, longest: int = LONGEST) -> tuple[str, bool]:
    """A text without what a person would not see in it.

    Invisible, control and direction characters and HTML comments go, wide gaps are closed, and it is cut to `longest` characters.

    Returns:
        The text, and whether something hidden was taken out (cutting and emoji joiners do not count).
    """
    head = text[:_READ]
    kept = "".join(_seen(character) for character in head)
    hidden = hides(head)
    shown = _COMMENT.sub("", kept)
    hidden = hidden or shown != kept
    shown = _LINES.sub("\n\n", _GAP.sub("  ", shown)).strip()
    return (shown if len(shown) <= longest else shown[: longest - 1].rstrip() + "…"), hidden


def hides(text: str) -> bool:
    """Whether a text holds characters that a person would not see, emoji joiners aside."""
    return any(not _seen(character) and character not in _EMOJI and character != "\r" for character in text)


def _seen(character: str) -> str:
    """The character as it is kept; empty where it is not."""
    if character in "\n\t" or " " <= character <= "~":
        return character
    if character in "\u2028\u2029\x85":
        return "\n"
    if character in _BLANK or character in _EMOJI or "\U000e0100" <= character <= "\U000e01ef":
        return ""
    return "" if unicodedata.category(character) in _UNSEEN else character
