"""`agentfly playbook refine`: near-duplicates merged when a person asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentfly.cli import options
from agentfly.cli.playbook_home import ledger_with_settings, retired, say_leftovers
from agentfly.errors import InputError

if TYPE_CHECKING:
    from agentfly.playbooks.changes import Change
    from agentfly.playbooks.history import Committed
    from agentfly.types import Bullet


def refine(
    similar: Annotated[
        float | None,
        typer.Option(
            "--similar", metavar="X", help="Cosine from which on two bullets say the same; default: playbook.similar."
        ),
    ] = None,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Merge bullets that say nearly the same now, instead of when the budget is nearly used up.

    The most useful one gives the text; their counts are added up. Checks are left alone, and so is what differs in
    a number, a negation or a word such as first and last.

    \b
    Example:
      agentfly playbook refine --similar 0.85
    """
    if similar is not None and not 0 < similar <= 1:
        raise InputError(f"--similar {similar:g}: a cosine, above 0 and at most 1")
    if similar is None and _is_off(home):
        raise InputError("playbook.similar is off: give --similar X")
    with ledger_with_settings(home, similar=similar) as ledger:
        done = ledger.refine()
    if as_json:
        _print(done)
    elif done.accepted:
        _say(done)
    else:
        typer.echo(f"nothing to merge: the playbook stays at version {done.version}")


def _is_off(home: Path | None) -> bool:
    """Whether the settings have nothing merged."""
    path = options.existing_home(home)
    from agentfly.layers import load_settings

    return load_settings(path).playbook.similar is None


def merges(changes: Iterable[Change]) -> list[tuple[tuple[str, ...], Bullet]]:
    """What was merged into what: ids, and the bullet that came of them. A merge takes its bullets out, then adds one."""
    found: list[tuple[tuple[str, ...], Bullet]] = []
    gone: list[str] = []
    for change in changes:
        if change.after is None:
            gone.append(change.id)
        elif change.before is None:
            found.append((tuple(gone), change.after))
            gone = []
    return found


def _print(done: Committed) -> None:
    from agentfly.cli.streams import print_json
    from agentfly.records import to_data

    print_json(
        {
            "version": done.version,
            "accepted": done.accepted,
            "bullets": len(done.playbook),
            "merged": [{"ids": ids, "into": to_data(bullet)} for ids, bullet in merges(done.changes)],
            "retired": [change.id for change in retired(done)],
        }
    )


def _say(done: Committed) -> None:
    from agentfly.cli.text import count
    from agentfly.cli.views import console, playbook

    typer.echo(f"the playbook is at version {done.version} ({count(len(done.playbook), 'bullet')})")
    playbook.merges(console.out(), merges(done.changes))
    say_leftovers(done)
