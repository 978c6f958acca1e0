"""A call that waits for a person's permission, drawn so that nothing in it can act on the terminal or hide."""

from __future__ import annotations

import json
from typing import Any

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agentfly.cli.text import count, plain, shorten
from agentfly.types import Pending

LINES, CHARS = 12, 1200
"""Most that is shown of one argument."""
_RISKS = {
    "write": "changes something",
    "execute": "runs a program",
    "network": "reaches the network",
}


def call(pending: Pending, number: int, total: int) -> Panel:
    """The tool, what it may do, and its arguments.

    Args:
        pending: the call.
        number: of the question, from 1.
        total: how many calls wait.
    """
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")  # nothing is cut off: what is folded in the middle says so
    grid.add_row("tool", Text(plain(pending.tool), style="bold"))
    if pending.description:
        grid.add_row("", Text(shorten(pending.description, 200), style="dim"))
    grid.add_row("risk", Text(f"{plain(pending.risk)}: {_RISKS.get(pending.risk, 'not known')}", style="yellow"))
    if pending.origin:
        grid.add_row("brings", Text(f"content from {plain(pending.origin)}"))
    for name, value in pending.arguments.items():
        grid.add_row(plain(shorten(name, 40)), argument(value))
    title = "permission" if total == 1 else f"permission {number} of {total}"
    return Panel(grid, title=title, title_align="left", border_style="yellow", padding=(0, 1))


def argument(value: Any) -> Text:
    """One argument, as text or JSON; the middle of a long one is folded, and how much of it is said."""
    told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    lines = plain(told).split("\n")
    hidden_lines = max(0, len(lines) - LINES)
    if hidden_lines:
        half = LINES // 2
        lines = [*lines[:half], f"… {count(hidden_lines, 'line')} folded …", *lines[-half:]]
    shown = "\n".join(lines)
    if len(shown) > CHARS:
        half = CHARS // 2
        shown = f"{shown[:half]} … {count(len(shown) - 2 * half, 'character')} folded … {shown[-half:]}"
    return Text(shown or '""')
