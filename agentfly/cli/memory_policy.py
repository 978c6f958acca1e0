"""`agentfly memory policy`: what case selection has learned, learning it anew, and which policy would have earned most."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentfly.cli import options
from agentfly.cli.memory_bank import bank_of, bank_with_settings
from agentfly.errors import InputError

if TYPE_CHECKING:
    from agentfly.memory.selection.report import PolicyReport

app = typer.Typer(invoke_without_command=True)


@app.callback()
def policy(
    context: typer.Context,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Show the selection policy in force: what it has learned, and the record that it rests on.

    A policy chooses which of the recalled cases are shown. The setting `policy` says which one is in force.

    \b
    Example:
      agentfly memory policy
    """
    if context.invoked_subcommand is None:
        with bank_with_settings(home) as (bank, _):
            found = bank.policy_report()
        _report(found, _why(home), as_json)


def _why(home: Path | None) -> str:
    """The layer of the settings that named the policy."""
    from agentfly.layers import home_path, resolve_settings

    return resolve_settings(home_path(home))[1].get("policy", "default")


@app.command("retrain")
def retrain(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help=f"{', '.join(options.POLICIES)}. Default: the one in force."),
    ] = None,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Learn a policy anew from the whole record of what was shown and what it earned.

    \b
    Example:
      agentfly memory policy retrain episodic
    """
    home, as_json = _given(context, home, as_json)
    _check_names([name] if name else [])
    from agentfly.cli.views import console
    from agentfly.cli.views.live import Pulse

    with bank_with_settings(home) as (bank, settings), Pulse(console.err()) as pulse:
        pulse.phase(f"learning {name or settings.policy} from the record")
        found = bank.retrain(name)
    _report(found, _why(home) if found.name == settings.policy else "not in force", as_json)


@app.command("compare")
def compare(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help=f"Default: {', '.join(options.POLICIES)}.")
    ] = None,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Estimate from the record what each policy would have earned, with standard errors.

    The estimate needs choices that were left to chance: learning with `recall.temperature` above 0 makes them.

    \b
    Example:
      agentfly memory policy compare similarity episodic
    """
    home, as_json = _given(context, home, as_json)
    _check_names(names or [])
    from agentfly.cli.views import console
    from agentfly.cli.views.live import Pulse

    with bank_of(home) as bank, Pulse(console.err()) as pulse:
        pulse.phase("going through the record")
        found = bank.compare(tuple(dict.fromkeys(names))) if names else bank.compare()
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        print_json(to_data(found))
        return
    from agentfly.cli.views import policy as view

    view.comparison(console.out(), found)


def _given(context: typer.Context, home: Path | None, as_json: bool) -> tuple[Path | None, bool]:
    """The options of `policy` count for what follows it too."""
    before = context.parent.params if context.parent else {}
    return home or before.get("home"), as_json or bool(before.get("as_json"))


def _check_names(names: list[str]) -> None:
    for name in names:
        if name not in options.POLICIES:
            raise InputError(f"unknown selection policy {name!r}; known: {', '.join(options.POLICIES)}")


def _report(found: PolicyReport, why: str, as_json: bool) -> None:
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        print_json(to_data(found) | {"layer": why})
        return
    from agentfly.cli.views import console
    from agentfly.cli.views import policy as view

    view.report(console.out(), found, why)
