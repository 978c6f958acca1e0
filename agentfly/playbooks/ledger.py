"""The playbook of a home: current version, history and rollback, in the home's database, shared between processes."""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentfly.errors import InputError
from agentfly.playbooks import publish, rows
from agentfly.playbooks.changes import Change, Refusal, invert
from agentfly.playbooks.delta import Delta
from agentfly.playbooks.history import Committed, differences, with_exposures
from agentfly.playbooks.operations import carry_out
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.render import to_markdown
from agentfly.playbooks.rows import Reader, Revision, Writer
from agentfly.playbooks.rules import Rules
from agentfly.playbooks.view import View

if TYPE_CHECKING:
    from agentfly.store.database import Database

_RULES = Rules()


class PlaybookLedger:
    """Reads and changes the playbook of a home.

    Every change is one SQLite transaction: the touched bullets, the delta, its changes and its evidence are there
    together or not at all. A delta is always applied to the newest version, whatever version it was proposed for, so
    that two processes that commit at once both have their delta in. Safe to share between threads. Do not commit
    inside a transaction of your own: ``playbook.md`` would show what may still be undone.

    Args:
        db: the home's database.
        path: where ``playbook.md`` is kept up to date; None for nowhere.
        budget: tokens that the active bullets may take, enforced after each delta; None for no limit.
        rules: limits on what a delta may do.
    """

    def __init__(self, db: Database, path: Path | None, *, budget: int | None = None, rules: Rules = _RULES) -> None:
        self._db = db
        self._path = path
        self._publisher = publish.Publisher(path) if path else None
        if self._publisher:
            weakref.finalize(self, self._publisher.flush)  # at the latest when the process ends
        self._budget = budget
        self._rules = rules
        self._lock = threading.RLock()
        self._view = View(db)

    def current(self) -> Playbook:
        """The newest version. Costs one small query while nobody else commits.

        Raises:
            HomeError: the database cannot be read.
        """
        with self._lock:
            first = self._view.held is None
            playbook = self._view.newest(self._db)
            if first:
                self._restore_file(playbook)
            return playbook

    def commit(
        self,
        delta: Delta,
        *,
        author: str,
        run: str | None = None,
        reason: str | None = None,
        evidence: Mapping[str, Any] | None = None,
        expected_version: int | None = None,
        strict: bool = False,
        rules: Rules | None = None,
    ) -> Committed:
        """Apply a delta to the newest version and keep the result.

        Args:
            delta: what to change; operations that cannot be carried out are left out.
            author: ``run``, ``human``, ``import`` or ``refine``.
            run: id of the run that it was learned from.
            reason: why; by default the delta's own reason.
            evidence: what the decision to keep it rests on, JSON-able.
            expected_version: refuse when somebody else has committed since this version.
            strict: refuse the whole delta when one operation is refused.
            rules: limits in place of the ledger's own.

        Raises:
            InputError: strict and an operation was refused, or the version is not the expected one.
            HomeError: the database cannot be written; nothing was kept.
        """
        with self._lock:
            with self._db.write() as tx:
                base = self._view.newest(tx)
                if expected_version not in (None, base.version):
                    raise InputError(
                        f"the playbook is at version {base.version}, not {expected_version}; look at it and try again"
                    )
                outcome = carry_out(base, delta, run=run, rules=rules or self._rules)
                if strict and outcome.refusals:
                    raise InputError("the delta was refused: " + "; ".join(map(str, outcome.refusals)))
                playbook, changes = self._within_budget(outcome.playbook, outcome.changes)
                noted = dict(evidence or {})
                if outcome.refusals:
                    noted["refusals"] = [str(refusal) for refusal in outcome.refusals]
                revision = Revision(
                    version=playbook.version if changes else None,
                    parent=base.version,
                    author=author,
                    run=run,
                    reason=delta.reason if reason is None else reason,
                    delta=delta.to_json(),
                    changes=changes,
                    evidence=noted,
                )
                head = self._record(tx, revision)
            return self._keep(head, playbook, changes, outcome.refusals)

    def drop(
        self,
        delta: Delta,
        reason: str = "",
        evidence: Mapping[str, Any] | None = None,
        run: str | None = None,
        *,
        author: str = "run",
    ) -> int:
        """Record a delta that a gate did not keep.

        Returns:
            Its number in history.
        """
        with self._lock, self._db.write() as tx:
            revision = Revision(
                version=None,
                parent=self._view.newest(tx).version,
                author=author,
                run=run,
                reason=reason,
                delta=delta.to_json(),
                evidence=dict(evidence or {}),
            )
            return rows.write_revision(tx, revision)[0]

    def rollback(self, version: int, reason: str = "", *, author: str = "rollback") -> Committed:
        """Make the playbook as it was at a version, as a new version: nothing in between is forgotten.

        Ids that were given since stay used, and counts of how often bullets were shown stay as they are.

        Raises:
            InputError: there is no such version.
        """
        with self._lock:
            with self._db.write() as tx:
                base = self._view.newest(tx)
                undone = self._undone(tx, base, version)
                changes = differences(base, base.with_changes(undone, version), dict.fromkeys(c.id for c in undone))
                shown = rows.exposures(tx, [change.id for change in changes if change.before is None])
                changes = with_exposures(changes, shown)
                playbook = base.with_changes(changes, base.version + 1) if changes else base
                revision = Revision(
                    version=playbook.version if changes else None,
                    parent=base.version,
                    author=author,
                    reason=reason or f"rolled back to version {version}",
                    delta=Delta(reason=reason, operations=()).to_json(),
                    changes=changes,
                    evidence={"rollback_to": version},
                )
                head = self._record(tx, revision)
            return self._keep(head, playbook, changes, ())

    def at(self, version: int) -> Playbook:
        """The playbook as it was at a version; 0 is the empty one.

        Raises:
            InputError: there is no such version.
        """
        with self._lock:
            base = self._view.newest(self._db)
            return base.with_changes(self._undone(self._db, base, version), version)

    def diff(self, a: int, b: int) -> tuple[Change, ...]:
        """What turned version `a` into version `b`: one change for each bullet that differs. Either may be the older.

        Raises:
            InputError: there is no such version.
        """
        older, newer = self.at(min(a, b)), self.at(max(a, b))
        span = (changes for _, changes in rows.newer(self._db, older.version, newer.version))
        touched = dict.fromkeys(change.id for changes in span for change in changes)
        before, after = (older, newer) if a <= b else (newer, older)
        return differences(before, after, touched)

    def history(self, limit: int | None = 20, *, before: int | None = None, dropped: bool = True) -> list[Revision]:
        """Deltas kept and dropped, newest first.

        Args:
            limit: most lines; None for all.
            before: only lines with an id below this one, to page on.
            dropped: whether dropped deltas are listed too.
        """
        return rows.read_revisions(self._db, limit=limit, before=before, dropped=dropped)

    def shown(self, ids: Iterable[str]) -> None:
        """Count one exposure of each bullet. Moves with every run, so it makes no version and rollback leaves it."""
        counts = Counter(set(ids))
        if not counts:
            return
        with self._lock:
            with self._db.write() as tx:
                tx.executemany("UPDATE bullets SET shown = shown + 1 WHERE id = ?", [(key,) for key in sorted(counts)])
            if self._view.held is not None:
                self._view.hold(self._view.head, self._view.held.with_shown(counts))

    def flush(self) -> None:
        """Write ``playbook.md`` now where that was put off, as it is for large playbooks."""
        if self._publisher:
            self._publisher.flush()

    def _undone(self, db: Reader, base: Playbook, version: int) -> tuple[Change, ...]:
        if not 0 <= version <= base.version:
            raise InputError(f"there is no version {version}; the playbook is at version {base.version}")
        later = rows.newer(db, version, base.version)
        return invert(change for _, changes in later for change in changes)

    def _within_budget(self, playbook: Playbook, changes: tuple[Change, ...]) -> tuple[Playbook, tuple[Change, ...]]:
        if self._budget is None or not changes:
            return playbook, changes
        fitting, retired = playbook.enforce_budget(self._budget, keep=[change.id for change in changes])
        gone = [
            Change(before=bullet, after=None, position=playbook.place(bullet.id) or 0, retired=True)
            for bullet in retired
        ]
        return fitting, (*changes, *gone)

    @staticmethod
    def _record(tx: Writer, revision: Revision) -> rows.Head | None:
        """Write a line of history and its bullets; None where the playbook stays at its version."""
        rows.write_changes(tx, revision.changes)
        head = rows.write_revision(tx, revision)
        return head if revision.accepted else None

    def _keep(
        self, head: rows.Head | None, playbook: Playbook, changes: tuple[Change, ...], refusals: tuple[Refusal, ...]
    ) -> Committed:
        notice = ""
        if head is not None:
            self._view.hold(head, playbook)
            notice = self._publish(playbook)
        return Committed(
            version=playbook.version,
            accepted=head is not None,
            playbook=playbook,
            changes=changes,
            refusals=refusals,
            notice=notice,
        )

    def _publish(self, playbook: Playbook, *, now: bool = False) -> str:
        """Write ``playbook.md``; whoever writes last looks again, so that the newest version stands in the end."""
        if self._publisher is None:
            return ""
        if len(playbook) >= publish.LARGE and not now:
            self._publisher.later(playbook)
            return ""
        try:
            self._publisher.write(playbook)
            while rows.head(self._db) != self._view.head:
                self._publisher.write(self._view.newest(self._db))
        except OSError as error:
            return f"{self._path} could not be written: {error.strerror}; the change itself is kept"
        return ""

    def _restore_file(self, playbook: Playbook) -> None:
        """Rewrite a ``playbook.md`` that is missing or behind, as after a kill between commit and writing."""
        if self._path is None or (playbook.version == 0 and not self._path.exists()):
            return
        publish.sweep(self._path)
        if not publish.is_current(self._path, to_markdown(playbook)):
            self._publish(playbook, now=True)
