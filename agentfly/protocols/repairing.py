"""Repair: small edits of code that gave a wrong answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from agentfly.types import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """A solution under one small edit."""

    code: str
    said: str
    """The mistake that the edit mends, as one sentence for whoever meets a like task; without the task's answer."""
    kind: str
    """Of edit, such as ``scale``: two of the same kind mend the same mistake."""
    answer: Any = None
    """What the edited code gives, as plain JSON data."""


@runtime_checkable
class Repairer(Protocol):
    """Tries small edits of a solution. It judges nothing."""

    async def repairs(self, task: Task, solution: str, workspace: Path) -> Sequence[Repair]:
        """The edits under which the solution gives an answer, the likeliest mistakes first.

        Args:
            task: without its reference.
            solution: the code that gave a wrong answer; where it is none, there is no edit.
            workspace: folder with the task's files.

        Raises:
            SandboxError: no code can be run on this machine.
        """
        ...
