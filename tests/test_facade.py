"""`import agentfly` gives the public names and does nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import agentfly

PROMISED = {"Agent", "Task", "Feedback", "CaseBank", "Playbook", "Delta", "tool", "Plan", "Budget", "load_dataset"}
HEAVY = {
    "litellm",
    "langgraph",
    "langchain_core",
    "chromadb",
    "onnxruntime",
    "tokenizers",
    "xllamacpp",
    "numpy",
    "pandas",
    "rich",
    "typer",
    "pydantic",
    "sqlite3",
}


def fresh(program: str, cwd: Path, **env: str) -> Any:
    """What a new interpreter prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_promised_names_are_there() -> None:
    assert set(agentfly.__all__) >= PROMISED


@pytest.mark.parametrize("name", agentfly.__all__)
def test_every_name_can_be_had_and_is_listed(name: str) -> None:
    assert getattr(agentfly, name) is not None
    assert name in dir(agentfly)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Agnet'"):
        agentfly.Agnet  # noqa: B018


def test_names_are_sorted_and_unique() -> None:
    assert len(set(agentfly.__all__)) == len(agentfly.__all__)
    assert sorted(agentfly.__all__, key=str.lower) == sorted(set(agentfly.__all__), key=str.lower)


def test_the_version_is_that_of_the_distribution() -> None:
    assert agentfly.__version__ == version("agentfly-framework")


def test_importing_loads_nothing_heavy_and_makes_nothing(tmp_path: Path) -> None:
    program = "import json, sys, agentfly; print(json.dumps(sorted(m.split('.')[0] for m in sys.modules)))"
    loaded = set(fresh(program, tmp_path, AGENTFLY_HOME=str(tmp_path / "home"), HOME=str(tmp_path)))
    assert loaded & HEAVY == set()
    assert list(tmp_path.iterdir()) == []


def test_records_cost_no_more_than_the_standard_library(tmp_path: Path) -> None:
    program = "import json, sys; from agentfly import Task, Feedback; print(json.dumps(sorted(m.split('.')[0] for m in sys.modules)))"
    assert set(fresh(program, tmp_path)) & HEAVY == set()
