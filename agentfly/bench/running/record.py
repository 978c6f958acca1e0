"""What is put on record of a benchmark run: all that its results depend on, and what somebody needs who wants to repeat it."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import agentfly
from agentfly.bench.configuration import configuration
from agentfly.bench.datasets import Dataset
from agentfly.bench.results import selected
from agentfly.bench.running.plan import Plan
from agentfly.bench.running.redacting import redacted
from agentfly.config import Settings
from agentfly.records import to_data

_PACKAGES = ("langgraph", "langchain-core", "litellm", "chromadb", "pydantic", "xllamacpp", "onnxruntime", "ray")
_GIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """What is known of the agent before it works."""

    model: str
    why: str
    """Why that model was taken."""
    strategy: str
    sandbox: str
    """The tier that code runs in here; empty where none does."""
    scorer: str
    home: str | None
    """Hash over what was learned before; None where that is nothing."""
    source: Path | None
    """Where it was learned."""


def on_record(
    dataset: Dataset, plan: Plan, settings: Settings, agent: Agent, notes: Sequence[str] = ()
) -> dict[str, Any]:
    """The configuration as it is written down, see `agentfly.bench.configuration`.

    Args:
        dataset: with the selected tasks in the order in which they are worked on.
        plan: how they are run.
        settings: the agent's.
        agent: what is known of it.
        notes: what a reader of the results should know.
    """
    decides = {
        "dataset": {"name": dataset.name, "hash": dataset.hash},
        "tasks": [to_data(task) for task in selected(dataset.tasks)],
        "mode": plan.mode,
        "attempts": plan.attempts,
        "order": plan.order,
        "critique": plan.critique,
        "seed": plan.seed,
        "model": agent.model,
        "strategy": agent.strategy,
        "scorer": agent.scorer,
        "home": agent.home,
        "agentfly": agentfly.__version__,
        "prompts": prompts_hash(),
        "settings": redacted(settings.model_dump(mode="json")),
    }
    about = {
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "model_why": agent.why,
        "sandbox": agent.sandbox,
        "home": None if agent.source is None else str(agent.source),
        "dataset": str(dataset.folder),
        "concurrency": plan.concurrency,
        "retries": plan.retries,
        "executor": plan.executor,
        "cache": None if plan.cache is None else str(plan.cache),
        "notes": list(notes),
        "code": code_state(),
        "versions": versions(),
        "command": redacted(sys.argv),
    }
    return configuration(decides, redacted(about))


def prompts_hash() -> str:
    """SHA-256 over all prompts that come with agentfly, with their names."""
    digest = hashlib.sha256()
    for file in sorted((Path(agentfly.__file__).parent / "prompts").glob("*.md")):
        if file.name != "README.md":
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def versions() -> dict[str, Any]:
    """Of Python, the system, agentfly and what it stands on."""
    found = {"agentfly": agentfly.__version__, "python": platform.python_version(), "system": platform.platform()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found | {"machine": platform.machine(), "processors": str(os.cpu_count())}


def code_state() -> Mapping[str, Any] | None:
    """The commit of agentfly's own code and whether it was changed since; None where it is installed without its history."""
    folder = Path(agentfly.__file__).parent
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit or not _git(folder, "ls-files", "--", "__init__.py"):
        return None  # no repository, or somebody else's that it happens to lie in
    changed = _git(folder, "status", "--porcelain", "--", ".")
    return {"commit": commit, "dirty": None if changed is None else bool(changed)}


def _git(folder: Path, *arguments: str) -> str | None:
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=_GIT_SECONDS, check=True,
            env=environ,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
