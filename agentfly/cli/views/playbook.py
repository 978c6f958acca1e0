"""The playbook's bullets with their evidence, its changes and its history, for a person."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.text import Text

from agentfly.cli import playbook_evidence
from agentfly.cli.text import one_line, shorten
from agentfly.cli.views import blocks, tables
from agentfly.cli.views.console import text

_LEGEND = "lift: what runs earn more with a bullet than runs that left it out by chance alone"

if TYPE_CHECKING:
    from agentfly.cli.playbook_evidence import Evidence
    from agentfly.playbooks.changes import Change
    from agentfly.playbooks.credit import Credit
    from agentfly.playbooks.playbook import Playbook
    from agentfly.playbooks.rows import Revision
    from agentfly.types import Bullet


def evidence(screen: Console, book: Playbook, kind: str | None, known: Evidence) -> None:
    """Each bullet with what the record says that it is worth; all, or those of one kind."""
    for part in tables.playbook(book, kind, lambda bullet: _worth(screen, bullet, known)):
        screen.print(part)
    if any(kind in (None, bullet.kind) for bullet in book.bullets):
        screen.print(text(_LEGEND, "dim"))


def _worth(screen: Console, bullet: Bullet, known: Evidence) -> RenderableType:
    """A bullet as a block: what it says, where it comes from, what it is worth."""
    credit, origin = known.credit(bullet), known.origins.get(bullet.id)
    head = text(bullet.id, "bold").append("  ")
    head.append(f"+{bullet.helpful}", style="not bold green").append(f" -{bullet.harmful}", style="not bold red")
    head.append(f"  {playbook_evidence.in_words(bullet, origin)}", style="not bold dim")
    lines = [playbook_evidence.exposure(credit, bullet.kind)]
    if bullet.kind == "check":
        standing = origin.standing if origin else None
        then = (
            f"when admitted: {playbook_evidence.measured(standing)}" if standing else "came in without being measured"
        )
        lines = [then, f"since: {playbook_evidence.questions(credit.asked)}", *lines]
        said: RenderableType = blocks.code(bullet.text, "check")
    else:
        said = text("  " + shorten(bullet.text, max(40, screen.width - 2)))
    return Group(head, said, *(_hanging(screen, line, by=2) for line in lines), _lift(screen, bullet, credit))


def _lift(screen: Console, bullet: Bullet, credit: Credit) -> RenderableType:
    found = credit.lift
    if found is None:
        return _hanging(screen, f"lift not known: {playbook_evidence.unknown(bullet, credit)}", "dim", by=2)
    style = "green" if found.low > 0 else "red" if found.high < 0 else "yellow"
    return _hanging(screen, playbook_evidence.effect(found), style, by=2)


def _hanging(screen: Console, line: str, style: str = "", *, by: int) -> Text:
    """A line that is wrapped to the console with all of it indented."""
    wrapped = fill(
        line, screen.width, initial_indent=" " * by, subsequent_indent=" " * (by + 2), break_on_hyphens=False
    )
    return text(wrapped, style)


def changes(screen: Console, items: Iterable[Change]) -> None:
    """One line for each bullet that differs."""
    for change in items:
        style = "green" if change.before is None else "red" if change.after is None else "yellow"
        screen.print(text(str(change), style))


def merges(screen: Console, items: Iterable[tuple[Sequence[str], Bullet]]) -> None:
    """One line for each merge: which bullets, and what came of them."""
    for ids, bullet in items:
        line = f"merged {' + '.join(ids)} into [{bullet.id}]: {shorten(bullet.text, 200)}"
        screen.print(_hanging(screen, line, "yellow", by=0))


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
            screen.print(_hanging(screen, one_line(item.reason), by=2))
        for change in item.changes:
            screen.print(_hanging(screen, one_line(str(change)), "green" if change.after else "red", by=2))
        if not item.accepted:
            _proposed(screen, item)
        for ground in playbook_evidence.grounds(item.evidence):
            screen.print(_hanging(screen, ground, "dim", by=4))


def _proposed(screen: Console, item: Revision) -> None:
    """What a dropped change would have done."""
    for operation in json.loads(item.delta).get("operations", ()):
        said = one_line(str(operation.get("text") or operation.get("id") or operation.get("ids") or ""))
        screen.print(_hanging(screen, f"{operation.get('op')}: {said}", "dim", by=2))
