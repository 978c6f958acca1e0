"""Lines of a playbook's history, as the ledger writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentfly.errors import InputError
from agentfly.playbooks import rows
from agentfly.playbooks.changes import Change
from agentfly.playbooks.deciding import Decided
from agentfly.playbooks.delta import Delta
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.rows import Revision, Writer


def check_version(base: Playbook, expected: int | None) -> None:
    """See that nobody has committed since a version.

    Raises:
        InputError: somebody has.
    """
    if expected not in (None, base.version):
        raise InputError(f"the playbook is at version {base.version}, not {expected}; look at it and try again")


def changed(base: Playbook, changes: tuple[Change, ...]) -> Playbook:
    """The next version; without changes there is none."""
    return base.with_changes(changes, base.version + 1) if changes else base


def revision_of(
    base: Playbook, decided: Decided, author: str, reason: str, evidence: Mapping[str, Any] | None
) -> Revision:
    """The line of history of what was decided; changes that are no operations of a delta have an empty one."""
    return Revision(
        version=decided.playbook.version if decided.changes else None,
        parent=base.version,
        author=author,
        reason=reason,
        delta=Delta(reason=reason, operations=()).to_json(),
        changes=decided.changes,
        evidence={**(evidence or {}), **decided.notes},
    )


def record(tx: Writer, revision: Revision) -> rows.Head | None:
    """Write a line of history and its bullets; None where the playbook stays at its version."""
    rows.write_changes(tx, revision.changes)
    head = rows.write_revision(tx, revision)
    return head if revision.accepted else None
