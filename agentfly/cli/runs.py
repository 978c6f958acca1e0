"""`agentfly runs`: the record of what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agentfly.cli import options
from agentfly.cli.home import opened

if TYPE_CHECKING:
    from rich.console import Console

    from agentfly.store.runs import AttemptRecord, RunRecord, RunSummary

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
    from agentfly.store.runs import RunStore

    with opened(home) as place:
        record = RunStore(place.db).show(run_id)
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        print_json(to_data(record))
        return
    _draw_run(record)


@app.command("resume")
def resume_run(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a run that was interrupted, or its beginning.")],
    model: options.ModelName = None,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Go on with a run that was interrupted or killed, after the last step of the loop that it finished.

    \b
    Example:
      agentfly runs resume 20260131-1415
    """
    from agentfly.cli.run import contract, status
    from agentfly.cli.session import Session
    from agentfly.cli.streams import print_json
    from agentfly.cli.views import console
    from agentfly.cli.views.run import RunView

    layer = options.overrides(model=model)
    with opened(home) as place:
        folder = place.path
    with (
        RunView(console.out(), console.err(), quiet=as_json) as view,
        Session(folder, layer, view) as session,
    ):
        result = session.wait(session.agent.aresume(run_id, on_event=view))
    if as_json:
        print_json(contract(result))
    raise typer.Exit(status(result))


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


def _draw_attempt(screen: Console, record: AttemptRecord) -> None:
    from rich.rule import Rule

    from agentfly.cli.views import blocks
    from agentfly.cli.views.run import answer

    title = "attempt" if record.number == 0 else f"further attempt {record.number}"
    screen.print(Rule(title, align="left", style="bright_black"))
    for step in record.attempt.steps:
        for part in blocks.step(step, whole=True):
            screen.print(part)
    screen.print(answer(record.attempt))
    if record.feedback is not None:
        screen.print(blocks.feedback(record.feedback))
