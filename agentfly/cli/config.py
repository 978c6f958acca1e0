"""`agentfly config`: every setting, and where its value comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from agentfly.cli import options

app = typer.Typer(no_args_is_help=True)

DEFAULT = "default"


@app.callback()
def config() -> None:
    """Every setting, and where its value comes from.

    Four layers, the later ones winning: defaults, config.yaml in the home, AGENTFLY_ variables, arguments.

    \b
    Example:
      agentfly config show
    """


@app.command("show")
def show(
    set_: options.Sets = None,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Show each setting with the layer its value came from.

    Put settings into config.yaml in the home (limits.steps: 10), or into the environment (AGENTFLY_LIMITS__STEPS=10).

    \b
    Example:
      agentfly config show --home research
    """
    from agentfly.layers import resolve_settings

    layer = options.overrides(set_)
    path = options.check_settings(home, layer)
    settings, origin = resolve_settings(path, layer)
    values = flat(settings.model_dump(mode="json"))
    if as_json:
        from agentfly.cli.streams import print_json

        print_json({key: {"value": value, "layer": origin.get(key, DEFAULT)} for key, value in values.items()})
        return

    from rich.text import Text

    from agentfly.cli.views import console, tables

    screen = console.out()
    screen.print(console.text(f"home {path}" + ("" if path.is_dir() else " (not made yet)"), "dim"))
    rows = []
    for key, value in values.items():
        source = origin.get(key, DEFAULT)
        style = "dim" if source == DEFAULT else "green"
        rows.append((key, console.text(_shown(value)), Text(_short(source, str(path)), style=style)))
    tables.draw(screen, (tables.Column("setting"), tables.Column("value", flexible=True), tables.Column("from")), rows)


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted key."""
    out: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            out.update(flat(value, f"{prefix}{key}."))
        else:
            out[prefix + key] = value
    return out


def _shown(value: Any) -> str:
    return "-" if value is None else str(value)


def _short(source: str, home: str) -> str:
    return source.removeprefix(home + "/")
