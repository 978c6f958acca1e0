"""`agentfly mcp-servers`: the MCP servers whose tools runs may use, and which of these are trusted."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentfly.cli import options
from agentfly.errors import ConfigError, InputError
from agentfly.store.home import MCP_PINS, MCP_SERVERS

if TYPE_CHECKING:
    from agentfly.events import Notice
    from agentfly.tools.mcp import Pins, ServerState
    from agentfly.tools.mcp.pins import Pin

app = typer.Typer(no_args_is_help=True)

Server = Annotated[str, typer.Argument(metavar="SERVER", help="Name of the server in the configuration.")]
Tool = Annotated[str | None, typer.Argument(metavar="[TOOL]", help="The server's name of one tool. Default: all.")]


@app.callback()
def mcp_servers() -> None:
    """The MCP servers whose tools runs may use, and which of these are trusted.

    Servers stand in mcp.json in the home, in the form that Claude Desktop and Cursor have. A tool is trusted as it is when
    it is first seen; when its description or its parameters change later, it is held back until you approve.

    \b
    Example:
      agentfly mcp-servers list
    """


@app.command("list")
def list_(
    mcp: options.Mcp = None,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Start the servers, and show their tools.

    Tools that are seen for the first time are trusted from then on.

    \b
    Example:
      agentfly mcp-servers list --mcp mcp.json
    """
    from agentfly.layers import load_settings
    from agentfly.tools.mcp import McpServers

    layer = options.overrides(mcp__config=mcp)
    path = options.check_settings(home, layer)
    settings = load_settings(path, layer)
    config = (settings.mcp.config or path / MCP_SERVERS).expanduser()
    if not config.is_file():
        raise ConfigError(f'no MCP servers: there is no {config}; write {{"mcpServers": {{...}}}} into it')
    from agentfly.cli.failures import say
    from agentfly.cli.text import one_line

    def tell(notice: Notice) -> None:
        say(one_line(notice.text))

    with McpServers(config, path / MCP_PINS, settings.mcp.connect_seconds, notify=tell) as servers:
        states = servers.state()
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        print_json([to_data(state) for state in states])
        return
    _draw(states)


@app.command("approve")
def approve(
    server: Server,
    tool: Tool = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    home: options.Home = None,
    debug: options.Debug = False,
) -> None:
    """Trust tools again whose description or parameters changed, after a look at what changed.

    \b
    Example:
      agentfly mcp-servers approve github create_issue
    """
    from agentfly.cli.approving import interactive
    from agentfly.cli.text import one_line

    pins = _pins(home)
    known = pins.read().get(server, {})
    held = {name: pin for name, pin in known.items() if pin.changed is not None and tool in (None, name)}
    for name, pin in held.items():
        typer.echo(one_line(f"{server}: {name}"))
        for line in _difference(pin):
            typer.echo(f"  {line}")
    if held and not yes:
        if not interactive():
            raise InputError("look at the change above, then approve with --yes")
        if not typer.confirm("Trust this?", default=False, err=True):
            raise typer.Exit(1)
    done = pins.approve(server, tool, {name: pin.changed for name, pin in held.items() if pin.changed is not None})
    missed = [name for name in held if name not in done]
    if done or not missed:
        typer.echo(one_line(f"trusted from now on: {', '.join(done)}") if done else "nothing was held back")
    if missed:
        raise InputError(f"changed again meanwhile, look once more: {', '.join(missed)}")


@app.command("forget")
def forget(
    server: Server,
    tool: Tool = None,
    home: options.Home = None,
    debug: options.Debug = False,
) -> None:
    """Drop what is known of a server's tools: whatever it offers next is trusted as on first sight.

    \b
    Example:
      agentfly mcp-servers forget github
    """
    from agentfly.cli.text import one_line

    done = _pins(home).forget(server, tool)
    typer.echo(one_line(f"forgotten: {', '.join(done)}"))


def _pins(home: Path | None) -> Pins:
    from agentfly.layers import home_path
    from agentfly.tools.mcp import Pins

    return Pins(home_path(home) / MCP_PINS)


def _difference(pin: Pin) -> Iterator[str]:
    """What changed, as lines to compare; characters that hide things are shown."""
    import json

    from agentfly.cli.text import plain

    assert pin.changed is not None
    old, new = (json.dumps(tool.data(), indent=1, sort_keys=True).splitlines() for tool in (pin.trusted, pin.changed))
    for line in list(difflib.unified_diff(old, new, lineterm="", n=1))[2:]:
        yield plain(line)


def _draw(states: Sequence[ServerState]) -> None:
    from agentfly.cli.views import console, tables

    screen = console.out()
    for state in states:
        screen.print(console.text(f"{state.name} ({state.where})", "bold"))
        if state.problem and not state.tools:
            screen.print(console.text(f"  not available: {state.problem}", "yellow"))
            continue
        rows = [
            (
                tool.tool,
                tool.name or "-",
                tool.risk or "-",
                f"held back: {tool.held} changed" if tool.held else "trusted",
            )
            for tool in state.tools
        ]
        tables.draw(screen, [tables.Column(title) for title in ("tool", "offered as", "risk", "state")], rows)
