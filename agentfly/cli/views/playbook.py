"""Changes of the playbook and its history, for a person."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from agentfly.cli.text import one_line
from agentfly.cli.views import tables
from agentfly.cli.views.console import text

if TYPE_CHECKING:
    from agentfly.playbooks.changes import Change
    from agentfly.playbooks.rows import Revision


def changes(screen: Console, items: Iterable[Change]) -> None:
    """One line for each bullet that differs."""
    for change in items:
        style = "green" if change.before is None else "red" if change.after is None else "yellow"
        screen.print(text(str(change), style))


def history(screen: Console, items: Sequence[Revision]) -> None:
    """Kept and dropped changes, newest first."""
    if not items:
        screen.print("no changes yet")
    for item in items:
        name, style = (f"version {item.version}", "bold magenta") if item.accepted else ("dropped", "yellow")
        line = Text(name, style)
        about = [tables.when(item.created), f"by {item.author}", f"run {item.run}" if item.run else ""]
        line.append("  " + " · ".join(filter(None, about)), style="not bold dim")
        screen.print(line)
        if item.reason:
            screen.print(text(f"  {one_line(item.reason)}"))
        for change in item.changes:
            screen.print(text(f"  {change}", "green" if change.after else "red"))
        if not item.accepted:
            _proposed(screen, item)


def _proposed(screen: Console, item: Revision) -> None:
    """What a dropped change would have done."""
    for operation in json.loads(item.delta).get("operations", ()):
        said = one_line(str(operation.get("text") or operation.get("id") or operation.get("ids") or ""))
        screen.print(text(f"  {operation.get('op')}: {said}", "dim"))
