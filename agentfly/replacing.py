"""Files that are replaced as a whole: a reader finds the old one or the new, never half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def replace_file(path: Path, text: str, *, synced: bool = False, mode: int = 0o644) -> None:
    """Write a file by way of a temporary one beside it.

    Args:
        path: of the file; its folder is there.
        text: written as UTF-8.
        synced: whether it must survive a power cut, for which the disk is waited for.
        mode: who may read and write it.

    Raises:
        OSError: the folder is not writable or the disk is full; the old file is as it was.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            if synced:
                file.flush()
                os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
