"""Writing ``playbook.md``: readers see the old text or the new, never half of one."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from pathlib import Path

from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.render import to_markdown
from agentfly.replacing import replace_file

LARGE = 1_000
"""Bullets from which on the file is written a little later, once for all commits until then."""
_DELAY = 0.5
"""Seconds."""


class Publisher:
    """Writes a playbook's file, at once while it is small.

    A large one is written in the background: the disk would otherwise have to take a megabyte with each commit. What
    a killed process did not get to write is mended when the ledger is opened next.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._pending: Playbook | None = None

    def write(self, playbook: Playbook) -> None:
        """Write the file now.

        Raises:
            OSError: as `agentfly.replacing.replace_file`.
        """
        # Not synced: it is a copy of what the database holds, and what a power cut does to it is mended when the ledger is opened.
        # Waiting for the disk a second time would double the cost of a commit.
        replace_file(self._path, to_markdown(playbook))

    def later(self, playbook: Playbook) -> None:
        """Write the file soon, unless a newer version comes first."""
        with self._lock:
            idle, self._pending = self._pending is None, playbook
        if idle:
            timer = threading.Timer(_DELAY, self.flush)
            timer.daemon = True
            timer.start()

    def flush(self) -> None:
        """Write what is waiting to be written, if anything is."""
        with self._lock:
            playbook, self._pending = self._pending, None
            if playbook is not None and _written_version(self._path) < playbook.version:
                with contextlib.suppress(OSError):  # the folder may be gone by now; the database has it all
                    self.write(playbook)


def sweep(path: Path, older_than: float = 60.0) -> None:
    """Delete temporary files that killed processes left beside the file.

    Args:
        path: the file that was to be written.
        older_than: seconds; younger ones may belong to a process that is writing.
    """
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        with contextlib.suppress(OSError):  # another process sweeps as well
            if time.time() - leftover.stat().st_mtime > older_than:
                leftover.unlink()


def is_current(path: Path, text: str) -> bool:
    """Whether the file holds exactly this text."""
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


def _written_version(path: Path) -> int:
    """Version that the file says it shows; -1 where it says none."""
    try:
        with path.open("rb") as file:
            found = re.match(rb"<!-- version (\d{1,15});", file.read(40))
    except OSError:
        return -1
    return int(found[1]) if found else -1
