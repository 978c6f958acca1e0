"""`agentfly mcp`: the agent as tools of other agents."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentfly.cli import options
from agentfly.errors import ConfigError, InputError

if TYPE_CHECKING:
    from agentfly.agent import Agent
    from agentfly.events import Event
    from agentfly.mcpserver.server import Terms
    from agentfly.mcpserver.shared import SharedAgent

TOKEN = "AGENTFLY_MCP_TOKEN"  # noqa: S105  the name of the variable


def mcp(
    home: options.Home = None,
    model: options.ModelName = None,
    strategy: options.Strategy = None,
    root: Annotated[
        list[Path] | None,
        typer.Option(
            "--root",
            metavar="DIR",
            help="Folder that files may be attached from; several may be given. Default: the folders that the client "
            "has open, else the current one.",
        ),
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Offer recall and playbook alone: no runs, nothing learned.")
    ] = False,
    http: Annotated[
        str | None,
        typer.Option(
            "--http",
            metavar="[HOST:]PORT",
            help="Serve over HTTP instead of standard input and output; on 127.0.0.1 unless a host is given. Clients "
            f"send a token: ${TOKEN}, else a new one that is printed once.",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="With --http: a further name that clients reach this server by, such as a proxy's.",
        ),
    ] = None,
    set_: options.Sets = None,
    debug: options.Debug = False,
) -> None:
    """Offer run, recall, playbook and learn to other agents over MCP (Claude Desktop, Cursor and the like).

    \b
    Example:
      agentfly mcp --home research --root ~/data
    """
    token = os.environ.pop(TOKEN, None)  # out of reach of what runs here
    layer = options.overrides(set_, model=model, strategy=strategy)
    if allow_host and http is None:
        raise ConfigError("--allow-host goes with --http: on standard input and output there is nobody else to let in")
    roots = tuple(_folder(path) for path in root or ())
    place = options.check_settings(home, layer)
    if read_only:
        options.existing_home(home)
    from agentfly.mcpserver.server import Terms, require_sdk

    require_sdk()
    terms = Terms(read_only=read_only, roots=roots, own_client=http is None)
    if http is None:
        _serve(lambda agent: _stdio(agent, terms), place, layer)
    else:
        work = _over_http(http, terms, token, tuple(allow_host or ()))
        _serve(work, place, layer)


def _folder(path: Path) -> Path:
    path = path.expanduser().absolute()
    if not path.is_dir():
        raise InputError(f"--root {path}: there is no such folder")
    return path


def _serve(
    transport: Callable[[SharedAgent], Coroutine[Any, Any, None]], home: Path, settings: Mapping[str, Any]
) -> None:
    import asyncio

    from agentfly.cli.interrupt import guard
    from agentfly.mcpserver.shared import SharedAgent

    async def serve() -> None:
        async with SharedAgent(lambda: _agent(home, settings)) as agent:
            await transport(agent)

    with asyncio.Runner() as runner:
        guard.run(runner, serve())


def _agent(home: Path, settings: Mapping[str, Any]) -> Agent:
    from agentfly.cli.session import make_agent

    return make_agent(home, settings, _note)


def _note(event: Event) -> None:
    from agentfly.cli.failures import say
    from agentfly.cli.text import one_line
    from agentfly.events import Notice

    if isinstance(event, Notice) and event.progress is None:
        say(one_line(event.text))


async def _stdio(agent: SharedAgent, terms: Terms) -> None:
    from agentfly.mcpserver import stdio
    from agentfly.mcpserver.server import build

    await stdio.serve(build(agent, terms))


def _over_http(
    http: str, terms: Terms, token: str | None, hosts: tuple[str, ...]
) -> Callable[[SharedAgent], Coroutine[Any, Any, None]]:
    import secrets

    from agentfly.cli.failures import say
    from agentfly.mcpserver.http import Access, Address, serve
    from agentfly.mcpserver.server import build

    address = Address.parse(http)
    access = Access(token=token or secrets.token_urlsafe(32), hosts=hosts)

    def announce(url: str) -> None:
        say(f"serving at {url}")
        say(f"token: ${TOKEN}" if token else f"token: {access.token}")
        if not address.loopback:
            say("other machines can connect, and what is sent is not encrypted: put a TLS proxy in front")

    async def work(agent: SharedAgent) -> None:
        await serve(build(agent, terms), address, access, announce)

    return work
