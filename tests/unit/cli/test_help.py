"""Help is quick, whole, and what the docs say."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
HEAVY = [
    "rich",
    "asyncio",
    "pydantic",
    "yaml",
    "numpy",
    "litellm",
    "chromadb",
    "langgraph",
    "onnxruntime",
    "agentfly.agent",
    "agentfly.config",
    "agentfly.layers",
]
HELP = f"""
import sys
from agentfly.cli.main import run_cli
code = run_cli(sys.argv[1:])
print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""


def commands() -> list[str]:
    import typer

    from agentfly.cli.app import app
    from agentfly.cli.helpdoc import pages

    return [path for path, _ in pages(typer.main.get_command(app), "agentfly")]


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help_with_an_example(agentfly: Callable[..., Any], command: str) -> None:
    done = agentfly(*command.split()[1:], "--help")
    assert done.code == 0
    assert done.out.startswith(f"Usage: {command} ")
    assert "\n    agentfly " in done.out
    assert "TODO" not in done.out


def test_the_contract_of_commands() -> None:
    known = set(commands())
    for command in (
        "run", "chat", "memory stats", "memory search", "memory show", "memory export", "memory import",
        "memory prune", "memory verify", "memory rebuild", "memory policy", "playbook show", "playbook history",
        "playbook export", "playbook import", "playbook apply", "playbook edit",
        "runs list", "runs show", "doctor", "config show", "learn", "bench score",
    ):  # fmt: skip
        assert f"agentfly {command}" in known


def test_help_loads_nothing_heavy_and_takes_no_time() -> None:
    took = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", HELP, "--help"], capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert done.stderr == "[]\n"
    assert min(took) < 0.4  # of the processor, since other tests may run beside this one


def test_the_docs_are_up_to_date() -> None:
    from agentfly.cli.helpdoc import document

    assert (ROOT / "docs/cli.md").read_text(encoding="utf-8") == document(), "run python -m agentfly.cli.helpdoc"


def test_help_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from agentfly.cli.helpdoc import document

    plain = document()
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert document() == plain


@pytest.mark.parametrize("arguments", [[], ["memory"], ["playbook"], ["runs"], ["config"]])
def test_no_command_shows_the_help(agentfly: Callable[..., Any], arguments: list[str]) -> None:
    done = agentfly(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: agentfly")


@pytest.mark.parametrize("arguments", [["bogus"], ["memory", "bogus"], ["--bogus"], ["runs", "list", "-n", "0"]])
def test_a_usage_error_is_one_line(agentfly: Callable[..., Any], arguments: list[str]) -> None:
    done = agentfly(*arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith("agentfly: ")
    assert "--help`" in done.err


def test_version(agentfly: Callable[..., Any]) -> None:
    import agentfly as package

    assert agentfly("--version").out == f"agentfly {package.__version__}\n"
