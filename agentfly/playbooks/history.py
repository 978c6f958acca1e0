"""What happened between two versions of a playbook. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from agentfly.playbooks.changes import Change, Refusal
from agentfly.playbooks.playbook import Playbook, content


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What became of a delta that was to be kept."""

    version: int
    """The playbook's version now."""
    accepted: bool
    """Whether there was anything to change; if not, there is no new version."""
    playbook: Playbook
    changes: tuple[Change, ...] = ()
    """Every bullet that differs, those that the budget retired last."""
    refusals: tuple[Refusal, ...] = ()
    notice: str = ""
    """What a person should know beside the changes, such as why ``playbook.md`` could not be written; all is safe."""


def differences(before: Playbook, after: Playbook, ids: Iterable[str]) -> tuple[Change, ...]:
    """One change for each of these bullets whose content differs, removals first: they make room for what returns.

    A bullet that has another place in its section is taken out and put back.

    Args:
        before, after: the two playbooks.
        ids: the bullets to look at, each once.
    """
    found = []
    for bullet_id in ids:
        old, new = before.get(bullet_id), after.get(bullet_id)
        was, now = before.place(bullet_id) or 0, after.place(bullet_id) or 0
        if old is not None and new is not None and was != now:
            found.append(Change(before=old, after=None, position=was))
            found.append(Change(before=None, after=new, position=now))
        elif old is not new and (old is None or new is None or content(old) != content(new)):
            found.append(Change(before=old, after=new, position=now or was))
    return tuple(sorted(found, key=lambda change: change.after is not None))


def with_exposures(changes: Iterable[Change], shown: Mapping[str, int]) -> tuple[Change, ...]:
    """A bullet that comes back does so with the exposures of today, not with those of when it was changed.

    Args:
        changes: what a rollback is going to make.
        shown: how often each bullet that is not in the playbook now had been shown when it went.
    """
    return tuple(_with_exposure(change, shown) for change in changes)


def _with_exposure(change: Change, shown: Mapping[str, int]) -> Change:
    if change.after is None:
        return change
    count = change.before.shown if change.before else shown.get(change.id, change.after.shown)
    return replace(change, after=replace(change.after, shown=count))
