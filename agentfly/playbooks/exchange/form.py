"""The form in which a person edits the playbook, and the delta that an edit amounts to.

Ids stand in front, a kind other than strategy beside its id, further lines are indented. A comment at the end tells a
whole file from one that was cut off. Counts and provenance stay with their ids and are not shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import get_args

from agentfly.errors import InputError
from agentfly.playbooks.delta import Add, Delta, Operation, Remove, Update
from agentfly.playbooks.exchange.items import RULES, Item, exact_text, in_operation
from agentfly.playbooks.exchange.source import decoded, seen_lines
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.rules import Refused, Rules, section_key
from agentfly.types import Bullet, BulletKind

END = "# end of the playbook; this line tells that the file is whole"
_HEAD = """\
# The playbook, version {version}. What you change here becomes one change by you, which can be rolled back.
#
#   change a text      its bullet says something else from now on
#   delete a line      its bullet is removed
#   - a new line       a bullet is added to the section; [new example] in place of - says its kind
#   ## a new heading   a section is opened for the bullets below it
#
# An indented line goes on with the bullet above it. Where a bullet stands does not matter. # lines are left out.
"""
_INDENT = "    "
_KINDS: tuple[str, ...] = get_args(BulletKind)
_LABEL = re.compile(rf"\[([^\s\[\]]+)(?: ({'|'.join(_KINDS)}))?\](?:\s+(.*))?")
_VERSION = re.compile(r"# The playbook, version (\d{1,15})\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What a person made of a playbook."""

    delta: Delta
    lines: tuple[int, ...] = ()
    """For each operation the line it comes from; 0 for a removal, which has none."""
    moved: int = 0
    """Bullets that stand under another section now; they stay where they were."""


def write(playbook: Playbook) -> str:
    """The playbook to be edited."""
    parts, section = [_HEAD.format(version=playbook.version)], ""
    for bullet in playbook.bullets:
        if bullet.section != section:
            section = bullet.section
            parts.append(f"\n## {section}\n\n")
        kind = "" if bullet.kind == "strategy" else f" {bullet.kind}"
        body = bullet.text.replace("\n", "\n" + _INDENT)
        parts.append(f"[{bullet.id}{kind}] {body}\n")
    return "".join([*parts, f"\n{END}\n"])


def version_of(data: bytes) -> int | None:
    """The version that a text was written from, or None where it does not say."""
    found = _VERSION.match(data[:200].decode("utf-8-sig", "replace"))
    return int(found[1]) if found else None


def read(data: bytes, base: Playbook, rules: Rules = RULES) -> Edit:
    """What an edited form changes.

    Args:
        data: the edited file.
        base: the playbook that it was written from.
        rules: limits on its bullets.

    Raises:
        InputError: the file is nonsense, or asks for what cannot be done; names the line and the reason.
    """
    items = _items(data) if data.strip() else []
    if not items and len(base):
        raise InputError("no bullet is left in the file; to empty the playbook use: agentfly playbook rollback 0")
    seen: dict[str, str] = {}
    operations: list[tuple[int, Operation]] = []
    moved = 0
    for line, item in items:
        if item.id:
            bullet = _known(item, base, seen)
            moved += section_key(item.section) != section_key(bullet.section)
            # What was left alone is not measured: it may be older than the limits.
            text = bullet.text if item.text == bullet.text else _text(item, rules)
            if text != bullet.text:
                operations.append((line, Update(id=bullet.id, text=in_operation(text))))
        else:
            added = Add(section=item.section, text=in_operation(_text(item, rules)), kind=item.kind)
            operations.append((line, added))
    gone: list[tuple[int, Operation]] = [(0, Remove(id=bullet.id)) for bullet in base.bullets if bullet.id not in seen]
    ordered = [*gone, *operations]
    delta = Delta(reason="edited by hand", operations=tuple(operation for _, operation in ordered))
    edit = Edit(delta=delta, lines=tuple(line for line, _ in ordered), moved=moved)
    check(edit, base, rules)
    return edit


def check(edit: Edit, playbook: Playbook, rules: Rules = RULES) -> None:
    """See that a playbook can take all of an edit.

    Raises:
        InputError: names the line and the reason of the first operation that would be refused.
    """
    for refusal in playbook.refusals(edit.delta, rules=rules):
        line = edit.lines[refusal.index]
        raise InputError(f"line {line}: {refusal.reason}" if line else f"the removal: {refusal.reason}")


def collisions(edit: Edit, base: Playbook, newest: Playbook) -> tuple[str, ...]:
    """Ids of bullets that the edit touches and that say something else by now, or are gone."""
    named = [operation.id for operation in edit.delta.operations if isinstance(operation, Update | Remove)]
    return tuple(bullet_id for bullet_id in named if _said(base, bullet_id) != _said(newest, bullet_id))


def _said(playbook: Playbook, bullet_id: str) -> str | None:
    bullet = playbook.get(bullet_id)
    return bullet.text if bullet else None


def _items(data: bytes) -> list[tuple[int, Item]]:
    lines = seen_lines(decoded(data))
    last = max(number for number, line in enumerate(lines, 1) if line.strip())
    if lines[last - 1].rstrip() != END:
        raise InputError(f"line {last}: the file was cut off: its last line must be {END!r}")
    items, section = list[tuple[int, Item]](), ""
    for number, line in enumerate(lines, 1):
        if line.startswith("## "):
            section = line[3:].strip()
        elif not line.strip() or line.startswith("#"):
            continue
        elif line[0].isspace() and items:
            at, item = items[-1]
            items[-1] = at, replace(item, text=f"{item.text}\n{line.removeprefix(_INDENT)}")
        else:
            items.append((number, _item(number, line, section)))
    return items


def _item(number: int, line: str, section: str) -> Item:
    if not section:
        raise InputError(f"line {number}: a bullet needs a section: put ## and its name above")
    where = f"line {number}"
    if line.startswith("- "):
        return Item(where=where, section=section, text=line[2:])
    label = _LABEL.fullmatch(line)
    if not label:
        raise InputError(
            f"line {number}: {line[:40]!r} is no bullet: write [id] text, or - text for a new one; "
            "indent a line that goes on with the one above"
        )
    kind: BulletKind = label[2] or "strategy"  # type: ignore[assignment]  # the pattern knows the kinds
    name = "" if label[1] == "new" else label[1]
    return Item(where=where, section=section, text=label[3] or "", id=name, kind=kind)


def _known(item: Item, base: Playbook, seen: dict[str, str]) -> Bullet:
    bullet = base.get(item.id)
    if bullet is None:
        raise InputError(f"{item.where}: there is no bullet {item.id[:40]!r}; a new one is written - text")
    if item.id in seen:
        raise InputError(f"{item.where}: the id {item.id} is used twice, first at {seen[item.id]}")
    if item.kind != bullet.kind:
        raise InputError(
            f"{item.where}: {item.id} is of kind {bullet.kind}, which cannot be changed; "
            f"take the line out and write [new {item.kind}] text"
        )
    seen[item.id] = item.where
    return bullet


def _text(item: Item, rules: Rules) -> str:
    if item.kind == "strategy" and "\n" in item.text:
        item = replace(item, text=" ".join(item.text.split("\n")))
    try:
        return exact_text(item.text, item.kind, rules)
    except Refused as problem:
        raise InputError(f"{item.where}: {problem}") from None
