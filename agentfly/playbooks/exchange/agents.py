"""A part of an ``AGENTS.md`` or ``CLAUDE.md``: the playbook as Markdown between two markers, for other coding agents.

Holds section and text; an example is known by its further lines. Does not hold ids, counts, kind, exposures, provenance
and version, which mean nothing to a reader there, and no checks. What stands outside of the markers is the person's own and is never
touched, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentfly.errors import InputError
from agentfly.playbooks.exchange.items import Item, assembled, kind_of
from agentfly.playbooks.exchange.source import seen_lines
from agentfly.playbooks.playbook import Playbook
from agentfly.types import Bullet

BEGIN = "<!-- agentfly playbook: begin -->"
END = "<!-- agentfly playbook: end -->"
_HEAD = "## Playbook\n\nLearned from past tasks. Each `agentfly playbook export` writes this part anew.\n"
_INDENT = "    "


def write(bullets: Sequence[Bullet]) -> str:
    """The part, markers included.

    Args:
        bullets: strategies and examples, section by section.
    """
    parts, section = [f"{BEGIN}\n{_HEAD}"], ""
    for bullet in bullets:
        if bullet.section != section:
            section = bullet.section
            parts.append(f"\n### {section}\n\n")
        body = _escape(bullet.text).replace("\n", "\n" + _INDENT)
        parts.append(f"- {body}\n")
    return "".join([*parts, f"\n{END}\n"])


def looks_like(text: str) -> bool:
    """Whether a text has a marker, on a line of its own."""
    return any(line.rstrip() in {BEGIN, END} for line in text.split("\n"))


def placed(part: str, before: bytes) -> bytes:
    """A file with the part in place: where it stood, else at the end.

    Args:
        part: what `write` made.
        before: the file as it is; empty for a new one.

    Raises:
        InputError: the file is no text, or its markers do not make a pair; names the line.
    """
    if b"\x00" in before:
        raise InputError("the file is not UTF-8 text")
    span = _span(before)
    end = b"\r\n" if before[span[0] if span else 0 :].split(b"\n", 1)[0].endswith(b"\r") else b"\n"
    whole = part.encode().replace(b"\n", end)
    if span:
        kept = before[span[1] :]
        return before[: span[0]] + (whole if kept or before.endswith(b"\n") else whole.rstrip(b"\r\n")) + kept
    if not before:
        return whole
    gap = b"" if before.endswith(end * 2) else end if before.endswith(b"\n") else end * 2
    return before + gap + whole


def _span(data: bytes) -> tuple[int, int] | None:
    """From the begin marker to past the line end of the end marker."""
    found: list[tuple[int, bytes, int, int]] = []
    start = 0
    for number, line in enumerate(data.split(b"\n"), 1):
        bare = line.rstrip().removeprefix(b"\xef\xbb\xbf")
        if bare in {BEGIN.encode(), END.encode()}:
            found.append((number, bare, start, min(start + len(line) + 1, len(data))))
        start += len(line) + 1
    if not found:
        return None
    number = found[min(len(found), 3) - 1][0]
    if [bare for _, bare, _, _ in found] != [BEGIN.encode(), END.encode()]:
        raise InputError(
            f"line {number}: the markers {BEGIN} and {END} must stand in the file once each, in this order"
        )
    return found[0][2] + (3 if data.startswith(b"\xef\xbb\xbf") and not found[0][2] else 0), found[1][3]


def read(text: str) -> Playbook:
    """The bullets of the part, with new ids, counted from zero.

    Raises:
        InputError: there is no part, or it cannot be read; names the line and the reason.
    """
    span = _span(text.encode())
    if span is None:
        raise InputError(f"the file has no part that begins with {BEGIN}")
    data = text.encode()
    start = data.count(b"\n", 0, span[0]) + 1
    items, section, opened = list[Item](), "general", False
    for number, line in enumerate(seen_lines(data[span[0] : span[1]].decode(), start), start):
        if line.strip() in {"", BEGIN, END}:
            continue
        if line.startswith("### "):
            section, opened = line[4:].strip(), True
        elif opened and line.startswith(("- ", "* ")):
            items.append(Item(where=f"line {number}", section=section, text=_unescape(line[2:])))
        elif items and line.startswith((" ", "\t")):
            longer = f"{items[-1].text}\n{_unescape(line.removeprefix(_INDENT))}"
            items[-1] = Item(where=items[-1].where, section=items[-1].section, text=longer, kind=kind_of(longer))
        elif opened:
            raise InputError(
                f"line {number}: {line[:40]!r} is no heading (### section), no item (- text), no indented line"
            )
    return assembled(items)


def _escape(text: str) -> str:
    """No text may open a comment: it could pass for a marker, or hide what follows. `_unescape` gives it back."""
    return re.sub(r"&((?:amp;)*lt;!--)", r"&amp;\1", text).replace("<!--", "&lt;!--")


def _unescape(text: str) -> str:
    return re.sub(r"&((?:amp;)*)lt;!--", lambda found: f"&{found[1][4:]}lt;!--" if found[1] else "<!--", text)
