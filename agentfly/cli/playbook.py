"""`agentfly playbook`: the strategies that were learned, how they came to be, and the way back."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentfly.cli import options
from agentfly.cli.home import opened

if TYPE_CHECKING:
    from agentfly.playbooks.changes import Change
    from agentfly.playbooks.ledger import PlaybookLedger
    from agentfly.playbooks.rows import Revision

app = typer.Typer(no_args_is_help=True)

Version = Annotated[
    int | None, typer.Option("--version", metavar="N", min=0, help="As it was at this version; 0 is the empty one.")
]


@app.callback()
def playbook() -> None:
    """The strategies that were learned, how they came to be, and the way back.

    \b
    Example:
      agentfly playbook show
    """


@contextlib.contextmanager
def _ledger(home: Path | None) -> Iterator[PlaybookLedger]:
    with opened(home) as place:
        from agentfly.playbooks.ledger import PlaybookLedger

        yield PlaybookLedger(place.db, place.path / "playbook.md")


@app.command("show")
def show(
    version: Version = None,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Show the bullets with their ids and how often each helped or harmed.

    \b
    Example:
      agentfly playbook show --version 3
    """
    with _ledger(home) as ledger:
        book = ledger.current() if version is None else ledger.at(version)
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        bullets = [to_data(bullet) for bullet in book.bullets]
        print_json({"version": book.version, "tokens": book.tokens, "bullets": bullets})
        return
    from agentfly.cli.views import console, tables

    screen = console.out()
    for part in tables.playbook(book):
        screen.print(part)


@app.command("history")
def history(
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="How many, newest first.")] = 20,
    kept: Annotated[bool, typer.Option("--kept", help="Leave out changes that a gate dropped.")] = False,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """List the changes, newest first: kept ones with their version, dropped ones with the reason.

    \b
    Example:
      agentfly playbook history -n 5
    """
    with _ledger(home) as ledger:
        items = ledger.history(limit, dropped=not kept)
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        print_json([to_data(item) | {"delta": json.loads(item.delta)} for item in items])
        return
    _draw_history(items)


@app.command("diff")
def diff(
    older: Annotated[int, typer.Argument(metavar="A", min=0, help="A version.")],
    newer: Annotated[int, typer.Argument(metavar="B", min=0, help="Another version.")],
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Show what turned version A into version B.

    \b
    Example:
      agentfly playbook diff 3 7
    """
    with _ledger(home) as ledger:
        changes = ledger.diff(older, newer)
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        print_json([to_data(change) for change in changes])
        return
    _draw_changes(changes)


@app.command("rollback")
def rollback(
    version: Annotated[int, typer.Argument(metavar="VERSION", min=0, help="The version to go back to; 0 is empty.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the history.")] = "",
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Make the playbook as it was at a version. This is a new version: nothing in between is forgotten.

    \b
    Example:
      agentfly playbook rollback 3
    """
    with _ledger(home) as ledger:
        done = ledger.rollback(version, reason)
    if as_json:
        from agentfly.cli.streams import print_json

        print_json({"version": done.version, "changed": done.accepted, "bullets": len(done.playbook)})
        return
    from agentfly.cli.text import count

    if done.accepted:
        typer.echo(f"the playbook is as it was at version {version}, now as version {done.version}")
        _draw_changes(done.changes)
    else:
        typer.echo(f"the playbook is already as it was at version {version} ({count(len(done.playbook), 'bullet')})")


def _draw_changes(changes: tuple[Change, ...]) -> None:
    from agentfly.cli.views import console

    screen = console.out()
    if not changes:
        screen.print("no difference")
    for change in changes:
        style = "green" if change.before is None else "red" if change.after is None else "yellow"
        screen.print(console.text(str(change), style))


def _draw_history(items: list[Revision]) -> None:
    from rich.text import Text

    from agentfly.cli.text import one_line
    from agentfly.cli.views import console, tables

    screen = console.out()
    if not items:
        screen.print("no changes yet")
    for item in items:
        line = Text(
            f"version {item.version}" if item.accepted else "dropped", "bold magenta" if item.accepted else "yellow"
        )
        about = [tables.when(item.created), f"by {item.author}", f"run {item.run}" if item.run else ""]
        line.append("  " + " · ".join(filter(None, about)), style="not bold dim")
        screen.print(line)
        if item.reason:
            screen.print(console.text(f"  {one_line(item.reason)}"))
        for change in item.changes:
            screen.print(console.text(f"  {change}", "green" if change.after else "red"))
        if not item.accepted:
            for operation in json.loads(item.delta).get("operations", ()):
                said = one_line(str(operation.get("text") or operation.get("id") or operation.get("ids") or ""))
                screen.print(console.text(f"  {operation.get('op')}: {said}", "dim"))
