"""Reading a file in a process of its own, which has little memory, little time and nothing to take or to break.

Where bubblewrap works it is confined besides (see `confining`); elsewhere its limits and its empty environment are all there is.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import io
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from agentfly.errors import ToolError
from agentfly.tools.documents import confining
from agentfly.tools.documents.inside.main import CHARS, LARGEST, MEMORY
from agentfly.tools.documents.workspace import opened

SECONDS = 30.0
MEMORY_MB = 1536
"""Address space of the process; what libraries reserve counts although it is never used."""
_RESULT_BYTES = 8 * CHARS + 2 * LARGEST
_FOLDER = Path(__file__).parent
_START = (
    "import sys; sys.path[:0] = [sys.argv[1]]; sys.path += [p for p in sys.argv[3:] if p not in sys.path]; "
    "from inside.main import main; main()"
)


@dataclass(frozen=True, slots=True)
class Content:
    """What a file held when it was opened: a copy that nobody else can change.

    Conversions are kept by the hash of what was converted, so it must not change between the one and the other.
    """

    file: BinaryIO
    name: str
    inner: tuple[str, ...]
    digest: str
    """SHA-256 of the bytes, hexadecimal."""
    head: bytes
    """The first 1,024 bytes."""
    size: int


def taken(workspace: Path, name: str) -> Content:
    """Copy a file of the workspace; the caller closes `Content.file`.

    Args:
        workspace: the attempt's folder.
        name: path below it, perhaps into an archive.

    Raises:
        ToolError: there is no such file, or it is larger than is read.
    """
    with opened(workspace, name) as found:
        if found.size > LARGEST:
            raise ToolError(
                f"{found.name!r} has {found.size:,} bytes; up to {LARGEST:,} are read here. Read it in parts with Python"
            )
        return _copied(found.file, found.name, found.inner)


async def as_text(data: bytes, suffix: str, *, seconds: float = SECONDS) -> str:
    """A document as text, mostly Markdown; for what comes from elsewhere than a workspace.

    Args:
        data: the document.
        suffix: of its kind, such as ``.pdf``; its first bytes outrank it.
        seconds: longest time.

    Raises:
        ToolError: it cannot be read; says why.
    """
    content = await asyncio.to_thread(_copied, io.BytesIO(data), f"document{suffix}", ())
    with content.file:
        asked = {"op": "text", "image": "no document", "sound": "no document"}
        return str((await ask(content, asked, seconds=seconds)).get("text", ""))


def _copied(file: BinaryIO, name: str, inner: tuple[str, ...]) -> Content:
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the caller
    digest, head, size = hashlib.sha256(), b"", 0
    while piece := file.read(min(1 << 20, LARGEST + 1 - size)):
        head, size = head or piece[:1024], size + len(piece)
        digest.update(piece)
        copy.write(piece)
    copy.seek(0)
    return Content(copy, name, inner, digest.hexdigest(), head, size)


async def ask(
    content: Content, asked: Mapping[str, Any], *, seconds: float = SECONDS, memory_mb: int = MEMORY_MB
) -> dict[str, Any]:
    """What the program `inside` makes of a file.

    Args:
        content: the file.
        asked: ``op`` and what it takes.
        seconds: time that it may take.
        memory_mb: address space that it may take.

    Raises:
        ToolError: the file cannot be read this way; says what to do instead.
    """
    whole = {
        "name": content.name,
        "path": list(content.inner),
        "shown": "/".join((content.name, *content.inner)),
        "memory_mb": memory_mb,
        "seconds": seconds,
        **asked,
    }
    content.file.seek(0)
    told = await _run(content, whole, seconds)
    if "error" in told:
        raise ToolError(f"{whole['shown']} cannot be read: {told['error']}")
    return told


def data_of(told: Mapping[str, Any]) -> tuple[bytes, str]:
    """The bytes and the media type of an answer of the program.

    Raises:
        ToolError: it has none.
    """
    try:
        return base64.b64decode(told["data"], validate=True), str(told["mime"])
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise ToolError("the file was not read") from None


async def _run(content: Content, whole: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    process = await _started(content, whole)
    assert process.stdout is not None
    data = bytearray()
    try:
        async with asyncio.timeout(seconds + 1.0):
            while piece := await process.stdout.read(1 << 20):
                data += piece
                if len(data) > _RESULT_BYTES:
                    raise ToolError(f"{whole['shown']} cannot be read: it became too much text")
            status = await process.wait()
    except TimeoutError:
        raise ToolError(f"{whole['shown']} was not read within {seconds:g} s; read a part of it with Python") from None
    finally:
        await _ended(process)
    return _told(bytes(data), status)


async def _started(content: Content, whole: Mapping[str, Any]) -> asyncio.subprocess.Process:
    environment = _environment()
    confined = await asyncio.to_thread(confining.works)
    before = confining.prefix(_FOLDER, environment) if confined else ()
    folder = confining.INSIDE if confined else str(_FOLDER)
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *before,
            *(sys.executable, "-I", "-B", "-W", "ignore", "-c", _START),
            *(folder, json.dumps(whole), *_packages()),
            stdin=content.file,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:  # in the middle of starting: what has been started is ended
        await _ended(await starting)
        raise


async def _ended(process: asyncio.subprocess.Process) -> None:
    """End a reader and whatever it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _told(data: bytes, status: int) -> dict[str, Any]:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        told = None
    if isinstance(told, dict):
        return told
    if any(status in (-ended, 128 + ended) for ended in (signal.SIGXCPU, signal.SIGKILL)):  # 128: told by bubblewrap
        return {"error": "it takes too long; read a part of it with Python"}
    return {"error": MEMORY if not data else "its reader failed. Read it with Python"}


def _packages() -> list[str]:
    """Folders of installed packages, those of the user too, which an isolated Python leaves out."""
    return [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]


def _environment() -> dict[str, str]:
    """No keys, and one thread: each thread of a numeric library reserves memory."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC", **dict.fromkeys(threads, "1")}
