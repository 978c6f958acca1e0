"""Writes docs/cli.md from the help of every command: ``python -m agentfly.cli.helpdoc [--check] [FILE]``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from agentfly.cli.app import app

TARGET = Path("docs/cli.md")
WIDTH = 80

HEAD = """# Commands

Generated from the program's own help by `python -m agentfly.cli.helpdoc`; a test holds it up to date.

| exit status | meaning |
|---|---|
| 0 | done |
| 1 | the task failed, or its answer was judged wrong |
| 2 | something for you to put right: usage, a setting, a file, the home, the model |
| 130 | interrupted |

Errors are one line on standard error; `--debug` adds the traceback. `--json` prints JSON on standard output and nothing
else. Colours and moving parts appear on a terminal only; `NO_COLOR` turns colours off.
"""


def document() -> str:
    """The whole page."""
    parts = [HEAD]
    for path, text in pages(typer.main.get_command(app), "agentfly"):
        parts.append(f"## {path}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def pages(command: Any, name: str, parent: Any = None) -> Iterator[tuple[str, str]]:
    """(command path, help) of a command and all below it, in the order of the help."""
    context = command.context_class(
        command,
        info_name=name,
        parent=parent,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        **command.context_settings,
    )
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines()).strip()
    yield context.command_path, text
    for child in getattr(command, "commands", {}):
        yield from pages(command.commands[child], child, context)


def main(arguments: list[str]) -> int:
    """Write the page, or compare it."""
    paths = [Path(argument) for argument in arguments if argument != "--check"]
    target = paths[0] if paths else TARGET
    if "--check" in arguments:
        current = target.is_file() and target.read_text(encoding="utf-8") == document()
        if not current:
            print(f"{target} is out of date: run python -m agentfly.cli.helpdoc", file=sys.stderr)  # noqa: T201
        return 0 if current else 1
    target.write_text(document(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
