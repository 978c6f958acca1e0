"""Checking: the playbook's executable checks, put to an answer before it is accepted."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

from agentfly.errors import SandboxError
from agentfly.nodes.state import Parts
from agentfly.playbooks.playbook import Playbook
from agentfly.protocols import CheckFailure, Examine, Subject, accept
from agentfly.types import Bullet, Step, Task

_log = logging.getLogger("agentfly.nodes")


def checks_of(playbook: Playbook, left_out: Collection[str] = ()) -> tuple[Bullet, ...]:
    """The checks in force under a playbook, without those that are left out of this run."""
    return tuple(bullet for bullet in playbook.checks if bullet.id not in left_out)


@asynccontextmanager
async def examiner(checks: Sequence[Bullet], task: Task, parts: Parts) -> AsyncIterator[Examine]:
    """What puts the answers of one attempt to these checks. A check that fails itself says nothing about an answer."""
    if not checks:
        yield accept
        return
    files = task.file_names
    async with parts.checker.open() as worker:

        async def examine(answer: str, steps: Sequence[Step]) -> Sequence[CheckFailure]:
            subject = Subject(question=task.question, answer=answer, steps=tuple(steps), files=files)
            try:
                (row,) = await worker.check(checks, [subject])
            except SandboxError as error:  # the answer itself was computed in a sandbox that worked
                _log.warning("the checks could not be run: %s", error)
                return ()
            found = []
            for bullet, checked in zip(checks, row, strict=True):
                if checked.problem:
                    _log.warning("check %s: %s", bullet.id, checked.problem)
                elif checked.message:
                    found.append(CheckFailure(bullet_id=bullet.id, message=checked.message))
            return found

        yield examine
