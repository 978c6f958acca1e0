"""`agentfly runs`: the record of what was done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentfly.cli import options
from agentfly.cli.home import opened
from agentfly.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from agentfly.store.runs import AttemptRecord, RunRecord, RunSummary
    from agentfly.types import Pending

WHICH = ("all", "none")
app = typer.Typer(no_args_is_help=True)


@app.callback()
def runs() -> None:
    """The record of every run.

    \b
    Example:
      agentfly runs list
    """


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="How many, newest first.")] = 20,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """List runs, the newest first.

    \b
    Example:
      agentfly runs list -n 5
    """
    from agentfly.store.runs import RunStore

    with opened(home) as place:
        store = RunStore(place.db)
        items, total = store.recent(limit), store.count()
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        print_json([to_data(item) for item in items])
        return
    _draw_list(items, total)


@app.command("show")
def show_run(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a run, or its beginning.")],
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Show one run: its attempts step by step, its feedback, and what was learned.

    \b
    Example:
      agentfly runs show 20260131-1415
    """
    from agentfly.nodes.permission import undecided
    from agentfly.store.journal import JournalStore
    from agentfly.store.runs import WAITING, RunStore

    with opened(home) as place:
        record = RunStore(place.db).show(run_id)
        calls = undecided(JournalStore(place.db), record.id) if record.status == WAITING else ()
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        print_json(to_data(record))
        return
    _draw_run(record)
    _draw_waiting(calls)


@app.command("resume")
def resume_run(
    run_id: Annotated[
        str, typer.Argument(metavar="ID", help="Id of a run that was interrupted or waits, or its beginning.")
    ],
    approve: Annotated[
        str | None,
        typer.Option("--approve", metavar="WHICH", help="Calls that wait, and later ones: all, none. Default: ask."),
    ] = None,
    model: options.ModelName = None,
    unsafe_code: options.UnsafeCode = False,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Go on with a run that was interrupted or killed, or that waits for permission.

    It has the settings that it began with. Model calls that were paid for are not made again.

    \b
    Example:
      agentfly runs resume 20260131-1415 --approve all
    """
    from agentfly.cli.approving import say_waiting, settle
    from agentfly.cli.run import contract, status
    from agentfly.cli.session import Session
    from agentfly.cli.streams import print_json
    from agentfly.cli.views import console
    from agentfly.cli.views.run import RunView

    if approve not in (None, *WHICH):
        raise InputError(f"--approve {approve}: it is all or none; leave it out to be asked")
    folder, run_id, begun_with = _begun_with(home, run_id)
    layer = options.overrides(model=model, unsafe_code=unsafe_code or None)
    with (
        RunView(console.out(), console.err(), quiet=as_json) as view,
        Session(folder, {**begun_with, **layer}, view) as session,
    ):
        decide = None if approve is None else lambda call: approve == "all"
        result = session.wait(session.agent.aresume(run_id, approve=decide, on_event=view))
        result = settle(session, result, view, going_on=view.going_on)
    if as_json:
        print_json(contract(result))
    if result.status == "waiting":
        say_waiting(result, folder)
    raise typer.Exit(status(result))


def _begun_with(home: Path | None, given: str) -> tuple[Path, str, dict[str, Any]]:
    """The home's folder, the whole id of a run, and the settings that it began with.

    Whether code may run without a sandbox is for the person to say again.
    """
    from agentfly.store.runs import RunStore

    with opened(home) as place:
        record = RunStore(place.db).show(given)
        return place.path, record.id, {key: value for key, value in record.settings.items() if key != "unsafe_code"}


def _draw_list(items: list[RunSummary], total: int) -> None:
    from agentfly.cli.text import count
    from agentfly.cli.views import blocks, console, tables

    screen = console.out()
    if not items:
        screen.print("no runs yet")
        return
    column = tables.Column
    columns = (
        column("run"), column(""), column("question", flexible=True), column("answer", 60), column("status", 84),
        column("tokens", 70, right=True), column("model", 110), column("when", 92),
    )  # fmt: skip
    rows = [
        (item.id, blocks.outcome(item.reward), tables.short(item.question, 200), tables.short(item.answer, 20),
         item.status.replace("_", " "), f"{item.usage.tokens:,}", tables.short(item.model, 24),
         tables.when(item.started))
        for item in items
    ]  # fmt: skip
    tables.draw(screen, columns, rows)
    if total > len(items):
        screen.print(console.text(f"{len(items)} of {count(total, 'run')}; -n shows more", "dim"))


def _draw_run(record: RunRecord) -> None:
    from agentfly.cli.text import count, money, seconds
    from agentfly.cli.views import blocks, console, tables

    screen, usage = console.out(), record.usage
    tables.card(
        screen,
        [
            ("run", record.id),
            ("question", record.question),
            ("files", ", ".join(file.name for file in record.task.files)),
            ("reference", record.task.reference),
            ("status", record.status.replace("_", " ") + (f": {record.reason}" if record.reason else "")),
            ("answer", record.answer),
            ("when", tables.when(record.started)),
            ("model", f"{record.model} · {record.strategy}" + (f" · sandbox {record.sandbox}" if record.sandbox else "")),
            ("cases shown", ", ".join(record.shown_cases)),
            ("bullets shown", ", ".join(record.shown_bullets)),
            ("usage", f"{count(usage.calls, 'call')} · {usage.prompt_tokens:,} tokens in · {usage.completion_tokens:,} out · "
                      f"{seconds(usage.seconds)} · {money(usage.cost_usd)}"),
        ],
    )  # fmt: skip
    for trial in record.trials:
        _draw_attempt(screen, trial)
    screen.print(blocks.learned(record.learned))


def _draw_waiting(calls: Sequence[Pending]) -> None:
    from agentfly.cli.views import approval, console

    for number, call in enumerate(calls, start=1):
        console.out().print(approval.call(call, number, len(calls)))


def _draw_attempt(screen: Console, record: AttemptRecord) -> None:
    from rich.rule import Rule
    from rich.text import Text

    from agentfly.cli.text import one_line
    from agentfly.cli.views import blocks
    from agentfly.cli.views.run import answer

    title = "attempt" if record.number == 0 else f"further attempt {record.number}"
    if record.attempt.mended is not None:
        title = f"repaired: {one_line(record.attempt.mended.said)}"
    screen.print(Rule(Text(title), align="left", style="bright_black"))
    for step in record.attempt.steps:
        for part in blocks.step(step, whole=True):
            screen.print(part)
    screen.print(answer(record.attempt))
    if record.attempt.origins:
        screen.print(blocks.origins(record.attempt))
    if record.feedback is not None:
        screen.print(blocks.feedback(record.feedback))
