"""`agentfly memory`: the cases that are remembered."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentfly.cli import options
from agentfly.cli.home import opened
from agentfly.errors import InputError

if TYPE_CHECKING:
    from agentfly.memory.bank import CaseBank
    from agentfly.memory.health import BankStats

app = typer.Typer(no_args_is_help=True)


@app.callback()
def memory() -> None:
    """The cases that are remembered.

    \b
    Example:
      agentfly memory search "mean of a column"
    """


@contextlib.contextmanager
def _bank(home: Path | None) -> Iterator[CaseBank]:
    with opened(home) as place:
        from agentfly.memory.bank import CaseBank

        with CaseBank(place) as bank:
            yield bank


@app.command("stats")
def stats(home: options.Home = None, as_json: options.AsJson = False, debug: options.Debug = False) -> None:
    """Show how many cases there are, how they ended, and how much they were used.

    \b
    Example:
      agentfly memory stats
    """
    with _bank(home) as bank:
        found = bank.stats()
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        print_json(to_data(found) | {"success_rate": found.success_rate})
        return
    _draw_stats(found)


@app.command("search")
def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for, in words.")],
    k: Annotated[int, typer.Option("-k", metavar="N", min=1, max=1000, help="How many cases at most.")] = 10,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Find cases: those that hold the text, then the most similar ones.

    \b
    Example:
      agentfly memory search "mean of a column"
    """
    if not query.strip():
        raise InputError('say what to look for: agentfly memory search "QUERY"')
    with _bank(home) as bank:
        found = bank.search(query, k)
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        print_json([{"similarity": round(item.similarity, 4), "case": to_data(item.case)} for item in found])
        return
    from agentfly.cli.views import console, tables

    if found:
        tables.found(console.out(), found)
    else:
        typer.echo("no cases yet: run tasks with feedback")


@app.command("show")
def show(
    case_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a case, or its beginning.")],
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Show one case in full: question, working solution, answer, reward, lesson.

    \b
    Example:
      agentfly memory show case-1a2b
    """
    with _bank(home) as bank:
        case = bank.get(case_id)
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        print_json(to_data(case))
        return
    from agentfly.cli.views import console, tables

    tables.case(console.out(), case)


def _draw_stats(found: BankStats) -> None:
    from rich.text import Text

    from agentfly.cli.text import count
    from agentfly.cli.views import blocks, console, tables

    screen = console.out()
    active = found.by_status.get("active", 0)
    others = ", ".join(f"{number:,} {status}" for status, number in found.by_status.items() if status != "active")
    judged = f", {found.judged:,} judged, mean reward {found.mean_reward:.2f}" if found.mean_reward is not None else ""
    index = "not needed yet" if not found.index.count else count(found.index.count, "case")
    pairs = [
        ("cases", f"{active:,} active" + (f", {others}" if others else "")),
        ("solved", blocks.share(found.successes, active) if active else None),
        ("shown", f"{count(found.shown, 'time')}{judged}"),
        ("domains", ", ".join(f"{name} {number:,}" for name, number in found.by_domain.items())),
        ("embedder", found.embedder),
        ("index", index + (f" ({found.index.problem})" if found.index.problem else "")),
    ]
    tables.card(screen, pairs)
    if found.most_shown:
        screen.print(Text("\nshown most", style="bold"))
        columns = (
            tables.Column("case"), tables.Column("shown", right=True), tables.Column("mean reward", right=True),
            tables.Column("question", flexible=True),
        )  # fmt: skip
        rows = [
            (case.id, f"{case.shown}", f"{case.helped / case.shown:.2f}", tables.short(case.question, 200))
            for case in found.most_shown
        ]
        tables.draw(screen, columns, rows)
