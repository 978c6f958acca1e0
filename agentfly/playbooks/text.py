r"""Cleaning of the text that a bullet may hold. Whatever a model writes, the stored text is plain and harmless.

Decisions, in this order:

- Refused, because nobody means them: control characters (escape sequences for terminals, NUL), characters that turn
  the reading direction around, tag and private-use characters, lone surrogates, U+FFFD.
- Stripped, because they come along unseen: zero-width characters, byte order marks, soft hyphens, direction marks,
  blank fillers. Joiners and emoji selectors stay where the script uses them, that is after a non-ASCII character.
- White space of every kind, line ends included, becomes one space. Examples and checks keep their lines.
- A label that the model copied (``- [str-00001] helpful=2 harmful=0 :: ``) is cut off the beginning, once.
- Refused: a line that opens with a heading (``## SECTION``) or with the label of a bullet, as an injection would.

Checks are code: lines keep their indentation, comments are no headings, a fence around the whole is cut off.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata

from agentfly.playbooks.rules import Refused, Rules
from agentfly.types import BulletKind

_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_JOINERS = frozenset("\u200c\u200d\ufe0e\ufe0f")
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_LINE_ENDS = "\n\r\x0b\x0c\x85\u2028\u2029"
_SPACES = frozenset("\t\x1c\x1d\x1e\x1f " + _LINE_ENDS)

_LABEL = re.compile(r"(?:[-*•]\s*)?\[[A-Za-z]{2,32}-\d{3,12}\]\s*(?:helpful=\d+\s+harmful=\d+\s*)?(?:::)?\s*")
_MARKER = re.compile(r"[-*•]\s+(?=\S)")
_HEADING = re.compile(r"\s*#{2,6}(?:\s|$)|\s*#{2,6}\w")
_TITLE = re.compile(r"\s*#\s")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_COMMENT = re.compile(r"^( *)#{2,}[ #]*", re.MULTILINE)


def bullet_text(raw: str, kind: BulletKind, rules: Rules) -> str:
    """The text as a bullet of this kind stores it.

    Args:
        raw: the text as a model or a person wrote it.
        kind: what kind of bullet it is for.
        rules: limits on it.

    Raises:
        Refused: the text is empty, too long, holds what must not be stored, or is a check that is none.
    """
    if kind != "check":
        return clean_text(raw, rules.chars, lines=kind == "example")
    from agentfly.playbooks.checks.validate import problem  # brings the library with it, whose patterns take 15 ms

    text = clean_code(raw, rules.check_chars)
    reason = problem(text, rules.check_chars)
    if reason:
        raise Refused(reason)
    return text


def clean_code(raw: str, limit: int) -> str:
    """The source of a check in its stored form: without fences and labels around it; lines keep their indentation.

    Args, raises: as `clean_text`.
    """
    if len(raw) > 4 * limit:  # room for fences and white space
        raise Refused(f"the check has {len(raw)} characters; {limit} are allowed")
    lines = _split(_without_invisible(raw))
    before = None
    while lines and lines != before:
        before = list(lines)
        lines[0] = _without_label(lines[0]) if _LABEL.match(lines[0].lstrip()) or _MARKER.match(lines[0]) else lines[0]
        ends = (0, len(lines) - 1)
        lines = [line for n, line in enumerate(lines) if n not in ends or not (_FENCE.match(line) or not line.strip())]
    for line in lines:
        if _LABEL.match(line.lstrip()):
            raise Refused("the text holds the label of a bullet")
    text = _COMMENT.sub(r"\1# ", textwrap.dedent("\n".join(lines))).strip()
    if not any(character.isalnum() for character in text):
        raise Refused("the text is empty")
    if len(text) > limit:
        raise Refused(f"the check has {len(text)} characters; {limit} are allowed")
    return text


def clean_text(raw: str, limit: int, *, lines: bool = False) -> str:
    """The text as a bullet stores it.

    Args:
        raw: the text as a model or a person wrote it.
        limit: most characters after cleaning.
        lines: whether line ends are kept, as in examples, or become spaces.

    Raises:
        Refused: the text is empty, too long, or holds what must not be stored.
    """
    if len(raw) > 20 * limit:  # before any work on it: the text may be megabytes
        raise Refused(f"the text has {len(raw)} characters; {limit} are allowed")
    parts = _split(_without_invisible(raw))
    if parts:
        parts[0] = _without_label(parts[0])
    for part in parts:
        _check_line(part, alone=len(parts) == 1 or lines)
    text = "\n".join(parts) if lines else " ".join(" ".join(parts).split())
    text = text.strip()
    if not any(character.isalnum() for character in text):
        raise Refused("the text is empty")
    if len(text) > limit:
        raise Refused(f"the text has {len(text)} characters; {limit} are allowed")
    return text


def fold(text: str) -> str:
    """Texts with one fold say the same word for word, apart from case, punctuation at the end and spacing."""
    return " ".join(text.casefold().split()).rstrip(" .!;")


def _without_invisible(raw: str) -> str:
    if raw.isascii() and raw.isprintable():
        return raw
    kept: list[str] = []
    for character in unicodedata.normalize("NFC", raw):
        if character in _SPACES or character.isprintable():
            if (
                character not in _BLANKS
                and not (character in _JOINERS and _plain_before(kept))
                and not _selector(character)
            ):
                kept.append(character)
            continue
        category = unicodedata.category(character)
        if category in {"Zs", "Zl", "Zp"}:
            kept.append(" " if category == "Zs" else "\n")
        elif character in _JOINERS:
            if not _plain_before(kept):
                kept.append(character)
        elif category != "Cf" or character in _BIDI or 0xE0000 <= ord(character) < 0xE1000:
            if category != "Cn" or _never_text(character):
                raise Refused(f"the text holds the character U+{ord(character):04X}, which has no place in a text")
            kept.append(character)
    text = "".join(kept)
    if "\ufffd" in text:
        raise Refused("the text holds the character U+FFFD, which has no place in a text")
    return text


def _plain_before(kept: list[str]) -> bool:
    return not kept or kept[-1].isascii() or kept[-1] in _JOINERS


def _selector(character: str) -> bool:
    """Variation selectors other than the two that emoji use can smuggle bytes past a reader."""
    return "\ufe00" <= character <= "\ufe0d" or "\U000e0100" <= character <= "\U000e01ef"


def _never_text(character: str) -> bool:
    code = ord(character)
    return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF or code >= 0xE0000


def _split(text: str) -> list[str]:
    lines = [line.rstrip() for line in re.split(f"\r\n|[{_LINE_ENDS}]", text)]
    while lines and not lines[0].strip():
        del lines[0]
    while lines and not lines[-1].strip():
        del lines[-1]
    return [re.sub(r"[\t\x1c-\x1f]", "    ", line) for line in lines if line.strip()]


def _without_label(line: str) -> str:
    stripped = line.lstrip()
    match = _LABEL.match(stripped) or _MARKER.match(stripped)
    return stripped[match.end() :] if match else line


def _check_line(line: str, *, alone: bool) -> None:
    if _HEADING.match(line) or (not alone and _TITLE.match(line)):
        raise Refused("the text holds a heading")
    if _LABEL.match(line.lstrip()):
        raise Refused("the text holds the label of a bullet")
