"""Remembers which files had the right checksum, so that a gigabyte is not read at each start."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path


def is_valid(folder: Path, path: Path, sha256: str) -> bool:
    """Whether `path` was found to have that checksum and nothing has touched it since.

    Args:
        folder: where stamps are kept.
        path: an existing file.
        sha256: hexadecimal digest that it should have.
    """
    try:
        return bool(json.loads(_place(folder, path).read_text(encoding="utf-8")) == _fingerprint(path, sha256))
    except (OSError, ValueError):
        return False


def write(folder: Path, path: Path, sha256: str) -> None:
    """Remember that `path` has that checksum."""
    place = _place(folder, path)
    temporary = place.with_suffix(f".{os.getpid()}.tmp")
    with contextlib.suppress(OSError):  # a read-only cache only costs another check next time
        folder.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(_fingerprint(path, sha256)), encoding="utf-8")
        temporary.replace(place)


def _place(folder: Path, path: Path) -> Path:
    return folder / f"verified-{hashlib.sha256(str(path).encode()).hexdigest()[:16]}.json"


def _fingerprint(path: Path, sha256: str) -> list[object]:
    stat = path.stat()  # the change time cannot be set back, as the modification time can
    return [str(path), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, sha256]
