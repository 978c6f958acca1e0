"""What a file means for a playbook that is there: which of its bullets are the same, and what its format does not hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.rules import make_id, parse_id, section_key
from agentfly.types import Bullet


def matched(base: Playbook, read: Playbook, form: str = "") -> Playbook:
    """The playbook that a file asks for.

    Our JSON says all there is. ACE's text and a skillbook name ids and counts: the rest stays as it is for bullets that
    are there. A part of an ``AGENTS.md`` has texts alone: a bullet that says the same stays whole, others are new.

    Args:
        base: what is there.
        read: the file, as `agentfly.playbooks.exchange.read` gives it.
        form: its format; empty for one that has texts alone.
    """
    if form == "json":
        return read
    find = _by_id if form in {"ace", "kayba"} else _by_text
    return Playbook.of(find(base, read), base.version + 1)


def _by_id(base: Playbook, read: Playbook) -> Iterator[Bullet]:
    for bullet in read.bullets:
        before = base.get(bullet.id)
        same = before is not None and section_key(before.section) == section_key(bullet.section)
        if before is not None and same and _alike(before, bullet):
            yield replace(before, helpful=bullet.helpful, harmful=bullet.harmful)
        elif before is not None and same and before.kind == bullet.kind:
            yield replace(before, text=bullet.text, helpful=bullet.helpful, harmful=bullet.harmful)
        else:
            yield replace(bullet, version=base.version + 1)


def _by_text(base: Playbook, read: Playbook) -> Iterator[Bullet]:
    there: dict[tuple[str, str], Bullet] = {}
    for bullet in base.bullets:
        there.setdefault(_said(bullet), bullet)
    number = base.next_number
    for bullet in read.bullets:
        before, parsed = there.pop(_said(bullet), None), parse_id(bullet.id)
        if before is None and parsed is not None:
            yield replace(bullet, id=make_id(parsed[0], number), version=base.version + 1, helpful=0, harmful=0)
            number += 1
        else:
            yield before or bullet


def _alike(before: Bullet, read: Bullet) -> bool:
    return _said(before) == _said(read)


def _said(bullet: Bullet) -> tuple[str, str]:
    """Section and text as the formats keep them: in what has one line, runs of spaces become one."""
    text = bullet.text if "\n" in bullet.text else " ".join(bullet.text.split())
    return section_key(bullet.section), text
