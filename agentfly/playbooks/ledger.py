"""The playbook of a home: current version, history and rollback, in the home's database, shared between processes."""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentfly.errors import InputError
from agentfly.playbooks import restoring, rows
from agentfly.playbooks.changes import Change
from agentfly.playbooks.deciding import Decided, decide
from agentfly.playbooks.delta import Delta, Merge
from agentfly.playbooks.filed import Filed
from agentfly.playbooks.history import Committed, differences
from agentfly.playbooks.meaning import Meaning
from agentfly.playbooks.neighbours import Neighbourhood
from agentfly.playbooks.operations import Outcome, carry_out
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.recording import changed, check_version, record, revision_of
from agentfly.playbooks.rows import Revision
from agentfly.playbooks.rules import Rules
from agentfly.playbooks.view import View
from agentfly.protocols import Embedder

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
        embedder: for bullets by meaning: near-duplicates are merged, `relevant` knows what a task needs.
        similar: cosine from which on two bullets are near-duplicates; None merges none.
    """

    def __init__(
        self,
        db: Database,
        path: Path | None,
        *,
        budget: int | None = None,
        rules: Rules = _RULES,
        embedder: Embedder | None = None,
        similar: float | None = 0.9,
    ) -> None:
        self._db = db
        self._budget = budget
        self._rules = rules
        self._lock = threading.RLock()
        self._view = View(db)
        self._file = Filed(path, db, self._view) if path else None
        self._mended = False
        if self._file:
            weakref.finalize(self, self._file.flush)  # at the latest when the process ends
        self._meaning = Meaning(db, self._view, self._lock, Neighbourhood(embedder, similar)) if embedder else None

    def current(self) -> Playbook:
        """The newest version. Costs one small query while nobody else commits.

        Raises:
            HomeError: the database cannot be read.
        """
        with self._lock:
            playbook = self._view.newest(self._db)
            self._mend(playbook)
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

        With an embedder, an `add` that says nearly the same as a bullet is merged into that bullet, and near-duplicates
        are merged all through the playbook when the budget is nearly used up. A person's words are kept as they are, and
        so is what a gate has tried (`evidence` holds rewards ``after``): to keep something else would void the trial.

        Args:
            delta: what to change; operations that cannot be carried out are left out.
            author: ``run``, ``human``, ``import`` or ``refine``.
            run: id of the run that it was learned from.
            reason: why; by default the delta's own reason.
            evidence: what the decision to keep it rests on, JSON-able.
            expected_version: refuse when somebody else has committed since this version.
            strict: refuse the whole delta when one operation is refused; one that was merged is not.
            rules: limits in place of the ledger's own.

        Raises:
            InputError: strict and an operation was refused, or the version is not the expected one.
            HomeError: the database cannot be written; nothing was kept.
        """
        rules = rules or self._rules
        tried = bool((evidence or {}).get("after"))
        meaning = None if author == "human" or tried else self._meaning
        notice = meaning.prepare(delta, rules) if meaning else ""
        with self._lock:
            with self._db.write() as tx:
                base = self._view.newest(tx)
                check_version(base, expected_version)
                alike = meaning.neighbours(tx, base, delta, rules) if meaning else None
                outcome = carry_out(base, delta, run=run, rules=rules, neighbours=alike)
                if strict and outcome.refusals:
                    raise InputError("the delta was refused: " + "; ".join(map(str, outcome.refusals)))
                decided = decide(outcome, self._budget, meaning.merges(tx) if meaning else None, rules)
                revision = revision_of(base, decided, author, delta.reason if reason is None else reason, evidence)
                head = record(tx, replace(revision, run=run, delta=delta.to_json()))
                written = meaning.write(tx, decided.playbook) if meaning else ()
            if meaning:
                meaning.written(written)
            return self._keep(head, decided, notice)

    def candidate(self, delta: Delta, *, run: str | None = None, rules: Rules | None = None) -> Playbook:
        """The newest playbook as it would be with a delta learned in a run, for a gate to try; nothing is kept."""
        rules = rules or self._rules
        meaning = self._meaning
        if meaning:
            meaning.prepare(delta, rules)
        with self._lock:
            base = self._view.newest(self._db)
            alike = meaning.neighbours(self._db, base, delta, rules) if meaning else None
            return carry_out(base, delta, run=run, rules=rules, neighbours=alike).playbook

    def refine(self, reason: str | None = None) -> Committed:
        """Merge all near-duplicates there are, whatever the budget. Embeds every bullet that has no embedding yet.

        Raises:
            InputError: the ledger has no embedder.
        """
        if self._meaning is None:
            raise InputError("near-duplicates are found by embeddings; open the playbook's ledger with an embedder")
        delta = self._meaning.all_merges()
        if not delta.operations:
            current = self.current()
            return Committed(version=current.version, accepted=False, playbook=current)
        longest = max(len(operation.text) for operation in delta.operations if isinstance(operation, Merge))
        rules = replace(
            self._rules, chars=max(self._rules.chars, longest)
        )  # what is there may be older than the limits
        return self.commit(delta, author="refine", reason=reason, rules=rules)

    def relevant(self, text: str) -> dict[str, float]:
        """How near each bullet is to a text, as the cosine by id; bullets that are not embedded yet are left out.

        Empty without an embedder. What it gives is made for `agentfly.playbooks.render`.
        """
        return self._meaning.relevant(text) if self._meaning else {}

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

    def ruled(self, delta: Delta, run: str) -> Revision | None:
        """What became of this very delta of a run; None where nothing was decided yet."""
        return rows.read_ruling(self._db, run, delta.to_json())

    def rollback(self, version: int, reason: str = "", *, author: str = "rollback") -> Committed:
        """Make the playbook as it was at a version, as a new version: nothing in between is forgotten.

        Ids that were given since stay used, and counts of how often bullets were shown stay as they are.

        Raises:
            InputError: there is no such version.
        """
        with self._lock:
            with self._db.write() as tx:
                base = self._view.newest(tx)
                changes = restoring.as_it_was(tx, base, version)
                decided = Decided(playbook=changed(base, changes), changes=changes)
                reason = reason or f"rolled back to version {version}"
                head = record(tx, revision_of(base, decided, author, reason, {"rollback_to": version}))
            return self._keep(head, decided)

    def replace(
        self,
        playbook: Playbook,
        *,
        author: str,
        reason: str,
        evidence: Mapping[str, Any] | None = None,
        expected_version: int | None = None,
        rules: Rules | None = None,
    ) -> Committed:
        """Make the playbook equal to another, as a new version: the same ids, sections, texts, kinds, counts and order.

        An id that ever meant another bullet goes on meaning that one; what is wanted under it gets another id, and the
        notice and the evidence (``renamed``) say which. Sections that the home knows keep their names and their order
        among themselves. Exposures stay as they are where the home has any. The budget is enforced.

        Args:
            playbook: what is to be there.
            author, reason, evidence, expected_version: as for `commit`.
            rules: limits on texts that are not there yet, in place of the ledger's own.

        Raises:
            InputError: a bullet cannot be stored as it is, or the version is not the expected one; nothing was changed.
            HomeError: the database cannot be written; nothing was kept.
        """
        with self._lock:
            with self._db.write() as tx:
                base = self._view.newest(tx)
                check_version(base, expected_version)
                changes, found = restoring.as_given(tx, base, playbook, rules or self._rules)
                outcome = Outcome(playbook=changed(base, changes), changes=changes, refusals=found.refusals)
                decided = decide(outcome, self._budget, None)
                notes = {**(evidence or {}), **({"renamed": found.renamed} if found.renamed else {})}
                head = record(tx, revision_of(base, decided, author, reason, notes))
            return self._keep(head, decided, found.notice)

    def at(self, version: int) -> Playbook:
        """The playbook as it was at a version; 0 is the empty one.

        Raises:
            InputError: there is no such version.
        """
        with self._lock:
            base = self.current()
            return base.with_changes(restoring.undone(self._db, base, version), version)

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
        if self._file:
            self._file.flush()

    def _mend(self, playbook: Playbook) -> None:
        """Once for each opening: the file may have been edited, or be behind where a process was killed."""
        if self._file and not self._mended:
            self._mended = True
            self._file.restore(playbook)

    def _keep(self, head: rows.Head | None, decided: Decided, notice: str = "") -> Committed:
        if head is not None:
            self._view.hold(head, decided.playbook)
            unwritten = self._file.publish(decided.playbook) if self._file else ""
            notice = "; ".join(filter(None, (unwritten, notice)))
            self._mended = True
        self._mend(decided.playbook)
        return Committed(
            version=decided.playbook.version,
            accepted=head is not None,
            playbook=decided.playbook,
            changes=decided.changes,
            refusals=decided.refusals,
            notice=notice,
        )
