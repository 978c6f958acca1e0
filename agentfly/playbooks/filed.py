"""``playbook.md`` beside the ledger: written after each commit, mended when it is missing or behind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agentfly.playbooks import publish, rows
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.render import to_markdown
from agentfly.playbooks.view import View

if TYPE_CHECKING:
    from agentfly.store.database import Database


class Filed:
    """The copy of a ledger's playbook for people. The ledger's lock guards it.

    Args:
        path: the file.
        db: the home's database.
        view: the ledger's view of the newest version.
    """

    def __init__(self, path: Path, db: Database, view: View) -> None:
        self._path = path
        self._db = db
        self._view = view
        self._publisher = publish.Publisher(path)

    def flush(self) -> None:
        """Write now what was put off."""
        self._publisher.flush()

    def publish(self, playbook: Playbook, *, now: bool = False) -> str:
        """Write the file; whoever writes last looks again, so that the newest version stands in the end.

        Returns:
            Why it could not be written; empty where it was.
        """
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

    def restore(self, playbook: Playbook) -> None:
        """Rewrite a file that is missing or behind, as after a kill between commit and writing."""
        if playbook.version == 0 and not self._path.exists():
            return
        publish.sweep(self._path)
        if not publish.is_current(self._path, to_markdown(playbook)):
            self.publish(playbook, now=True)
