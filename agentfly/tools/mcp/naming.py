"""Names under which the tools of servers are offered: ``server__tool``. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

LONGEST = 63
"""Characters of a whole name; one less than providers take, since code puts an underscore before a leading digit."""
LONGEST_PREFIX = 24
SEPARATOR = "__"


def prefixes(servers: Iterable[str]) -> dict[str, str]:
    """For each server the first part of its tools' names.

    A prefix holds no separator and does not end in a part of one, so that no two servers can ever offer one name, and no
    name is that of a built-in tool. Hyphen and underscore count as one character, because in code they become one.
    """
    found: dict[str, str] = {}
    for server in servers:
        wanted = re.sub(r"[-_]{2,}", "_", re.sub(r"[^A-Za-z0-9-]+", "_", server)).strip("-_")
        wanted = wanted[:LONGEST_PREFIX].rstrip("-_") or "server"
        found[server] = _free(wanted, server, {_same(name) for name in found.values()}, LONGEST_PREFIX + 7)
    return found


def tool_names(prefix: str, tools: Iterable[str]) -> dict[str, str]:
    """For each tool of one server the name under which it is offered: unique, of ``A-Za-z0-9_-``, at most `LONGEST` long."""
    found: dict[str, str] = {}
    for tool in tools:
        cleaned = re.sub(r"[^A-Za-z0-9_-]+", "_", tool).strip("_") or "tool"
        wanted = f"{prefix}{SEPARATOR}{cleaned}"
        taken = {_same(name) for name in found.values()}
        fits = len(wanted) <= LONGEST and (cleaned != "tool" or tool == "tool")
        found[tool] = _free(wanted, tool, taken, LONGEST) if fits else _marked(wanted, tool, LONGEST)
        while _same(found[tool]) in taken:
            found[tool] = _marked(wanted, tool + found[tool], LONGEST)
    return found


def _free(wanted: str, original: str, taken: set[str], longest: int) -> str:
    name, seed = wanted, original
    while _same(name) in taken:
        name, seed = _marked(wanted, seed, longest), seed + "+"
    return name


def _marked(wanted: str, original: str, longest: int) -> str:
    """A name that a hash of the original tells from others."""
    mark = hashlib.sha256(original.encode(errors="surrogatepass")).hexdigest()[:6]
    return f"{wanted[: longest - 7]}_{mark}"


def _same(name: str) -> str:
    return name.replace("-", "_").lower()
