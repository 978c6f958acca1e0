"""`agentfly memory`: the cases that are remembered."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from agentfly.cli import memory_files, memory_policy, memory_upkeep, options
from agentfly.cli.memory_bank import bank_of
from agentfly.errors import InputError

if TYPE_CHECKING:
    from agentfly.memory.filters import Filter

app = typer.Typer(no_args_is_help=True)


@app.callback()
def memory() -> None:
    """The cases that are remembered.

    \b
    Example:
      agentfly memory search "mean of a column"
    """


@app.command("stats")
def stats(home: options.Home = None, as_json: options.AsJson = False, debug: options.Debug = False) -> None:
    """Show how many cases there are, how they ended, how much they were used, and what that earned.

    \b
    Example:
      agentfly memory stats
    """
    with bank_of(home) as bank:
        found = bank.stats()
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        print_json(to_data(found) | {"success_rate": found.success_rate, "quarantined": found.quarantined})
        return
    from agentfly.cli.views import console
    from agentfly.cli.views import memory as view

    view.stats(console.out(), found)


@app.command("search")
def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for, in words.")],
    k: Annotated[int, typer.Option("-k", metavar="N", min=1, max=1000, help="How many cases at most.")] = 10,
    domain: Annotated[str | None, typer.Option("--domain", metavar="D", help="Only cases of this domain.")] = None,
    tags: Annotated[
        list[str] | None, typer.Option("--tag", metavar="T", help="Only cases with this tag; all of several.")
    ] = None,
    min_reward: Annotated[
        float | None,
        typer.Option("--min-reward", metavar="R", min=0.0, max=1.0, help="Only cases that earned so much, 0 to 1."),
    ] = None,
    days: Annotated[
        float | None, typer.Option("--days", metavar="N", help="Only cases made in the last N days.")
    ] = None,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Find cases: those that hold the text, then the most similar ones.

    \b
    Example:
      agentfly memory search "mean of a column" --domain prices --min-reward 0.5
    """
    if not query.strip():
        raise InputError('say what to look for: agentfly memory search "QUERY"')
    where = _filter(domain, tags, min_reward, days)
    with bank_of(home) as bank:
        found = bank.search(query, k, where)
        active = 0 if found else bank.count()
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        print_json([{"similarity": round(item.similarity, 4), "case": to_data(item.case)} for item in found])
        return
    from agentfly.cli.text import count
    from agentfly.cli.views import console
    from agentfly.cli.views import memory as view

    if found:
        view.found(console.out(), found)
    elif active:
        typer.echo(f"none of the {count(active, 'active case')} passes the filter")
    else:
        typer.echo("no cases yet: run tasks with feedback, or agentfly memory import FILE")


def _filter(domain: str | None, tags: list[str] | None, min_reward: float | None, days: float | None) -> Filter:
    if days is not None and not 0 < days < float("inf"):
        raise InputError(f"--days must be more than 0, not {days:g}")
    if min_reward is not None and min_reward != min_reward:
        raise InputError("--min-reward must be a number, 0 to 1")
    from agentfly.memory.filters import Filter

    since = None if days is None else time.time() - 86_400 * days
    return Filter(domain=domain, tags=tags or (), min_reward=min_reward, created_after=since)


@app.command("show")
def show(
    case_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a case, or its beginning.")],
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Show one case in full: question, working solution, answer, reward, lesson, where it comes from, its history.

    \b
    Example:
      agentfly memory show case-1a2b
    """
    with bank_of(home) as bank:
        case = bank.get(case_id)
        events = bank.events(case.id)
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        print_json(to_data(case) | {"events": [to_data(event) for event in events]})
        return
    from agentfly.cli.views import console
    from agentfly.cli.views import memory as view

    view.case(console.out(), case, events)


app.command("export")(memory_files.export)
app.command("import")(memory_files.import_)
app.command("prune")(memory_upkeep.prune)
app.command("restore")(memory_upkeep.restore)
app.command("quarantine")(memory_upkeep.quarantine)
app.command("verify")(memory_upkeep.verify)
app.command("rebuild")(memory_upkeep.rebuild)
app.add_typer(memory_policy.app, name="policy")
