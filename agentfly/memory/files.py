"""Files of lines: read with a cap on each, and written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from agentfly.errors import InputError

MAX_LINE = 16 * 2**20
"""Longest line in bytes; the texts of a case together are shorter."""
STDIO = "-"
"""Names standard input and output."""

_SQLITE = b"SQLite format 3\x00"


@contextlib.contextmanager
def replaced(target: Path) -> Iterator[IO[bytes]]:
    """A stream to a temporary file beside the target, which takes its place when the block ends without an error."""
    if target.is_dir():
        raise InputError(f"{target} is a folder; give a file")
    if target.exists() and not target.is_file():  # a pipe or a device: a file must not take its place
        with target.open("wb") as stream:
            yield stream
        return
    if target.is_file():
        with target.open("rb") as old:
            if old.read(len(_SQLITE)) == _SQLITE:
                raise InputError(f"{target} is a database; give another file")
    target = target.resolve()  # the file that a link leads to is replaced, not the link
    mode = target.stat().st_mode if target.exists() else None
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            yield stream
            if mode is not None:
                temporary.chmod(mode & 0o777)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator[IO[bytes]]:
    """A file to read, or standard input.

    Raises:
        InputError: missing, a folder, or not to be read.
    """
    if str(path) == STDIO:
        yield sys.stdin.buffer
        return
    file = Path(path).expanduser()
    if file.is_dir():
        raise InputError(f"{path} is a folder; give a file with one JSON object a line")
    try:
        stream = file.open("rb")
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    with stream:
        yield stream


def raw_lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Each line with its number, without a byte order mark; None for one that is too long to be held."""
    number = 0
    while raw := stream.readline(MAX_LINE + 1):
        number += 1
        if number == 1:
            if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise InputError("the file is UTF-16 text; save it as UTF-8")
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if len(raw) > MAX_LINE and not raw.endswith(b"\n"):
            _skip_line(stream)
            yield number, None
        else:
            yield number, raw


def _skip_line(stream: IO[bytes]) -> None:
    while (piece := stream.readline(MAX_LINE)) and not piece.endswith(b"\n"):
        pass
