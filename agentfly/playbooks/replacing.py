"""Making a playbook equal to another, as the changes that lead there. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from agentfly.errors import InputError
from agentfly.playbooks.changes import Change, Refusal
from agentfly.playbooks.delta import Add, Delta
from agentfly.playbooks.draft import Draft
from agentfly.playbooks.exchange.items import in_operation
from agentfly.playbooks.operations import carry_out
from agentfly.playbooks.playbook import Playbook, content
from agentfly.playbooks.rules import Refused, Rules, parse_id, section_key
from agentfly.playbooks.text import fold
from agentfly.types import Bullet

if TYPE_CHECKING:
    from agentfly.playbooks.rows import Given


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """What has to change."""

    changes: tuple[Change, ...] = ()
    """Removals first. A bullet that moves within its section is taken out and put back, so that undoing finds its place."""
    refusals: tuple[Refusal, ...] = ()
    """Bullets that were left out, by their place among those that are wanted."""
    renamed: dict[str, str] = field(default_factory=dict)
    """Ids that mean another bullet here, and those given in their place."""

    @property
    def notice(self) -> str:
        """What a person must know of the ids; empty where all are as they were given."""
        if not self.renamed:
            return ""
        some = ", ".join(f"{old} is {new}" for old, new in list(self.renamed.items())[:5])
        more = ", ..." if len(self.renamed) > 5 else ""
        return f"ids that mean other bullets here were not taken over: {some}{more}"


def replaced(base: Playbook, wanted: Playbook, given: Mapping[str, Given], rules: Rules) -> Replaced:
    """The changes that make a playbook equal to a wanted one.

    An active id means the same bullet as long as section and kind are the same, even where it says something else: it
    was edited. An id of old means the same bullet if that ever said the same. Any other id means another bullet: what
    is wanted under it goes by the id of the bullet that says the same here, or by a new one. Sections that are known
    keep their name and their place among the sections.

    Args:
        base: what is there.
        wanted: what is to be there.
        given: what the wanted ids stand for that were given once and are not active.
        rules: limits on what is new or says something else.

    Raises:
        InputError: a bullet that cannot be stored as it is; names it and the reason.
    """
    bullets, refusals = _said_once(wanted)
    _check([bullet for bullet in bullets if not _says_so(base, bullet)], rules)
    named, renamed = _named(base, bullets, given, rules)
    placed = dict(_placed(base, named))
    gone = [
        Change(before=bullet, after=None, position=place)
        for bullet in base.bullets
        if (place := base.place(bullet.id) or 0) != placed.get(bullet.id)
    ]
    return Replaced(changes=(*gone, *_put(base, named, placed)), refusals=refusals, renamed=renamed)


def _said_once(wanted: Playbook) -> tuple[list[Bullet], tuple[Refusal, ...]]:
    first, kept, refusals = dict[str, str](), list[Bullet](), list[Refusal]()
    for index, bullet in enumerate(wanted.bullets):
        same = first.setdefault(fold(bullet.text), bullet.id)
        if same == bullet.id:
            kept.append(bullet)
        else:
            refusals.append(Refusal(index, "replace", f"{bullet.id} says the same as {same}"))
    return kept, tuple(refusals)


def _says_so(base: Playbook, bullet: Bullet) -> bool:
    before = base.get(bullet.id)
    return before is not None and _same_place(before, bullet) and before.text == bullet.text


def _same_place(one: Bullet | Given, other: Bullet) -> bool:
    return one.kind == other.kind and section_key(one.section) == section_key(other.section)


def _check(bullets: list[Bullet], rules: Rules) -> None:
    """See that bullets can be stored, each as it is."""
    adds = tuple(Add(section=b.section, text=in_operation(b.text), kind=b.kind) for b in bullets)
    outcome = carry_out(Playbook(), Delta(operations=adds), rules=rules)
    for refusal in outcome.refusals:
        raise InputError(f"{bullets[refusal.index].id}: {refusal.reason}")
    stored = {bullet.text for bullet in outcome.playbook.bullets}
    for bullet in bullets:
        if bullet.text not in stored:
            raise InputError(f"{bullet.id}: its text is not in the form in which texts are stored")


def _named(
    base: Playbook, bullets: list[Bullet], given: Mapping[str, Given], rules: Rules
) -> tuple[list[Bullet], dict[str, str]]:
    """The bullets under the ids and section names that they have here, and the ids that are others."""
    own = {bullet.id for bullet in bullets if _keeps_id(base, bullet, given)}
    saying = {(b.kind, section_key(b.section), fold(b.text)): b.id for b in base.bullets if b.id not in own}
    draft = Draft(base.parts)
    draft.reserve(max((parsed[1] for b in bullets if (parsed := parse_id(b.id))), default=0))
    named, renamed = list[Bullet](), dict[str, str]()
    for bullet in bullets:
        parsed = parse_id(bullet.id)
        try:
            if parsed and bullet.id in own:
                section = draft.open_section(bullet.section, parsed[0])
                bullet_id = bullet.id
            else:
                section = draft.section(bullet.section, rules)
                said = saying.get((bullet.kind, section_key(bullet.section), fold(bullet.text)))
                bullet_id = renamed[bullet.id] = said or draft.new_place(section)[0]
        except Refused as problem:
            raise InputError(f"{bullet.id}: {problem}") from None
        named.append(replace(bullet, id=bullet_id, section=section.name))
    return named, renamed


def _keeps_id(base: Playbook, bullet: Bullet, given: Mapping[str, Given]) -> bool:
    before, once = base.get(bullet.id), given.get(bullet.id)
    if before is not None:
        return _same_place(before, bullet)
    return once is None or (_same_place(once, bullet) and fold(bullet.text) in once.texts)


def _placed(base: Playbook, bullets: list[Bullet]) -> Iterator[tuple[str, int]]:
    """The position of each bullet in its section: its own, unless the order asks for another."""
    last = dict[str, int]()
    for bullet in bullets:
        before, after = base.place(bullet.id) or 0, last.get(bullet.section, 0)
        last[bullet.section] = before if before > after else after + 1
        yield bullet.id, last[bullet.section]


def _put(base: Playbook, bullets: list[Bullet], placed: Mapping[str, int]) -> Iterator[Change]:
    for bullet in bullets:
        before, place = base.get(bullet.id), placed[bullet.id]
        if before is None or base.place(bullet.id) != place:
            yield Change(before=None, after=bullet, position=place)
        elif content(before) != content(bullet):
            yield Change(before=before, after=bullet, position=place)
