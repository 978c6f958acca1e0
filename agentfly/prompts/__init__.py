"""Prompts as package data, rendered strictly: a variable that is missing is an error, never an empty space."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template


def render(name: str, **variables: Any) -> str:
    """Fill in a prompt.

    Args:
        name: file in this package, without ``.md``.
        variables: what the prompt names.

    Raises:
        LookupError: there is no such prompt.
        jinja2.UndefinedError: the prompt names a variable that was not given.
    """
    return _template(name).render(**variables).strip()


@cache
def _template(name: str) -> Template:
    from importlib.resources import files

    from jinja2 import Environment, StrictUndefined

    source = files(__name__).joinpath(f"{name}.md")
    if not name.replace("_", "").isalnum() or not source.is_file():
        raise LookupError(f"there is no prompt named {name!r}")
    # Nothing is escaped: prompts are text for a model, not markup for a browser.
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701
    return environment.from_string(source.read_text(encoding="utf-8"))
