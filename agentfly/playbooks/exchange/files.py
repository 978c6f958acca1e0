"""Reading and writing the files."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from pathlib import Path

from agentfly.errors import InputError
from agentfly.playbooks.exchange.source import MAX_BYTES

STDIO = "-"


def read_bytes(path: str) -> bytes:
    """A file, or standard input for ``-``; no more of it than shows that it is too large.

    Raises:
        InputError: there is no such file, it is a folder, or it cannot be read.
    """
    if path == STDIO:
        stream = getattr(sys.stdin, "buffer", None)
        return bytes(stream.read(MAX_BYTES)) if stream else sys.stdin.read(MAX_BYTES).encode("utf-8", "replace")
    file = Path(path).expanduser()
    try:
        if file.is_dir():
            raise InputError(f"{path} is a folder; give a file")
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES)
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None


def existing_bytes(path: str) -> bytes:
    """A file that is to be replaced; empty where there is none.

    Raises:
        InputError: it is there and cannot be read whole.
    """
    if path == STDIO or not Path(path).expanduser().exists():
        return b""
    data = read_bytes(path)
    if len(data) >= MAX_BYTES:
        raise InputError(f"{path} is too large to be changed: {MAX_BYTES} bytes or more")
    return data


def write_bytes(path: str, data: bytes) -> None:
    """Write a file, or to standard output for ``-``. A file is replaced in one step and keeps its mode; a link stays one.

    Raises:
        InputError: the file cannot be written; it is as it was.
    """
    if path == STDIO:
        sys.stdout.write(data.decode())
        return
    try:
        target = Path(path).expanduser().resolve()
        if target.exists() and not target.is_file():
            if target.is_dir():
                raise InputError(f"{path} is a folder; give a file")
            target.write_bytes(data)  # a device or a pipe
        else:
            _replace(target, data)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None


def _replace(target: Path, data: bytes) -> None:
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
    temporary = target.with_name(f".{target.name[:50]}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
