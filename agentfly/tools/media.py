"""Looking at images and hearing speech: `AskImage` and `Transcribe` ask a model that can."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import Field

from agentfly.errors import ModelUnavailableError, ProviderError, ToolError
from agentfly.tools.caching import ContentCache, content_key
from agentfly.tools.documents.converting import Content, ask, data_of, taken
from agentfly.tools.documents.inside.kinds import IMAGES, SOUNDS, kind_of, sound_of
from agentfly.tools.paging import CHARS, pages
from agentfly.tools.placing import FolderTool

Look: TypeAlias = Callable[[bytes, str, str], Awaitable[str]]
"""Answers a question about an image, given its bytes and media type; as `agentfly.models.senses.Sight`."""
Hear: TypeAlias = Callable[[bytes, str], Awaitable[str]]
"""Writes down speech, given a recording and its media type; as `agentfly.models.senses.Hearing`."""

IMAGE_BYTES = 4 * 1024 * 1024
"""Size from which on an image is made smaller first; providers refuse images of more than 5 MB."""
SOUND_BYTES = 25 * 1024 * 1024
"""Largest recording; what providers take."""
QUESTION = 4_000
DESCRIBE = "Describe this image in detail, and write down all text, numbers and symbols in it exactly."
SECONDS = 60.0
_SENT = frozenset({"png", "jpeg", "gif", "webp"})
"""Kinds of images that providers take as they are."""


class AskImage(FolderTool):
    """The tool ``ask_image``. Place it in a workspace with `at` before it is called.

    Args:
        look: asks the model.
        seconds: longest time of one answer.
    """

    def __init__(self, look: Look, *, seconds: float = SECONDS) -> None:
        self._look = look
        self._seconds = seconds
        super().__init__(self.ask_image)

    async def ask_image(
        self,
        workspace: Path,
        file: str,
        question: Annotated[str, Field(min_length=1, max_length=QUESTION)] = DESCRIBE,
        page: Annotated[int, Field(ge=1)] = 1,
    ) -> str:
        """Ask a question about an image file (png, jpeg, gif, webp, bmp, tiff) of the working folder, or about a page of a pdf.

        Images in archives and documents: file="deck.pptx/ppt/media/image1.png".
        """
        content = await asyncio.to_thread(taken, workspace, file)
        try:
            data, mime = await _image(content, page)
        finally:
            content.file.close()
        return await _asked(self._look(data, mime, question), self.name, self._seconds)


class Transcribe(FolderTool):
    """The tool ``transcribe``. Place it in a workspace with `at` before it is called.

    Args:
        hear: asks the model.
        cache: keeps what was heard; None asks each time.
        model: name of the model, so that another one is asked anew.
        seconds: longest time of one transcription.
        page_chars: characters of a page.
    """

    def __init__(
        self,
        hear: Hear,
        cache: ContentCache | None = None,
        *,
        model: str = "",
        seconds: float = SECONDS,
        page_chars: int = CHARS,
    ) -> None:
        self._hear = hear
        self._cache = cache
        self._model = model
        self._seconds = seconds
        self._page_chars = page_chars
        super().__init__(self.transcribe)

    async def transcribe(self, workspace: Path, file: str, page: Annotated[int, Field(ge=1)] = 1) -> str:
        """Write down the speech of a sound file (wav, mp3, m4a, flac, ogg) of the working folder.

        Long transcripts come in pages: ask for the next with page=2.
        """
        content = await asyncio.to_thread(taken, workspace, file)
        try:
            text = await self._text(content)
        finally:
            content.file.close()
        found = pages(text, self._page_chars)
        if page > len(found):
            raise ToolError(f"the transcript of {file!r} has {len(found)} pages; there is no page {page}")
        if len(found) == 1:
            return text or "(no speech was heard)"
        after = f"\n[next: transcribe({file!r}, page={page + 1})]" if page < len(found) else "\n[end]"
        return f"[page {page} of {len(found)}]\n{found[page - 1].strip()}{after}"

    async def _text(self, content: Content) -> str:
        key = content_key("transcribe", self._model, content.digest, "/".join(content.inner))
        kept = await asyncio.to_thread(self._cache.get, key) if self._cache else None
        if kept is not None:
            return kept
        data = await _bytes(content)
        kind = sound_of(data[:1024])
        if not kind:
            raise ToolError(f"{_name(content)} is no sound file of these kinds: {', '.join(SOUNDS)}. See read_file")
        if len(data) > SOUND_BYTES:
            raise ToolError(
                f"{_name(content)} has {len(data):,} bytes; up to {SOUND_BYTES:,} can be transcribed. Cut it with Python"
            )
        text = await _asked(self._hear(data, SOUNDS[kind]), self.name, self._seconds)
        if self._cache:
            await asyncio.to_thread(self._cache.put, key, text)
        return text


async def _image(content: Content, page: int) -> tuple[bytes, str]:
    """An image as providers take it, and its media type."""
    data = await _bytes(content)
    kind = kind_of(data[:1024])
    if kind not in IMAGES and kind != "pdf":
        raise ToolError(f"{_name(content)} is no image of these kinds: {', '.join(IMAGES)}. See read_file")
    if kind in _SENT and len(data) <= IMAGE_BYTES:
        return data, IMAGES[kind]
    return data_of(await ask(content, {"op": "picture", "page": page}))


async def _bytes(content: Content) -> bytes:
    """The file itself, or what its path leads to in an archive."""
    if content.inner:
        return data_of(await ask(content, {"op": "bytes"}))[0]
    content.file.seek(0)
    return await asyncio.to_thread(content.file.read)


async def _asked(answer: Awaitable[str], name: str, seconds: float) -> str:
    """What a model says within the time allowed.

    Raises:
        ToolError: nothing; the agent has to do without.
    """
    try:
        async with asyncio.timeout(seconds):
            return (await answer).strip()
    except TimeoutError:
        raise ToolError(f"{name} had no answer within {seconds:g} s; go on without it") from None
    except (ProviderError, ModelUnavailableError) as error:
        raise ToolError(f"{name} does not work here: {error}. Go on without it") from None


def _name(content: Content) -> str:
    return repr("/".join((content.name, *content.inner)))
