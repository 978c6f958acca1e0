"""ACE's playbook as text: ``[str-00001] helpful=5 harmful=0 :: text`` under ``## SECTION`` (arXiv 2510.04618).

Holds id, section, text and the two counts. Does not hold kind, exposures, provenance and version: what has several lines
comes back as an example, anything else as a strategy, in which runs of spaces become one. Checks are left out, since a
model would read them as advice. The further lines of an example are indented; ACE passes them on to its model as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from agentfly.errors import InputError
from agentfly.playbooks.exchange.items import Item, assembled, kind_of
from agentfly.playbooks.exchange.source import seen_lines
from agentfly.playbooks.playbook import Playbook
from agentfly.types import Bullet

INDENT = "    "
_COUNTED = re.compile(r"(?:[-*•]\s*)?\[([^\[\]]{1,80})\]\s*helpful=(\d{1,16})\s*harmful=(\d{1,16})\s*::\s?(.*)")
_BARE = re.compile(r"(?:[-*•]\s*)?\[([A-Za-z_]{2,32}-\d{1,12})\]\s*(?:::)?\s*(.*)")
_LIKE = re.compile(r"(?m)^\s*(?:[-*•]\s*)?\[[^\[\]\n]{1,80}\]\s*helpful=\d+\s*harmful=\d+\s*::")
_FIRST_SECTION = "general"
"""Where ACE puts what stands before the first heading."""


def write(bullets: Sequence[Bullet]) -> str:
    """The bullets as ACE's text.

    Args:
        bullets: strategies and examples, section by section.
    """
    parts, section = list[str](), ""
    for bullet in bullets:
        if bullet.section != section:
            section = bullet.section
            parts.append(f"{chr(10) if parts else ''}## {section}\n")
        counts = f"helpful={bullet.helpful} harmful={bullet.harmful}"
        body = bullet.text.replace("\n", "\n" + INDENT)
        parts.append(f"[{bullet.id}] {counts} :: {body}\n")
    return "".join(parts)


def looks_like(text: str) -> bool:
    """Whether a text has a line of this format."""
    return bool(_LIKE.search(text))


def read(text: str) -> Playbook:
    """A playbook from ACE's text; lines without counts, as some of its playbooks have them, count from zero.

    Raises:
        InputError: names the line and the reason. Nothing is taken from a file with a fault.
    """
    items, section = list[Item](), _FIRST_SECTION
    for number, line in enumerate(seen_lines(text), 1):
        where = f"line {number}"
        if not line.strip():
            continue
        if line.startswith("##") and not line.startswith("###"):
            section = line[2:].strip()
        elif line.startswith("#"):
            raise InputError(f"{where}: a heading is written ## SECTION")
        elif line.startswith(("[", "- [", "* [", "• [")):
            items.append(_item(line, section, where))
        elif items:
            items[-1] = replace(items[-1], text=f"{items[-1].text}\n{line.removeprefix(INDENT)}")
        else:
            raise InputError(f"{where}: {line.strip()[:40]!r} is neither a heading (## SECTION) nor a bullet")
    return assembled([replace(item, kind=kind_of(item.text)) for item in items])


def _item(line: str, section: str, where: str) -> Item:
    counted = _COUNTED.fullmatch(line)
    if counted:
        bullet_id, helpful, harmful, body = counted.groups()
        return Item(where=where, section=section, id=bullet_id, text=body, helpful=int(helpful), harmful=int(harmful))
    bare = _BARE.fullmatch(line)
    # A line that was cut off within its counts must not pass for one without them.
    if bare and not bare[2].startswith("helpful=") and not "helpful=".startswith(bare[2]):
        return Item(where=where, section=section, id=bare[1], text=bare[2])
    raise InputError(f"{where}: a bullet is written [str-00001] helpful=0 harmful=0 :: text")
