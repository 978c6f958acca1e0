"""The command tree. Each module here imports little; a command loads what it needs when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from agentfly.cli import bench, chat, config, doctor, learn, mcp, mcp_servers, memory, playbook, run, runs
from agentfly.cli.options import Debug

app = typer.Typer(
    name="agentfly",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(value: bool) -> None:
    if value:
        from agentfly import __version__

        typer.echo(f"agentfly {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
    debug: Debug = False,
) -> None:
    """An agent that gets better with every task it does: it keeps cases and a playbook, and changes no weights.

    \b
    Start with:
      agentfly run "What is the mean of the price column?" --file prices.csv
    """


app.command("run")(run.run)
app.command("chat")(chat.chat)
app.command("learn")(learn.learn)
app.command("mcp")(mcp.mcp)
app.add_typer(bench.app, name="bench")
app.add_typer(memory.app, name="memory")
app.add_typer(playbook.app, name="playbook")
app.add_typer(runs.app, name="runs")
app.add_typer(mcp_servers.app, name="mcp-servers")
app.command("doctor")(doctor.doctor)
app.add_typer(config.app, name="config")
