"""The web tools that can work with the settings there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from agentfly.protocols import Tool
from agentfly.tools.paging import CHARS
from agentfly.tools.toolbox import FunctionTool
from agentfly.tools.web.choosing import choose_engine
from agentfly.tools.web.extracting import installed
from agentfly.tools.web.reading import Pages
from agentfly.tools.web.searching import Searches

if TYPE_CHECKING:
    from agentfly.config import ToolSettings
    from agentfly.tools.caching import ContentCache
    from agentfly.tools.web.documents import Convert
    from agentfly.tools.web.fetching import Fetcher


def web_tools(
    settings: ToolSettings,
    environ: Mapping[str, str],
    cache: ContentCache | None = None,
    *,
    convert: Convert | None = None,
    fetcher: Fetcher | None = None,
    page_chars: int = CHARS,
) -> list[Tool]:
    """`fetch_page` where the packages that read HTML are installed, `search_web` where a search engine can be used.

    Args:
        settings: which engine, and how long a call may take.
        environ: holds the keys of search engines.
        cache: keeps the text of documents.
        convert: makes Markdown of PDF and other documents; without it they are refused.
        fetcher: another one, for tests.
        page_chars: characters of one part of a long page.

    Raises:
        ConfigError: the settings name a search engine that cannot be used.
    """
    tools: list[Tool] = []
    if installed():
        pages = Pages(fetcher, convert=convert, cache=cache, seconds=settings.seconds, chars=page_chars)
        tools.append(FunctionTool(pages.fetch_page, risk="network", origin="web"))
    engine = choose_engine(settings.search, settings.searxng, environ, seconds=min(15.0, settings.seconds / 3))
    if engine is not None:
        searches = Searches(engine, seconds=settings.seconds)
        tools.append(FunctionTool(searches.search_web, risk="network", origin="web"))
    return tools
