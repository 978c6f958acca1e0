"""The tools that come with agentfly, and which of them are offered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from agentfly.errors import ConfigError
from agentfly.protocols import Tool
from agentfly.tools.paging import CHARS

if TYPE_CHECKING:
    from agentfly.config import ToolSettings
    from agentfly.tools.caching import ContentCache
    from agentfly.tools.media import Hear, Look

NAMES = ("read_file", "list_files", "fetch_page", "search_web", "ask_image", "transcribe")
"""Every built-in tool besides ``python``, which is a strategy's own."""


def builtin_tools(
    settings: ToolSettings,
    environ: Mapping[str, str],
    cache: ContentCache,
    *,
    look: Look | None = None,
    hear: Hear | None = None,
    page_chars: int = CHARS,
) -> list[Tool]:
    """Those that are asked for; with ``auto`` those that can work here.

    Args:
        settings: which, and their limits.
        environ: holds the keys of search engines.
        cache: keeps what files and pages were converted to.
        look: asks a model about an image; None where no model here sees.
        hear: asks a model what is said in a recording; None where none hears.
        page_chars: characters of one page of a long text.

    Raises:
        ConfigError: a name that is no tool's, or a tool that cannot work here was asked for by name.
    """
    if settings.builtin == "none":
        return []
    wanted = NAMES if settings.builtin == "auto" else settings.builtin
    if unknown := [name for name in wanted if name not in NAMES]:
        raise ConfigError(f"there is no built-in tool {unknown[0]!r}; known: {', '.join(NAMES)}")
    found = [
        *_files(settings, cache, look, hear, page_chars, wanted),
        *_web(settings, environ, cache, wanted, page_chars),
    ]
    made = {tool.name: tool for tool in found}
    missing = [name for name in wanted if name not in made]
    if missing and settings.builtin != "auto":
        raise ConfigError(f"the tool {missing[0]} cannot work here: {_MEND[missing[0]]}")
    return [made[name] for name in wanted if name in made]


_INSTALL = "pip install 'agentfly-framework[web]'"
_MEND = {  # files can always be read
    "fetch_page": _INSTALL,
    "search_web": f"set tools.searxng, TAVILY_API_KEY or SERPER_API_KEY, or {_INSTALL}",
    "ask_image": "set tools.vision to a model that sees images",
    "transcribe": "set tools.speech to a model that transcribes, such as openai/whisper-1",
}


def _files(
    settings: ToolSettings,
    cache: ContentCache,
    look: Look | None,
    hear: Hear | None,
    page_chars: int,
    wanted: tuple[str, ...],
) -> list[Tool]:
    from agentfly.tools.documents.listing import ListFiles
    from agentfly.tools.documents.reading import ReadFile
    from agentfly.tools.media import AskImage, Transcribe

    eyes = AskImage(look, seconds=settings.seconds) if look is not None else None
    ears = None
    if hear is not None:
        ears = Transcribe(hear, cache, model=settings.speech or "", seconds=settings.seconds, page_chars=page_chars)
    reader = ReadFile(
        cache,
        images=eyes.ask_image if eyes is not None and "ask_image" in wanted else None,
        sounds=ears.transcribe if ears is not None and "transcribe" in wanted else None,
        page_chars=page_chars,
    )
    found: list[Tool | None] = [reader, ListFiles(), eyes, ears]
    return [tool for tool in found if tool is not None]


def _web(
    settings: ToolSettings,
    environ: Mapping[str, str],
    cache: ContentCache,
    wanted: tuple[str, ...],
    page_chars: int,
) -> list[Tool]:
    if not {"fetch_page", "search_web"} & set(wanted):
        return []
    from agentfly.tools.documents.converting import as_text
    from agentfly.tools.web.offer import web_tools

    return web_tools(settings, environ, cache, convert=as_text, page_chars=page_chars)
