"""Zip archives, within limits of entries, bytes and ratio. Nothing is ever unpacked to disk."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Sequence
from typing import BinaryIO

from .problems import Unreadable

DIRECTORY_BYTES = 8 * 1024 * 1024
"""Largest directory of an archive: about 100,000 entries."""
MEMBER_BYTES = 64 * 1024 * 1024
"""Largest file that is read out of an archive."""
TOTAL_BYTES = 512 * 1024 * 1024
"""Most bytes that an office document may unpack to."""
RATIO = 250
"""Most bytes that a byte may unpack to, where there are more than `SPARED` of them. DEFLATE reaches 1,032."""
SPARED = 4 * 1024 * 1024
LISTED = 500
NESTED = 3
_SIZE = 5
"""Where the end of an archive tells the bytes of its directory."""


def opened(file: BinaryIO) -> zipfile.ZipFile:
    """An archive whose directory is of a size that can be read.

    Raises:
        Unreadable: it is damaged or its directory too large.
    """
    try:
        # What `zipfile` itself goes by: it reads as many bytes as this says, whatever other records there are.
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]
        if end and end[_SIZE] > DIRECTORY_BYTES:
            raise Unreadable("the archive has too many entries to list")
        file.seek(0)
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, struct.error, UnicodeDecodeError) as error:
        raise Unreadable(f"the zip archive is damaged ({error})") from None


def office_kind(archive: zipfile.ZipFile) -> str:
    """``docx``, ``pptx``, ``xlsx`` or ``epub`` where an archive is one of these; else ``zip``."""
    names = set(archive.namelist())
    for kind, part in (
        ("docx", "word/document.xml"),
        ("pptx", "ppt/presentation.xml"),
        ("xlsx", "xl/workbook.xml"),
        ("epub", "META-INF/container.xml"),
        ("ods", "content.xml"),
    ):
        if part in names and (kind != "ods" or "mimetype" in names):
            return kind
    return "zip"


def check_document(archive: zipfile.ZipFile) -> None:
    """Refuse an office document that unpacks to more than a document should.

    `zipfile` never reads more of an entry than its directory says, so what is said there is what counts.

    Raises:
        Unreadable: it does.
    """
    entries = archive.infolist()
    if sum(entry.file_size for entry in entries) > TOTAL_BYTES or any(_inflated(entry) for entry in entries):
        raise Unreadable("the document unpacks to far more than it holds (a zip bomb?) and is not opened")


def listing(archive: zipfile.ZipFile, name: str) -> str:
    """The entries of an archive, with the way to read one."""
    entries = archive.infolist()
    files = [entry for entry in entries if not entry.is_dir()]
    lines = [f"zip archive with {len(files):,} files, {sum(entry.file_size for entry in files):,} bytes unpacked"]
    lines += [
        f"- {_shown(entry.filename)} ({entry.file_size:,} bytes{', encrypted' if entry.flag_bits & 1 else ''})"
        for entry in files[:LISTED]
    ]
    if len(files) > LISTED:
        lines.append(f"- and {len(files) - LISTED:,} more")
    if files:
        example = next((entry.filename for entry in files if not entry.flag_bits & 1), files[0].filename)
        lines.append(f"Read one by its path, such as {name + '/' + _shown(example)!r}.")
    return "\n".join(lines)


def member(archive: zipfile.ZipFile, path: str) -> bytes:
    """The bytes of an entry.

    Args:
        archive: where it is.
        path: its name in the archive.

    Raises:
        Unreadable: there is none of that name, it is too large, or it cannot be unpacked.
    """
    if path.startswith("/") or ".." in path.split("/"):
        raise Unreadable(f"{path!r} leads out of the archive")
    names = archive.namelist()
    if path not in names:
        raise Unreadable(f"there is no {path!r} in the archive; it holds {_some(names)}")
    entry = archive.getinfo(path)
    if entry.is_dir():
        within = [name for name in names if name.startswith(path) and name != path]
        raise Unreadable(f"{path!r} is a folder in the archive; it holds {_some(within)}")
    if entry.flag_bits & 1:
        raise Unreadable(f"{path!r} is encrypted; unpack it with Python where the password is known")
    if entry.file_size > MEMBER_BYTES:
        raise Unreadable(f"{path!r} unpacks to {entry.file_size:,} bytes; the limit is {MEMBER_BYTES:,}")
    if _inflated(entry):
        raise Unreadable(f"{path!r} unpacks to far more than it holds (a zip bomb?) and is not opened")
    try:
        with archive.open(entry) as file:
            return file.read(MEMBER_BYTES)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError, RuntimeError) as error:
        raise Unreadable(f"{path!r} cannot be unpacked ({error})") from None


def split(archive: zipfile.ZipFile, parts: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The entry that path parts name, and what is left of them where it is an archive itself."""
    names = set(archive.namelist())
    for count in range(1, len(parts)):
        path = "/".join(parts[:count])
        if path in names:
            return path, parts[count:]
    return "/".join(parts), ()


def _inflated(entry: zipfile.ZipInfo) -> bool:
    return entry.file_size > SPARED and entry.file_size > RATIO * max(entry.compress_size, 1)


def _shown(name: str) -> str:
    text = "".join(letter if letter.isprintable() else "�" for letter in name)
    return text if len(text) <= 200 else text[:197] + "..."


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(_shown(name) for name in names[:20])
    more = f" and {len(names) - 20:,} more" if len(names) > 20 else ""
    return (shown or "nothing") + more
