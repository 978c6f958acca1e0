"""What may stand in a playbook: limits, section names, slugs and ids."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterator
from dataclasses import dataclass


class Refused(Exception):
    """An operation cannot be carried out; the message says why. Never leaves the package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Limits on what a delta may do; an operation past one is refused, the rest of its delta is not."""

    chars: int = 500
    """Longest text of a bullet, counted after cleaning."""
    check_chars: int = 1200
    """Longest text of a check, which is code and costs nothing in a prompt."""
    operations: int = 20_000
    """Most operations of one delta. Room for an import; deltas that a model wrote deserve `MODEL_RULES`."""
    sections: int = 200
    """Most sections of a playbook, emptied ones included."""
    section_chars: int = 60
    provenance: int = 64
    """Most runs, and most cases, that one bullet remembers; the oldest give way."""


MODEL_RULES = Rules(operations=20, sections=40)
"""For deltas that a model proposes: a reply that goes on and on cannot flood the playbook."""

_ID = re.compile(r"([a-z]{2,32})-([0-9]{5,12})")
_SECTION = re.compile(r"[^\W_](?:[\w &/+,.'()–-]*[\w)+])?")
_FALLBACK = "sec"


def make_id(slug: str, number: int) -> str:
    """The id of the bullet with this number, such as ``str-00001``."""
    return f"{slug}-{number:05d}"


def parse_id(text: str) -> tuple[str, int] | None:
    """Slug and number of an id, or None where the text is none."""
    match = _ID.fullmatch(text)
    return (match[1], int(match[2])) if match else None


def section_key(name: str) -> str:
    """Names with one key are one section: case, punctuation and spacing do not tell sections apart."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(re.findall(r"[^\W_]+", folded))


def clean_section(name: str, rules: Rules) -> str:
    """A section name in its stored form.

    Raises:
        Refused: empty, too long, several lines, signs that a heading should not have, or no letter at all.
    """
    if len(name) > 20 * rules.section_chars or len(name.strip()) > rules.section_chars:
        raise Refused(f"the section name is longer than {rules.section_chars} characters")
    if len(name.strip().splitlines()) > 1:
        raise Refused("the section name has several lines")
    cleaned = " ".join(unicodedata.normalize("NFC", name).split())
    if not cleaned:
        raise Refused("the section name is empty")
    if not _SECTION.fullmatch(cleaned) or not section_key(cleaned):
        raise Refused(f"the section name {cleaned!r} has signs that a heading should not have")
    if not any(character.isalpha() for character in cleaned):
        raise Refused(f"the section name {cleaned!r} has no letter")
    return cleaned


def make_slug(name: str, taken: Container[str]) -> str:
    """A slug of three or more letters that no section has yet: ``strategies`` gives ``str``.

    Names without three Latin letters fall back on ``sec``, ``seca``, ``secb`` and so on.
    """
    return next(slug for slug in _slugs(name) if slug not in taken)


def _slugs(name: str) -> Iterator[str]:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    letters = re.sub(r"[^a-z]", "", plain)
    base = letters if len(letters) >= 3 else _FALLBACK
    for length in range(3, min(len(base), 12) + 1):
        yield base[:length]
    for suffix in _suffixes():
        yield base[:3] + suffix


def _suffixes() -> Iterator[str]:
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    shorter = [""]
    while True:
        shorter = [head + letter for head in shorter for letter in alphabet]
        yield from shorter
