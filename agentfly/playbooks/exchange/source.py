"""A file that is to be read as a playbook: its lines, and what may not stand in them."""

from __future__ import annotations

import unicodedata

from agentfly.errors import InputError

MAX_BYTES = 5_000_000
"""Largest file that is read: what is larger is no playbook."""

_JOINERS = frozenset("\u200c\u200d\ufe0e\ufe0f")
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufffd")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def decoded(data: bytes) -> str:
    """The text of a file: UTF-8, a byte order mark cut off, every line end a line feed.

    Raises:
        InputError: too large, empty, or not UTF-8 text; names the line where there is one.
    """
    if len(data) >= MAX_BYTES:
        raise InputError(f"a playbook file must have less than {MAX_BYTES} bytes; this has {len(data)}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"line {line}: byte 0x{data[error.start]:02x} is not UTF-8 text") from None
    if not text.strip():
        raise InputError("the file is empty")
    return text.replace("\r\n", "\n")


def seen_lines(text: str, first: int = 1) -> list[str]:
    """The lines, in each of which everything can be seen.

    Args:
        text: what is to be read.
        first: number of its first line in the file.

    Raises:
        InputError: names the first line that holds an invisible or a control character, and which.
    """
    lines = text.split("\n")
    for number, line in enumerate(lines, first):
        hidden = hidden_in(line)
        if hidden:
            raise InputError(f"line {number}: the invisible character {hidden} has no place in a playbook")
    return lines


def hidden_in(text: str) -> str:
    """Name of the first character that nobody sees, such as U+200B; empty where there is none.

    Tabs pass, and so do the joiners and selectors that scripts and emoji use, that is after a non-ASCII character.
    """
    if text.isascii() and text.isprintable():
        return ""
    before = ""
    for character in text:
        joins = character in _JOINERS and bool(before) and not before.isascii() and before not in _JOINERS
        if not joins and character != "\t" and _unseen(character):
            return f"U+{ord(character):04X}"
        before = character
    return ""


def shown_in_json(line: str) -> str:
    """A line of JSON in which everything can be seen: what is hidden stands as an escape, and reads the same."""
    if not hidden_in(line):
        return line
    return "".join(_escape(c) if c != "\t" and (c in _JOINERS or _unseen(c)) else c for c in line)


def _escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _unseen(character: str) -> bool:
    selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return selector or character in _BLANKS or unicodedata.category(character) in _UNSEEN
