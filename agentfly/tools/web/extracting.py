"""The text of a page's HTML, made in a process of its own with limits."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentfly.errors import ToolError

_PROGRAM = Path(__file__).parent / "inside.py"
_ANSWER = 64 << 20
"""Bytes that the process may answer with: JSON of a few million characters."""
MISSING = "pages cannot be read here: the person must run pip install 'agentfly-framework[web]'"
_UNREADABLE = "the page is built in a way that cannot be read; use another source"


_PACKAGES = ("trafilatura", "lxml_html_clean")
"""The second is needed by the first, but older pips leave it out."""


def installed() -> bool:
    """Whether the packages that read HTML are there."""
    return all(importlib.util.find_spec(name) is not None for name in _PACKAGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """What HTML says.

    Args:
        title: as the page names itself; may be empty.
        text: Markdown; ``⟦n⟧`` stands behind the text of the link n.
        links: address and text of link 1 and on.
        whole: whether this is the main text; else it is everything that a reader would see.
    """

    title: str
    text: str
    links: tuple[tuple[str, str], ...]
    whole: bool


async def extract(html: str, url: str, *, seconds: float = 12.0, megabytes: int = 1024) -> Extracted:
    """Find title, main text and links.

    Args:
        html: not trusted; parsers can be made slow or break, so it is read in a process that is killed in time.
        url: where it lies.
        seconds: of processor time, and as much and a half of waiting.
        megabytes: of address space.

    Raises:
        ToolError: it takes too much, or the packages for it are not installed.
    """
    task = {"html": html, "url": url, "seconds": seconds, "megabytes": megabytes}
    answer = await _run(json.dumps(task).encode("ascii"), seconds * 1.5 + 2)
    try:
        found: dict[str, Any] = json.loads(answer)
    except ValueError:
        raise ToolError(_UNREADABLE) from None
    if "missing" in found:
        raise ToolError(MISSING)
    links = tuple((str(url), str(text)) for url, text in found["links"])
    return Extracted(title=found["title"], text=found["text"], links=links, whole=found["whole"])


async def _run(task: bytes, seconds: float) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-B", str(_PROGRAM),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env={"LANG": "C.UTF-8"}, cwd="/", start_new_session=True,
    )  # fmt: skip
    writing = asyncio.create_task(_write(process, task))  # beside the reading: it may answer before it has read all
    try:
        async with asyncio.timeout(seconds):
            return await _read(process)
    except TimeoutError:
        raise ToolError(_UNREADABLE) from None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        # It counts as ended only once all that it wrote is taken.
        assert process.stdout is not None
        while await process.stdout.read(1 << 20):
            pass
        await process.wait()
        writing.cancel()


async def _write(process: asyncio.subprocess.Process, task: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(task)
        await process.stdin.drain()
        process.stdin.close()


async def _read(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    answer = bytearray()
    while piece := await process.stdout.read(1 << 20):
        answer += piece
        if len(answer) > _ANSWER:
            raise ToolError(_UNREADABLE)
    return bytes(answer)
