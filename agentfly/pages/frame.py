"""The frame of every page: one HTML file that fetches nothing, follows light and dark, and shows what is not ours as text."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentfly.errors import InputError
from agentfly.pages.text import shorten, visible
from agentfly.replacing import replace_file

if TYPE_CHECKING:
    from jinja2 import Environment


def page(template: str, title: str, **values: Any) -> str:
    """Fill in a page.

    Args:
        template: file in `templates` that extends ``frame.html``.
        title: of the page.
        values: what the template names. Text is escaped; markup of our own comes as `markupsafe.Markup`.

    Raises:
        jinja2.UndefinedError: the template names a value that was not given.
    """
    return _environment().get_template(template).render(title=title, **values)


def write_page(path: Path, html: str) -> None:
    """Write a page, so that a reader finds the old one or the new, never half of one.

    Raises:
        InputError: it cannot be written there.
    """
    try:
        replace_file(path, html)
    except OSError as error:
        raise InputError(f"cannot write the page {path}: {error.strerror or error}") from None


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    def finalized(value: object) -> object:
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    made = Environment(
        loader=FunctionLoader(_source), autoescape=True, undefined=StrictUndefined, finalize=finalized,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    script = _source("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # The browser runs this script and no other, and fetches nothing.
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    made.globals |= {"policy": policy, "script": Markup(script), "style": Markup(_source("page.css"))}  # noqa: S704
    made.filters["shorten"] = shorten
    return made


def _source(name: str) -> str:
    return files(__name__.rpartition(".")[0]).joinpath("templates", name).read_text(encoding="utf-8")
