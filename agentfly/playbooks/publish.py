"""Writing ``playbook.md``: readers see the old text or the new, never half of one."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Replace a file by way of a temporary one beside it.

    Not synced to the disk: the file is a copy of what the database holds, and what a power cut does to it is mended
    when the ledger is opened. Waiting for the disk a second time would double the cost of a commit.

    Raises:
        OSError: the folder is not writable or the disk is full; the old file is as it was.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


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
