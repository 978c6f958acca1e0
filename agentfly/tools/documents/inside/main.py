"""Reads a file from standard input and writes one JSON object: ``text``, or ``data`` and ``mime``, or ``error``."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import resource
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from . import archives, kinds, text
from .problems import Unreadable

LARGEST = 64 * 1024 * 1024
"""Bytes of the largest file that is read."""
CHARS = 4_000_000
"""Longest text that is handed over: 500 pages of 8,000 characters."""
INSTALL = "a package for this kind of file is not installed here (pip install 'agentfly-framework[files]')"
MEMORY = "it needs more memory than reading a file may take; read it in parts with Python"
PLAIN = "Read it with Python if it is needed."
_MARKUP = frozenset({".html", ".htm", ".xhtml"})


def main() -> None:
    """Do what the first argument, a JSON object, asks for: ``op``, ``name``, ``path``, and what the operation takes."""
    asked: dict[str, Any] = json.loads(sys.argv[2])
    with os.fdopen(os.dup(1), "wb") as out:
        _quiet()
        _limit(asked["memory_mb"], asked["seconds"])
        try:
            told = _done(asked)
        except Unreadable as error:
            told = {"error": str(error)}
        except ImportError as error:
            told = {"error": f"{INSTALL}: {error.name or error}. {PLAIN}"}
        except MemoryError:
            told = {"error": MEMORY}
        except RecursionError:
            told = {"error": f"it is nested too deeply. {PLAIN}"}
        out.write(json.dumps(told).encode())
        out.flush()
    os._exit(0)  # taking down what a parser built costs time and can only fail


def _quiet() -> None:
    """Nothing but the result goes out: libraries print warnings."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _limit(memory_mb: int, seconds: float) -> None:
    """Bound memory and processor time; nothing may be written to disk, and no core dumped."""
    wanted = {
        resource.RLIMIT_AS: memory_mb * 1024 * 1024,
        resource.RLIMIT_CPU: int(seconds) + 1,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, amount in wanted.items():
        with contextlib.suppress(ValueError, OSError):  # macOS has no bound of address space
            resource.setrlimit(kind, (amount, amount))


def _done(asked: dict[str, Any]) -> dict[str, Any]:
    with os.fdopen(0, "rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise Unreadable(f"it is larger than {LARGEST:,} bytes; read it in parts with Python")
    name, data = _member(asked["name"], asked["path"], data)
    operations: dict[str, Callable[[], dict[str, Any]]] = {
        "text": lambda: {"text": _text(name, data, asked)},
        "bytes": lambda: _bytes(data, ""),
        "picture": lambda: _picture(data, asked),
    }
    return operations[asked["op"]]()


def _member(name: str, path: list[str], data: bytes) -> tuple[str, bytes]:
    """What a path into an archive, and into archives within it, leads to."""
    for _ in range(archives.NESTED):
        if not path:
            return name, data
        if kinds.kind_of(data[:64]) != "zip":
            raise Unreadable(f"{name!r} is a file and no folder or zip archive")
        with archives.opened(io.BytesIO(data)) as archive:
            inner, rest = archives.split(archive, path)
            data = archives.member(archive, inner)
        name, path = f"{name}/{inner}", list(rest)
    if path:
        raise Unreadable(f"archives within archives are read {archives.NESTED} deep")
    return name, data


def _bytes(data: bytes, mime: str) -> dict[str, Any]:
    return {"data": base64.b64encode(data).decode(), "mime": mime}


def _picture(data: bytes, asked: dict[str, Any]) -> dict[str, Any]:
    if kinds.kind_of(data[:1024]) == "pdf":
        from .pdf import picture

        return _bytes(picture(io.BytesIO(data), asked.get("page", 1)), "image/png")
    from .pictures import prepared

    return _bytes(*prepared(data))


def _text(name: str, data: bytes, asked: dict[str, Any]) -> str:
    if not data:
        return "(the file is empty)"
    kind, suffix = kinds.kind_of(data[:1024]), kinds.suffix_of(name)
    if kind == "zip":
        found = _zipped(name, data, asked)
    elif kind == "pdf":
        from . import pdf

        found = pdf.read(io.BytesIO(data), eyes=asked.get("eyes", False))
    elif kind == "ole":
        found = _old(data, suffix, asked)
    elif kind in kinds.IMAGES:
        raise Unreadable(f"it is an image: {asked['image']}")
    elif kinds.sound_of(data[:64]):
        raise Unreadable(f"it is sound: {asked['sound']}")
    elif kind:
        raise Unreadable(f"it is a {kind} file, which holds no text. {PLAIN}")
    else:
        found = _written(data, suffix)
    if len(found) > CHARS:
        found = found[:CHARS] + f"\n(cut here: the whole has {len(found):,} characters; read the rest with Python)"
    return found.encode("utf-8", "replace").decode()


def _zipped(name: str, data: bytes, asked: dict[str, Any]) -> str:
    file: BinaryIO = io.BytesIO(data)
    with archives.opened(file) as archive:
        kind = archives.office_kind(archive)
        if kind == "zip":
            return archives.listing(archive, asked["shown"])
        archives.check_document(archive)
        if kind == "ods":
            raise Unreadable(f"OpenDocument files are not read. {PLAIN}")
        file.seek(0)
        if kind == "xlsx":
            from . import workbooks

            return workbooks.read(file, archive, asked.get("sheet"), asked.get("formulas", False))
        from . import office

        found = office.read(kind, file)
        return found + office.pictures(archive, asked["shown"], eyes=asked["eyes"]) if "eyes" in asked else found


def _old(data: bytes, suffix: str, asked: dict[str, Any]) -> str:
    """Files of Office before 2007: workbooks are read."""
    if suffix in (".doc", ".ppt", ".msg"):
        raise Unreadable(f"{suffix} files are not read: save it in a newer format. {PLAIN}")
    from . import workbooks

    return workbooks.read_old(data, asked.get("sheet"))


def _written(data: bytes, suffix: str) -> str:
    """Text of any kind."""
    if suffix in _MARKUP or data[:200].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        from . import office

        try:
            page = text.decoded(data)[0].encode("utf-8", "replace")
            return office.read("html", io.BytesIO(page))
        except (ImportError, RecursionError):
            return text.plain(data, suffix)  # as it is written
    return text.notebook(data) if suffix == ".ipynb" else text.plain(data, suffix)
