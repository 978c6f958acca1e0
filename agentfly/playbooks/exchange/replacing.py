"""Making a playbook as a file has it, in one delta."""

from __future__ import annotations

from collections.abc import Mapping

from agentfly.playbooks.delta import Add, Delta, Operation, Remove, TagBullet, Update
from agentfly.playbooks.exchange.items import RULES, in_operation
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.rules import Rules, section_key
from agentfly.playbooks.text import fold
from agentfly.types import Bullet, Tag

_RAISED = 100
"""Most by which a count is raised; each step is an operation."""


def replacement(base: Playbook, wanted: Playbook, reason: str, rules: Rules = RULES) -> Delta:
    """The delta that turns a playbook into another: the same texts in the same sections.

    A bullet that is in both stays: it is known by its id, else by saying the same in the same section. It gets the text,
    and its counts are raised to those of the file, never lowered. Others are removed and added, with new ids, since
    ids are never given twice; what is added counts from zero.

    Args:
        base: what is there.
        wanted: what is to be there.
        reason: for the history.
        rules: as for the commit.
    """
    delta = _delta(base, wanted, reason, _pairs(base, wanted))
    # Two bullets that swapped their texts would each be refused as a repetition of the other.
    return delta if not base.refusals(delta, rules=rules) else _delta(base, wanted, reason, {})


def _pairs(base: Playbook, wanted: Playbook) -> dict[str, Bullet]:
    """The bullet that is there already, by the id of the wanted one; each is taken once."""
    found = {b.id: before for b in wanted.bullets if (before := base.get(b.id)) and _place(before) == _place(b)}
    taken = {before.id for before in found.values()}
    saying = {(_place(b), fold(b.text)): b for b in base.bullets if b.id not in taken}
    for bullet in wanted.bullets:
        if bullet.id not in found and (same := saying.pop((_place(bullet), fold(bullet.text)), None)):
            found[bullet.id] = same
    return found


def _place(bullet: Bullet) -> tuple[str, str]:
    return bullet.kind, section_key(bullet.section)


def _delta(base: Playbook, wanted: Playbook, reason: str, kept: Mapping[str, Bullet]) -> Delta:
    staying = {before.id for before in kept.values()}
    operations: list[Operation] = [Remove(id=bullet.id) for bullet in base.bullets if bullet.id not in staying]
    for bullet in wanted.bullets:
        before, text = kept.get(bullet.id), in_operation(bullet.text)
        if before is None:
            operations.append(
                Add(section=bullet.section, text=text, kind=bullet.kind, runs=bullet.runs, cases=bullet.cases)
            )
            continue
        if before.text != bullet.text:
            operations.append(Update(id=before.id, text=text))
        operations += _tags(before.id, "helpful", bullet.helpful - before.helpful)
        operations += _tags(before.id, "harmful", bullet.harmful - before.harmful)
    return Delta(reason=reason, operations=tuple(operations))


def _tags(bullet_id: str, tag: Tag, times: int) -> list[TagBullet]:
    return [TagBullet(id=bullet_id, tag=tag)] * min(max(times, 0), _RAISED)
