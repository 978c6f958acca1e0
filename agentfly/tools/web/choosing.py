"""Which search engine is used: the first that is configured."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from agentfly.errors import ConfigError
from agentfly.tools.web.engines import Searxng, Serper, Tavily
from agentfly.tools.web.metasearch import Ddgs, installed
from agentfly.tools.web.searching import SearchEngine

_ORDER = ("searxng", "tavily", "serper", "ddgs")


def choose_engine(
    search: str, searxng: str | None, environ: Mapping[str, str], *, seconds: float = 15.0
) -> SearchEngine | None:
    """The search engine to use.

    Args:
        search: ``auto``, or an engine's name.
        searxng: address of a SearxNG instance.
        environ: the environment, with the keys.
        seconds: of one try.

    Returns:
        None where it is ``auto`` and none can be used.

    Raises:
        ConfigError: an engine was named that cannot be used, or the address is none.
    """
    names = _ORDER if search == "auto" else (search,)
    for name in names:
        engine = _engine(name, searxng, environ, seconds)
        if engine is not None:
            return engine
    if search == "auto":
        return None
    raise ConfigError(f"tools.search is {search}, but {_NEEDS.get(search, 'there is no such engine')}")


_NEEDS = {
    "searxng": "tools.searxng is not set: give it the address of an instance",
    "tavily": "TAVILY_API_KEY is not set in the environment",
    "serper": "SERPER_API_KEY is not set in the environment",
    "ddgs": "it is not installed: run pip install 'agentfly-framework[web]'",
}


def _engine(name: str, searxng: str | None, environ: Mapping[str, str], seconds: float) -> SearchEngine | None:
    if name == "searxng" and searxng:
        return Searxng(_checked(searxng), seconds=seconds)
    if name == "tavily" and (key := environ.get("TAVILY_API_KEY", "").strip()):
        return Tavily(_printable(key, "TAVILY_API_KEY"), seconds=seconds)
    if name == "serper" and (key := environ.get("SERPER_API_KEY", "").strip()):
        return Serper(_printable(key, "SERPER_API_KEY"), seconds=seconds)
    if name == "ddgs" and installed():
        return Ddgs(seconds=min(seconds, 10.0))
    return None


def _checked(address: str) -> str:
    text = address.strip()
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment:
        raise ConfigError(
            f"tools.searxng is {'no address' if '@' in text else repr(text)}: give the address of an instance, as in http://localhost:8888"
        )
    return text


def _printable(key: str, name: str) -> str:
    """A key that a header can carry; the message does not show it."""
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"{name} holds characters that no key has: copy it again")
    return key
