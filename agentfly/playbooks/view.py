"""The newest version of a home's playbook, held in memory and caught up by what others commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentfly.playbooks import rows
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.rows import Head, Reader

if TYPE_CHECKING:
    from agentfly.store.database import Database

REPLAYED = 200
"""Versions of other processes that are replayed one by one; past that, all is read again."""
_UNLOCKED = 3
"""Times that everything is read without holding up others."""


class View:
    """Not safe for threads by itself: the ledger's lock guards it."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._head = rows.NO_HEAD
        self._playbook: Playbook | None = None

    @property
    def head(self) -> Head:
        """The version that is held."""
        return self._head

    @property
    def held(self) -> Playbook | None:
        """What is held, however old; None before anything was read."""
        return self._playbook

    def hold(self, head: Head, playbook: Playbook) -> None:
        """Hold a version that was just written, or one with newer exposures."""
        self._head, self._playbook = head, playbook

    def newest(self, db: Reader) -> Playbook:
        """The newest version. Costs one small query while nobody else commits.

        Args:
            db: what to read from: the database, or a transaction on it.
        """
        head, playbook = rows.head(db), self._playbook
        if playbook is None or not self._leads_to(db, head) or head[1] - playbook.version > REPLAYED:
            head, playbook = self._load(db, head)
        elif head != self._head:
            for head, changes in rows.newer(db, playbook.version):
                playbook = playbook.with_changes(changes, head[1])
        self.hold(head, playbook)
        return playbook

    def _load(self, db: Reader, head: Head) -> tuple[Head, Playbook]:
        """Read everything. Outside a transaction others may commit meanwhile: then again, the last time under lock."""
        for _ in range(_UNLOCKED):
            playbook, after = rows.load(db, head[1]), rows.head(db)
            if after == head:
                return head, playbook
            head = after
        with self._db.write() as tx:
            head = rows.head(tx)
            return head, rows.load(tx, head[1])

    def _leads_to(self, db: Reader, head: Head) -> bool:
        """Whether what is held is a version of this history, and not one that was undone or replaced by a restore."""
        if self._head in (head, rows.NO_HEAD):
            return True
        found = db.read("SELECT 1 FROM playbook_versions WHERE id = ? AND version = ? AND created = ?", self._head)
        return bool(found) and head[1] >= self._head[1]
