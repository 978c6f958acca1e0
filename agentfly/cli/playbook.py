"""`agentfly playbook`: the strategies that were learned, how they came to be, and the way back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentfly.cli import options, playbook_edit, playbook_files, playbook_refine
from agentfly.cli.playbook_home import ledger_of
from agentfly.errors import InputError

if TYPE_CHECKING:
    from agentfly.playbooks.changes import Change

KINDS = ("strategy", "example", "check")

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


@app.command("show")
def show(
    version: Version = None,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="K", help=f"Only bullets of one kind: {', '.join(KINDS)}.")
    ] = None,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="With what the record of runs says that each is worth.")
    ] = False,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Show the bullets with their ids and how often each helped or harmed.

    With --evidence also what each is worth: runs with it and runs that left it out by chance, the lift between the two,
    and how often the answers that a check asked another look at were wrong.

    \b
    Example:
      agentfly playbook show --kind check --evidence
    """
    if kind not in (None, *KINDS):
        raise InputError(f"--kind {kind}: there is {', '.join(KINDS)}")
    if evidence:
        if version is not None:
            raise InputError("--evidence speaks of the playbook as it is now: leave --version out")
        _show_evidence(home, kind, as_json)
        return
    with ledger_of(home) as ledger:
        book = ledger.current() if version is None else ledger.at(version)
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        bullets = [to_data(bullet) for bullet in book.bullets if kind in (None, bullet.kind)]
        print_json({"version": book.version, "tokens": book.tokens, "bullets": bullets})
        return
    from agentfly.cli.views import console, tables

    screen = console.out()
    for part in tables.playbook(book, kind):
        screen.print(part)


def _show_evidence(home: Path | None, kind: str | None, as_json: bool) -> None:
    from agentfly.cli import playbook_evidence

    book, known = playbook_evidence.gather(home)
    bullets = [bullet for bullet in book.bullets if kind in (None, bullet.kind)]
    if as_json:
        from agentfly.cli.streams import print_json

        listed = [playbook_evidence.as_data(bullet, known) for bullet in bullets]
        print_json({"version": book.version, "tokens": book.tokens, "bullets": listed})
        return
    from agentfly.cli.views import console
    from agentfly.cli.views import playbook as view

    view.evidence(console.out(), book, kind, known)


@app.command("history")
def history(
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="How many, newest first.")] = 20,
    kept: Annotated[bool, typer.Option("--kept", help="Leave out changes that a gate dropped.")] = False,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """List the changes, newest first: kept ones with their version, dropped ones with the reason; and what each rests on.

    \b
    Example:
      agentfly playbook history -n 5
    """
    with ledger_of(home) as ledger:
        items = ledger.history(limit, dropped=not kept)
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        print_json([to_data(item) | {"delta": json.loads(item.delta)} for item in items])
        return
    from agentfly.cli.views import console
    from agentfly.cli.views import playbook as view

    view.history(console.out(), items)


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
    with ledger_of(home) as ledger:
        changes = ledger.diff(older, newer)
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        print_json([to_data(change) for change in changes])
        return
    if not changes:
        typer.echo("no difference")
    _draw(changes)


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
    with ledger_of(home) as ledger:
        done = ledger.rollback(version, reason)
    if as_json:
        from agentfly.cli.streams import print_json

        print_json({"version": done.version, "changed": done.accepted, "bullets": len(done.playbook)})
        return
    from agentfly.cli.text import count

    if done.accepted:
        typer.echo(f"the playbook is as it was at version {version}, now as version {done.version}")
        _draw(done.changes)
    else:
        typer.echo(f"the playbook is already as it was at version {version} ({count(len(done.playbook), 'bullet')})")


def _draw(changes: Iterable[Change]) -> None:
    from agentfly.cli.views import console
    from agentfly.cli.views import playbook as view

    view.changes(console.out(), changes)


app.command("refine")(playbook_refine.refine)
app.command("apply")(playbook_files.apply)
app.command("export")(playbook_files.export)
app.command("import")(playbook_files.import_)
app.command("edit")(playbook_edit.edit)
