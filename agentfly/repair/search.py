"""Runs the small edits of a solution, one after the other, in one sandboxed worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentfly.errors import SandboxError
from agentfly.protocols import Repair, Sandbox, Tool
from agentfly.repair.edits import edits
from agentfly.types import Task

MOST = 60
"""Edits of one solution that are tried."""
ONE_SECONDS = 5.0
ALL_SECONDS = 20.0


class EditSearch:
    """A `Repairer` by the edits of `agentfly.repair.edits`.

    Args:
        sandbox: runs the edited code.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def repairs(self, task: Task, solution: str, workspace: Path) -> Sequence[Repair]:
        """As `Repairer.repairs`."""
        guesses = await asyncio.to_thread(edits, solution, task.question)
        if not guesses:
            return []
        found, ends = list[Repair](), time.monotonic() + ALL_SECONDS
        async with self._sandbox.open(workspace, call=_refuse, readonly=task.file_names) as worker:
            for guess in guesses[:MOST]:
                left = ends - time.monotonic()
                if left <= 0:
                    break
                ran = await worker.run(guess.code, min(ONE_SECONDS, left))
                if ran.answered and ran.error is None:
                    found.append(Repair(code=guess.code, said=guess.said, kind=guess.kind, answer=ran.answer))
        return found


async def _refuse(tool: Tool, arguments: Mapping[str, Any]) -> Any:
    """What code does outside of its process it would do once for each edit."""
    raise SandboxError(f"{tool.name} is not called while a solution is repaired")
