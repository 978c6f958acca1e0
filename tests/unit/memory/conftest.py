"""Banks over a fast embedder, and child processes that work on the same home."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentfly.memory.bank import CaseBank
from agentfly.testing import HashEmbedder

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE))  # for memory_helpers, in the importlib mode of pytest


@pytest.fixture
def open_bank(tmp_path: Path) -> Iterator[Callable[..., CaseBank]]:
    """Opens banks on one home; closes them at the end."""
    opened: list[CaseBank] = []

    def open_(**options) -> CaseBank:
        opened.append(CaseBank(tmp_path / "bank", HashEmbedder(64), **options))
        return opened[-1]

    yield open_
    for bank in opened:
        bank.close()


@pytest.fixture
def bank(open_bank: Callable[..., CaseBank]) -> CaseBank:
    return open_bank()


@pytest.fixture
def python() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python code in a process of its own; kills it at the end."""
    children: list[subprocess.Popen[str]] = []

    def start(code: str, *args: object, stdin: bool = False) -> subprocess.Popen[str]:
        children.append(
            subprocess.Popen(
                [sys.executable, "-c", code, *map(str, args)],
                env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}"},
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return children[-1]

    yield start
    for child in children:
        child.kill()
        child.communicate()
