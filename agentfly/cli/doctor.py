"""`agentfly doctor`: what works on this machine, and how to mend what does not."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from agentfly.cli import options

if TYPE_CHECKING:
    from pathlib import Path

    from agentfly.cli.checks import Check


def doctor(
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend what can be mended: fetch weights, rebuild the index.")
    ] = False,
    model: options.ModelName = None,
    home: options.Home = None,
    set_: options.Sets = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Check what works on this machine, and say how to mend the rest.

    Looks at Python, packages, the model, the embedder, the sandbox, the home and its index.

    Exit status: 0 when agentfly can be used, with or without warnings; 1 otherwise.

    \b
    Example:
      agentfly doctor --fix
    """
    layer = options.overrides(set_, model=model)
    path = options.check_settings(home, layer)
    checks = _for_programs(path, layer, fix) if as_json else _for_people(path, layer, fix)
    raise typer.Exit(1 if any(check.state == "fail" for check in checks) else 0)


def _for_programs(home: Path, layer: dict[str, object], fix: bool) -> list[Check]:
    from agentfly.cli.checks import Patient, examine
    from agentfly.cli.streams import reserved_stdout
    from agentfly.layers import load_settings

    with reserved_stdout() as put:
        patient = Patient(home, load_settings(home, layer), fix, lambda notice: None)
        found = [check() for _, check in examine(patient)]
        usable = all(check.state != "fail" for check in found)
        put({"ok": usable, "checks": [dataclasses.asdict(check) for check in found]})
    return found


def _for_people(home: Path, layer: dict[str, object], fix: bool) -> list[Check]:
    from rich.table import Table
    from rich.text import Text

    from agentfly.cli.checks import Patient, examine
    from agentfly.cli.views import console
    from agentfly.cli.views.live import Pulse
    from agentfly.layers import load_settings

    screen = console.out()
    found: list[Check] = []
    marks = {"ok": ("ok", "green"), "warn": ("warn", "yellow"), "fail": ("fail", "bold red")}
    with Pulse(screen) as pulse:
        patient = Patient(
            home, load_settings(home, layer), fix,
            lambda notice: pulse.progress(notice.text, *notice.progress) if notice.progress else None,
        )  # fmt: skip
        for name, check in examine(patient):
            pulse.phase(f"checking {name}")
            found.append(check())
            mark, style = marks[found[-1].state]
            grid = Table.grid(padding=(0, 1))
            for width in (4, 8):
                grid.add_column(min_width=width, no_wrap=True)
            grid.add_column()
            grid.add_row(Text(mark, style=style), Text(name, style="bold"), console.text(found[-1].detail))
            if found[-1].mend:
                grid.add_row("", "", Text("→ ", style="cyan").append_text(console.text(found[-1].mend, "cyan")))
            screen.print(grid)
    return found
