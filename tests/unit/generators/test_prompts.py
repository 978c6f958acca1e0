"""Prompts are rendered strictly."""

from __future__ import annotations

import contextlib
from importlib.resources import files

import jinja2
import pytest

from agentfly.prompts import render


def test_fills_in() -> None:
    text = render("codeact", tools=["search(query: string)"], marking="", instructions="", playbook="Rule one.")
    assert "- search(query: string)" in text
    assert text.endswith("Rule one.")
    assert "learned" not in render("codeact", tools=[], marking="", instructions="", playbook="")


def test_values_are_not_templates() -> None:
    assert "{{ 7 * 7 }} & <b>" in render("codeact", tools=[], marking="", instructions="", playbook="{{ 7 * 7 }} & <b>")


def test_a_missing_variable_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="playbook"):
        render("codeact", tools=[], marking="", instructions="")


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
