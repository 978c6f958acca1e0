"""`agentfly memory` commands that keep a bank in order: prune, restore, quarantine, verify, rebuild."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentfly.cli import options
from agentfly.cli.memory_bank import bank_of, bank_with_settings

if TYPE_CHECKING:
    from agentfly.memory.health import Health
    from agentfly.types import CaseStatus

Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of cases, or their beginnings.")]


def prune(
    capacity: Annotated[
        int | None,
        typer.Option("--capacity", metavar="N", help="How many may stay. Default: the setting memory.capacity."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Take the least useful cases out of recall until at most N are active. Nothing is deleted.

    Kinds of tasks keep their share, and the last case of a kind always stays.

    \b
    Example:
      agentfly memory prune --capacity 5000 --dry-run
    """
    with bank_with_settings(home) as (bank, _):
        done = bank.prune(capacity, dry_run=dry_run)
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        print_json(to_data(done))
        return
    from agentfly.cli.views import console
    from agentfly.cli.views import memory as view

    view.pruned(console.out(), done)


def restore(
    ids: Ids,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for its history.")] = "asked for",
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Bring pruned, superseded or quarantined cases back into recall.

    \b
    Example:
      agentfly memory restore case-1a2b case-3c4d
    """
    _change(home, ids, "active", reason, as_json)


def quarantine(
    ids: Ids,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for its history.")] = "asked for",
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Keep cases out of recall until they are restored, or a trusted outcome confirms them.

    \b
    Example:
      agentfly memory quarantine case-1a2b --reason "came from a page that lies"
    """
    _change(home, ids, "quarantined", reason, as_json)


def _change(home: Path | None, given: list[str], status: CaseStatus, reason: str, as_json: bool) -> None:
    with bank_of(home) as bank:
        before = {case.id: case for case in [bank.get(one) for one in given]}  # all of them are there, or none changes
        for id in before:
            bank.set_status(id, status, reason=reason)
    if as_json:
        from agentfly.cli.streams import print_json

        print_json([{"id": case.id, "was": case.status, "status": status} for case in before.values()])
        return
    from agentfly.cli.text import one_line

    for case in before.values():
        now = f"was {case.status} already" if case.status == status else f"{case.status} → {status}"
        typer.echo(f"{one_line(case.id)}  {now}")


def verify(home: options.Home = None, as_json: options.AsJson = False, debug: options.Debug = False) -> None:
    """Check the cases, their embeddings, and the index against them.

    Exit status: 0 when all is well, 1 otherwise.

    \b
    Example:
      agentfly memory verify
    """
    with bank_of(home) as bank:
        found = bank.verify()
    _report(found, as_json)


def rebuild(home: options.Home = None, as_json: options.AsJson = False, debug: options.Debug = False) -> None:
    """Embed anew what another embedder embedded, and build the index from the cases. Nothing is lost.

    Exit status: 0 when all is well afterwards, 1 otherwise.

    \b
    Example:
      agentfly memory rebuild
    """
    from agentfly.cli.views import console
    from agentfly.cli.views.live import Pulse

    with bank_of(home) as bank, Pulse(console.err()) as pulse:
        pulse.phase(f"building the index over {bank.count():,} cases")
        found = bank.rebuild()
    _report(found, as_json)


def _report(found: Health, as_json: bool) -> None:
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        print_json({"ok": found.ok} | to_data(found))
    else:
        from agentfly.cli.views import console
        from agentfly.cli.views import memory as view

        view.health(console.out(), found)
    raise typer.Exit(0 if found.ok else 1)
