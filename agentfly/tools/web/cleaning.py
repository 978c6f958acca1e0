"""Text from outside without the characters that people do not see and models do."""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f"  # controls
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, joiners, fillers
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f"  # zero width, direction
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"  # fillers, variation selectors, byte order mark, annotations
    "\ud800-\udfff\ue000-\uf8ff"  # surrogates, private use
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"  # tags and further variation selectors, in which whole sentences can be hidden
    "\U000f0000-\U0010ffff"
    "]+"
)
_BREAKS = re.compile("\r\n?|[\x85\u2028\u2029]")
_SPACES = re.compile("[\xa0\u2000-\u200a\u202f\u205f\u3000]")
_EMPTY = re.compile(r"[ \t]+$|\n{3,}", re.M)


def clean(text: str) -> str:
    """Text of which each character can be seen; one kind of line break, no runs of empty lines."""
    text = _UNSEEN.sub("", _BREAKS.sub("\n", text))
    text = _SPACES.sub(" ", text)
    return _EMPTY.sub(lambda found: "\n\n" if found[0][0] == "\n" else "", text).strip()


def one_line(text: str, most: int) -> str:
    """As `clean`, in one line of at most `most` characters."""
    line = " ".join(clean(text[: 8 * most]).split())
    return line if len(line) <= most else line[: most - 3] + "..."
