"""What every reader makes of a file, and the playbook that comes of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agentfly.errors import InputError
from agentfly.playbooks.exchange.source import hidden_in
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.rules import Refused, Rules, clean_section, make_id, make_slug, parse_id, section_key
from agentfly.playbooks.text import clean_text
from agentfly.types import Bullet, BulletKind

RULES = Rules(chars=2_000)
"""Other tools and people write longer bullets than we let a model write."""
MAX_COUNT = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One bullet as a file has it."""

    where: str
    """For messages: ``line 7``."""
    section: str
    text: str
    id: str = ""
    """As the file writes it, whatever its form; empty where it gives none."""
    kind: BulletKind = "strategy"
    helpful: int = 0
    harmful: int = 0


def kind_of(text: str) -> BulletKind:
    """The kind of a bullet in a format that does not say: a text of several lines is a worked example."""
    return "example" if "\n" in text.strip() else "strategy"


def exact_text(raw: str, kind: BulletKind, rules: Rules = RULES) -> str:
    """A text that was stored once comes back letter for letter; any other is cleaned as everywhere.

    Raises:
        Refused: says why it cannot be stored.
    """
    raw = raw.replace("\r\n", "\n")
    hidden = hidden_in(raw.replace("\n", " "))
    if hidden:
        raise Refused(f"the invisible character {hidden} has no place in a playbook")
    # Cleaning cuts off one list marker, as models like to copy them. With one before it the text keeps its own.
    text = clean_text(f"- {raw}", rules.chars, lines=kind != "strategy")
    if raw.lstrip().startswith("[") and not text.startswith("["):
        raise Refused("the text holds the label of a bullet")
    return text


def in_operation(text: str) -> str:
    """A stored text as an operation must say it to have it stored the same."""
    return f"- {text}" if re.match(r"[-*•]\s", text) else text


def assembled(items: Sequence[Item], rules: Rules = RULES) -> Playbook:
    """The playbook of a file. Ids that have our form are kept; others are numbered past them, in the file's order.

    Raises:
        InputError: there is no item, or one cannot be taken; names its place and the reason.
    """
    if not items:
        raise InputError("the file holds no bullets")
    _check_ids(items)
    names, slugs = dict[str, str](), dict[str, str]()
    for item in items:
        name = _section(item, rules)
        key = names.setdefault(name, section_key(name))
        parsed = parse_id(item.id)
        if parsed:
            slugs.setdefault(key, parsed[0])
    for name, key in names.items():
        if key not in slugs:
            slugs[key] = make_slug(name, set(slugs.values()))
    numbers = [parsed[1] for item in items if (parsed := parse_id(item.id))]
    number = max([len(items), *numbers])
    bullets = []
    for item in items:
        name = _section(item, rules)
        if parse_id(item.id):
            bullet_id = item.id
        else:
            number += 1
            bullet_id = make_id(slugs[names[name]], number)
        bullets.append(_bullet(item, bullet_id, name, rules))
    return Playbook.of(bullets, rules=rules)


def _section(item: Item, rules: Rules) -> str:
    try:
        return clean_section(item.section, rules)
    except Refused as problem:
        raise InputError(f"{item.where}: {problem}") from None


def _check_ids(items: Sequence[Item]) -> None:
    first: dict[str, str] = {}
    for item in items:
        if not item.id:
            continue
        if item.id in first:
            raise InputError(f"{item.where}: the id {item.id[:40]} is used twice, first at {first[item.id]}")
        first[item.id] = item.where


def _bullet(item: Item, bullet_id: str, section: str, rules: Rules) -> Bullet:
    if max(item.helpful, item.harmful) >= MAX_COUNT:
        raise InputError(f"{item.where}: a count must be less than {MAX_COUNT}")
    try:
        text = exact_text(item.text, item.kind, rules)
    except Refused as problem:
        raise InputError(f"{item.where}: {problem}") from None
    return Bullet(id=bullet_id, section=section, text=text, kind=item.kind, helpful=item.helpful, harmful=item.harmful)
