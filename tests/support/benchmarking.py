"""Benchmark runs against a faulty provider, in this process or in one of their own, with a sandbox that only pretends.

    python benchmarking.py nursery

forks processes of the command line, as it is but for the sandbox and the embedder, see `Nursery`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

SETTINGS = {
    "strategy": "codeact",
    "tools.builtin": "none",
    "limits.steps": 2,
    "learning.strategies": False,
    "learning.checks": False,
    "gate": "always",
}


def write_tasks(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """A dataset of JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def results(out: Path) -> list[dict[str, Any]]:
    """The results of a folder, as they stand there."""
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def events(out: Path) -> list[str]:
    """What happened to a run."""
    return [json.loads(line)["event"] for line in (out / "events.jsonl").read_text().splitlines()]


def environment(base: str, home: Path) -> dict[str, str]:
    """Of a process that asks that provider."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AGENTFLY_") or name == "AGENTFLY_CACHE"
    }
    return {
        **kept,
        "OPENAI_API_BASE": base,
        "OPENAI_API_KEY": "sk-test-0123456789abcdef",
        "AGENTFLY_HOME": str(home),
        "AGENTFLY_TOOLS__BUILTIN": "none",
    }


def command(tasks: Path, out: Path, *more: str) -> list[str]:
    """The arguments of a run with the faulty provider's model."""
    return ["bench", "run", str(tasks), "--out", str(out), "--model", "openai/faulty", "--strategy", "codeact", *more]


class Nursery:
    """Processes of the command line that begin at once: what is expensive in the beginning is done before they are forked."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "nursery"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def begin(self, arguments: Sequence[str], env: Mapping[str, str], told: Path) -> int:
        """Start one; its process id.

        Args:
            arguments: of the command line.
            env: environment.
            told: folder for the files ``out`` and ``err``, with what it says.
        """
        return int(self._ask(["begin", list(arguments), dict(env), str(told)]))

    def wait(self, pid: int) -> int:
        """Wait for its end; how it ended, negative for a signal."""
        return int(self._ask(["wait", pid]))

    def close(self) -> None:
        """End the nursery."""
        self._process.communicate(timeout=10)

    def _ask(self, told: list[Any]) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


def _nursery() -> None:
    from agentfly.bench.running import benchmark  # noqa: F401
    from agentfly.models.litellm import load_litellm

    load_litellm()
    for line in sys.stdin:
        order, *given = json.loads(line)
        if order == "begin":
            pid = os.fork()
            if not pid:
                _child(*given)
            print(pid, flush=True)
        else:
            print(os.waitstatus_to_exitcode(os.waitpid(given[0], 0)[1]), flush=True)


def _child(arguments: list[str], env: dict[str, str], told: str) -> None:
    from agentfly.cli.main import main

    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["agentfly", *arguments]
    for handle, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(Path(told) / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), handle)
    main()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from support import course

    course.pretend()
    _nursery()
