"""Prompts are rendered strictly."""

from __future__ import annotations

import contextlib
from importlib.resources import files

import jinja2
import pytest

from agentfly.prompts import render


def test_fills_in() -> None:
    text = render(
        "codeact", tools=["search(query: string)"], marking="", files=True, instructions="", playbook="Rule one."
    )
    assert "- search(query: string)" in text
    assert text.endswith("Rule one.")
    assert "learned" not in render("codeact", tools=[], marking="", files=True, instructions="", playbook="")


@pytest.mark.parametrize(("name", "more"), [("codeact", {"tools": []}), ("tools", {"python": True})])
def test_files_are_spoken_of_only_where_there_are_some(name: str, more: dict[str, object]) -> None:
    """Told of files where there are none, a small model reads some that it made up."""
    with_files, without = (
        render(name, marking="", files=files, instructions="", playbook="", **more) for files in (True, False)
    )
    assert "open them by name" in with_files
    assert "No files" not in with_files
    assert "No files come with the task" in without
    assert "open them" not in without


def test_values_are_not_templates() -> None:
    assert "{{ 7 * 7 }} & <b>" in render(
        "codeact", tools=[], marking="", files=True, instructions="", playbook="{{ 7 * 7 }} & <b>"
    )


def test_a_missing_variable_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="playbook"):
        render("codeact", tools=[], marking="", files=True, instructions="")


@pytest.mark.parametrize("name", ["nothing", "../errors", "", "codeact.md"])
def test_an_unknown_prompt_is_an_error(name: str) -> None:
    with pytest.raises(LookupError, match="no prompt"):
        render(name)


def test_every_prompt_compiles() -> None:
    names = [path.name.removesuffix(".md") for path in files("agentfly.prompts").iterdir() if path.name.endswith(".md")]
    assert "codeact" in names
    for name in names:
        with contextlib.suppress(
            jinja2.UndefinedError
        ):  # most need variables; a mistake in the template is another error
            render(name)
