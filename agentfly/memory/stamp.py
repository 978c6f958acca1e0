"""What the index was when it was last known to be good: compared on open, so that damage is seen before it is used."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE = "stamp.json"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What an index was built from; one with another source is foreign."""

    home: str
    embedder: str
    dimensions: int
    version: int = VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """State of the index after its last finished write."""

    source: Source
    folder: str
    """Name of the folder that holds it; every rebuild makes a new one."""
    rev: int = 0
    """Everything in the truth up to this revision has been read."""
    tip: tuple[int, str] | None = None
    """(sequence number, id) of the truth's last case then: does not fit a truth that was restored from a backup."""
    count: int = 0
    files: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """(bytes, modification time in ns) of each file, by relative path."""


def read(index: Path) -> Stamp | None:
    """The stamp in an index folder; None where there is none that can be understood."""
    try:
        data = json.loads((index / FILE).read_text(encoding="utf-8"))
        tip = data["tip"]
        return Stamp(
            source=Source(**data["source"]),
            folder=str(data["folder"]),
            rev=int(data["rev"]),
            tip=(int(tip[0]), str(tip[1])) if tip else None,
            count=int(data["count"]),
            files={str(name): (int(size), int(time)) for name, (size, time) in data["files"].items()},
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError):
        return None


def write(index: Path, stamp: Stamp) -> None:
    """Replace the stamp; a reader sees the old one or the new one."""
    draft = index / f"{FILE}.{os.getpid()}"
    draft.write_text(json.dumps(asdict(stamp)), encoding="utf-8")
    draft.replace(index / FILE)


def remove(index: Path) -> None:
    """Forget the index: the next one who wants it builds it anew."""
    (index / FILE).unlink(missing_ok=True)


def files_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and modification time of every file under a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            status = path.stat()
            found[str(path.relative_to(folder))] = (status.st_size, status.st_mtime_ns)
    return found
