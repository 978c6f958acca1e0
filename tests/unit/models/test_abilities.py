"""Which models are known to call functions."""

from __future__ import annotations

import subprocess
import sys

import pytest

from agentfly.models.abilities import calls_functions
from agentfly.models.choose import DEFAULTS


@pytest.mark.parametrize(
    "name", [*DEFAULTS.values(), "openai/gpt-4.1", "anthropic/claude-sonnet-4-5", "ollama_chat/llama3.1"]
)
def test_those_that_do(name: str) -> None:
    assert calls_functions(name)


@pytest.mark.parametrize(
    "name",
    [
        "embedded",
        "scripted",
        "",
        "/",
        "openai/",
        "openai/my-own-thing",
        "ollama_chat/my-own",
        "openrouter/a/b",
        "a/b/c/d",
    ],
)
def test_those_of_which_nobody_knows(name: str) -> None:
    assert not calls_functions(name)


def test_the_usual_ones_are_known_without_a_provider_library() -> None:
    script = "import sys; from agentfly.models.abilities import calls_functions as f; f('embedded'), f('openai/gpt-5-mini'), f('x')"
    code = f"{script}; sys.exit('litellm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
