"""Which of the tools that a server lists can be offered, and as what. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agentfly.tools.mcp.definitions import Definition, canonical
from agentfly.tools.mcp.schemas import usable
from agentfly.tools.mcp.text import clean

MOST_TOOLS = 128
"""Of one server; providers take about as many in one request."""
LARGEST_LISTING = 400_000
"""Characters of all definitions of one server as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """One tool that can be offered."""

    definition: Definition
    description: str
    """Cleaned."""
    schema: dict[str, Any]
    """Cleaned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sifted:
    """What came of a listing."""

    tools: tuple[Offered, ...] = ()
    notes: tuple[str, ...] = ()
    """What was left out or taken out, a line each."""


def sift(listed: Iterable[Definition], unusable: Iterable[str] = ()) -> Sifted:
    """Take from a listing what can be offered.

    Args:
        listed: in the server's order; of two tools with one name the first is taken.
        unusable: why others were left out already.
    """
    tools: dict[str, Offered] = {}
    refused, hidden, twice, more = list(unusable), [], [], 0
    size = 0
    for tool in listed:
        if tool.name in tools:
            twice.append(tool.name)
            continue
        if len(tools) >= MOST_TOOLS:
            more += 1
            continue
        try:
            offered, found = _offered(tool)
            size += len(canonical(tool.data()))
        except (ValueError, RecursionError) as error:
            refused.append(f"{tool.name[:80]}: {error or 'its schema is nested too deeply'}")
            continue
        if size > LARGEST_LISTING:
            more += 1
            continue
        tools[tool.name] = offered
        if found:
            hidden.append(tool.name)
    notes = []
    if refused:
        notes.append(f"{_few(refused, '; ')} (left out)")
    if twice:
        notes.append(f"two tools of one name, the first is taken: {_few(sorted(set(twice)))}")
    if more:
        notes.append(f"it lists too many tools: {len(tools)} are offered, {more:,} are left out")
    if hidden:
        notes.append(f"hidden text was taken out of what it says about {_few(hidden)}")
    return Sifted(tools=tuple(tools.values()), notes=tuple(notes))


def _offered(tool: Definition) -> tuple[Offered, bool]:
    schema, hidden = usable(tool.schema)
    description, found = clean(tool.description)
    return Offered(definition=tool, description=description, schema=schema), hidden or found


def _few(items: list[str], between: str = ", ") -> str:
    """The first of many."""
    more = len(items) - 5
    return between.join(items[:5]) + (f"{between}and {more} more" if more > 0 else "")
