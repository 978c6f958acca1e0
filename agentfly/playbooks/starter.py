"""Starter playbooks: short lists of strategies that come with the package and are loaded only on request."""

from __future__ import annotations

import re
from importlib.resources import files

from agentfly.errors import InputError
from agentfly.playbooks.delta import Add, Delta

_FOLDER = "starters"


def starter_names() -> tuple[str, ...]:
    """Names that `load_starter` takes."""
    folder = files("agentfly.playbooks") / _FOLDER
    return tuple(sorted(item.name.removesuffix(".md") for item in folder.iterdir() if item.name.endswith(".md")))


def load_starter(name: str) -> Delta:
    """A starter playbook as a delta that adds its bullets.

    Raises:
        InputError: there is none of that name.
    """
    if name not in starter_names():
        raise InputError(f"there is no starter playbook {name!r}; known: {', '.join(starter_names())}")
    text = (files("agentfly.playbooks") / _FOLDER / f"{name}.md").read_text(encoding="utf-8")
    return Delta(reason=f"starter playbook {name}", operations=tuple(parse_markdown(text)))


def parse_markdown(text: str) -> list[Add]:
    """Bullets written by hand: ``## section`` headings with ``- text`` items; an indented line continues an item.

    Lines of any other form are for the reader and left out.
    """
    found, section = list[Add](), ""
    for line in text.splitlines():
        if heading := re.fullmatch(r"##\s+(.+)", line):
            section = heading[1].strip()
        elif item := re.fullmatch(r"- (.+)", line):
            found.append(Add(section=section, text=item[1].strip()))
        elif found and re.match(r"\s+\S", line):
            found[-1] = found[-1].model_copy(update={"text": f"{found[-1].text} {line.strip()}"})
    return found
