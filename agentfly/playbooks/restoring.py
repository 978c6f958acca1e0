"""The changes that make a home's playbook as it was at a version, or as another playbook is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from agentfly.errors import InputError
from agentfly.playbooks import rows
from agentfly.playbooks.changes import Change, invert
from agentfly.playbooks.history import differences, with_exposures
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.rows import Reader
from agentfly.playbooks.rules import Rules

if TYPE_CHECKING:
    from agentfly.playbooks.replacing import Replaced


def undone(db: Reader, base: Playbook, version: int) -> tuple[Change, ...]:
    """All that happened since a version, undone step by step.

    Raises:
        InputError: there is no such version.
    """
    if not 0 <= version <= base.version:
        raise InputError(f"there is no version {version}; the playbook is at version {base.version}")
    return invert(change for _, changes in rows.newer(db, version, base.version) for change in changes)


def as_it_was(db: Reader, base: Playbook, version: int) -> tuple[Change, ...]:
    """What makes the newest version as it was at an older one.

    Raises:
        InputError: there is no such version.
    """
    back = undone(db, base, version)
    return _exposed(
        db, differences(base, base.with_changes(back, version), dict.fromkeys(change.id for change in back))
    )


def as_given(db: Reader, base: Playbook, wanted: Playbook, rules: Rules) -> tuple[tuple[Change, ...], Replaced]:
    """What makes the newest version equal to another playbook; see `agentfly.playbooks.replacing.replaced`.

    Raises:
        InputError: a bullet cannot be stored as it is.
    """
    from agentfly.playbooks.replacing import replaced  # with the formats of files, which nothing else here needs

    given = rows.given(db, [bullet.id for bullet in wanted if bullet.id not in base])
    found = replaced(base, wanted, given, rules)
    return _exposed(db, found.changes), found


def _exposed(db: Reader, changes: Iterable[Change]) -> tuple[Change, ...]:
    changes = tuple(changes)
    return with_exposures(changes, rows.exposures(db, [change.id for change in changes if change.before is None]))
