"""`ReadFile`: any file of the workspace as text, page by page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from agentfly.errors import ToolError
from agentfly.tools.caching import ContentCache, content_key
from agentfly.tools.documents.converting import MEMORY_MB, SECONDS, Content, ask, taken
from agentfly.tools.documents.inside.kinds import IMAGES, kind_of, sound_of
from agentfly.tools.paging import CHARS, pages
from agentfly.tools.placing import FolderTool

VERSION = "1"
"""Of what conversion makes of a file; a change makes earlier entries of the cache unused."""

_ASK_IMAGE = "ask about it with ask_image(file, question)"
_NO_EYES = "no model here can look at it; Python with Pillow can measure its pixels"
_TRANSCRIBE = "get its words with transcribe(file)"
_NO_EARS = "no model here can hear it"


class ReadFile(FolderTool):
    """The tool ``read_file``. Place it in a workspace with `at` before it is called.

    Args:
        cache: keeps what was converted; None converts each time.
        images: describes an image of a workspace, as `AskImage.ask_image`; None says that nothing here can.
        sounds: a page of what is said in a recording of a workspace, as `Transcribe.transcribe`; None says that nothing here can.
        page_chars: characters of a page.
        seconds: longest time of one conversion.
        memory_mb: address space that a conversion may take.
    """

    def __init__(
        self,
        cache: ContentCache | None = None,
        *,
        images: Callable[[Path, str], Awaitable[str]] | None = None,
        sounds: Callable[[Path, str, int], Awaitable[str]] | None = None,
        page_chars: int = CHARS,
        seconds: float = SECONDS,
        memory_mb: int = MEMORY_MB,
    ) -> None:
        self._cache = cache
        self._images = images
        self._sounds = sounds
        self._page_chars = page_chars
        self._seconds = seconds
        self._memory_mb = memory_mb
        super().__init__(self.read_file)

    async def read_file(
        self,
        workspace: Path,
        name: str,
        page: Annotated[int, Field(ge=1)] = 1,
        sheet: str | int | None = None,
        formulas: bool = False,
    ) -> str:
        """Read a file of the working folder as text: pdf, docx, pptx, xlsx, csv, json, xml, html, zip, notebooks, code, any text.

        Long files come in pages: ask for the next with page=2. Files in a zip archive: name="data.zip/inner.csv". Workbooks show all
        sheets with cell addresses, merged cells and fill colours; sheet="Name" shows one, formulas=True the formulas too.
        """
        content = await asyncio.to_thread(taken, workspace, name)
        kind = "" if content.inner else kind_of(content.head)  # in an archive it shows when it is unpacked
        try:
            if self._images and kind in IMAGES:
                return await self._images(workspace, name)
            if self._sounds and not content.inner and sound_of(content.head):
                return await self._sounds(workspace, name, page)
            text = await self._text(content, None if sheet is None else str(sheet), formulas)
        finally:
            content.file.close()
        return _page("/".join((content.name, *content.inner)), text, page, self._page_chars)

    async def _text(self, content: Content, sheet: str | None, formulas: bool) -> str:
        asked = {
            "op": "text",
            "sheet": sheet,
            "formulas": formulas,
            "eyes": self._images is not None,
            "image": _ASK_IMAGE if self._images else _NO_EYES,
            "sound": _TRANSCRIBE if self._sounds else _NO_EARS,
        }
        told = json.dumps([VERSION, content.name, content.inner, sheet, formulas, asked["eyes"]])
        key = content_key("read_file", content.digest, told)
        kept = await asyncio.to_thread(self._cache.get, key) if self._cache else None
        if kept is not None:
            return kept
        answer = await ask(content, asked, seconds=self._seconds, memory_mb=self._memory_mb)
        text = str(answer.get("text", ""))
        if self._cache:
            await asyncio.to_thread(self._cache.put, key, text)
        return text


def _page(name: str, text: str, page: int, chars: int) -> str:
    """One page, with the way to the next where there is one."""
    found = pages(text, chars)
    if page > len(found):
        raise ToolError(f"{name} has {len(found)} pages; there is no page {page}")
    if len(found) == 1:
        return text
    head = f"[{name}: page {page} of {len(found)}]"
    after = f"read_file({name!r}, page={page + 1})"
    tail = f"[next: {after}]" if page < len(found) else "[end]"
    return f"{head}\n{found[page - 1].strip(chr(10))}\n{tail}"
