"""Meaning, as the ledger uses it: embeddings are made outside of its lock and transactions, and used inside."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from agentfly.errors import AgentflyError
from agentfly.playbooks.delta import Delta
from agentfly.playbooks.neighbours import BATCH, Neighbourhood, texts_of
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.refine import Neighbours
from agentfly.playbooks.rows import Reader, Writer
from agentfly.playbooks.rules import Rules
from agentfly.playbooks.view import View

if TYPE_CHECKING:
    from threading import RLock

    from agentfly.store.database import Database

_SAID = 1_000
"""Most texts of one delta that are embedded: five seconds for a large import. The rest is taken by its letter."""
_COMPARED = 128
"""Most bullets that one commit compares with all others: a twentieth of a second with 10,000 of them."""


class Meaning:
    """What a ledger does with the embeddings of its bullets.

    Args:
        db: the home's database.
        view: the ledger's view of the newest version.
        lock: the ledger's lock. Held by callers of the methods that take a reader or a transaction, and by no others.
        near: the embeddings.
    """

    def __init__(self, db: Database, view: View, lock: RLock, near: Neighbourhood) -> None:
        self._db = db
        self._view = view
        self._lock = lock
        self._near = near

    def prepare(self, delta: Delta, rules: Rules) -> str:
        """Embed what a delta says, as far as there is time for it, and some of what waits.

        Returns:
            Why that was not possible: then the delta is taken by its letter. Empty where all is well.
        """
        try:
            texts = texts_of(delta, rules)[:_SAID]
            with self._lock:
                self._near.make_room(len(texts))
            for _ in range(0, max(len(texts), 1), BATCH):
                self._embed(texts)
        except AgentflyError as error:  # what was learned counts for more than that it may be there twice
            return f"near-duplicates were not looked for: {error}"
        return ""

    def neighbours(self, db: Reader, base: Playbook, delta: Delta, rules: Rules) -> Neighbours:
        """What says nearly the same as the additions of a delta to this playbook."""
        self._near.follow(db, base)
        return self._near.of(delta, rules)

    def merges(self, db: Reader) -> Callable[[Playbook], Delta]:
        """Gives the delta that merges near-duplicates of a playbook, as far as a commit has time for it."""

        def of(playbook: Playbook) -> Delta:
            self._near.follow(db, playbook)
            return self._near.merges(playbook, _COMPARED)

        return of

    def all_merges(self) -> Delta:
        """The delta that merges all near-duplicates of the newest version, after every bullet was embedded."""
        while self._embed():
            pass
        with self._lock:
            playbook = self._view.newest(self._db)
            self._near.follow(self._db, playbook)
            return self._near.merges(playbook, anew=True)

    def relevant(self, text: str) -> dict[str, float]:
        """Cosine of each bullet with a text, by id."""
        vector = self._near.embed([text])[text]
        self._embed()
        with self._lock:
            self._near.follow(self._db, self._view.newest(self._db))
            return self._near.similarities(vector)

    def write(self, tx: Writer, playbook: Playbook) -> Collection[str]:
        """Write the embeddings of this version, which was just written, in the same transaction."""
        self._near.follow(tx, playbook)
        return self._near.write(tx)

    def written(self, bullet_ids: Collection[str]) -> None:
        """The transaction is through."""
        self._near.written(bullet_ids)

    def _embed(self, texts: Iterable[str] = ()) -> bool:
        """Embed texts and a batch of what waits; what waited is written at once, so that it waits only once.

        Returns:
            Whether there was anything to embed.
        """
        with self._lock:
            self._near.follow(self._db, self._view.newest(self._db))
            wanted = self._near.wanted(texts)
        vectors = self._near.embed(wanted)
        with self._lock:
            self._near.take(vectors)
            if self._near.unwritten:
                with self._db.write() as tx:
                    written = self._near.write(tx)
                self._near.written(written)
        return bool(wanted)
