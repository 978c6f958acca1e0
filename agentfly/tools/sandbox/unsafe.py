"""No sandbox: a plain child with limits and an empty environment. It can read and change what its user can.

Keeps honest mistakes in check (loops, memory, runaway processes), not hostile code. Never chosen unless a person asked for it.
"""

from __future__ import annotations

from agentfly.tools.sandbox.spec import PROGRAM, Command, Spec, environment, program

PLATFORM = ""
KEEPER = True
MEND = ""


def problem() -> str:
    """Why it cannot be used here; empty when it can."""
    return ""


def command(spec: Spec) -> Command:
    """The process to start."""
    argv = program(spec, str(PROGRAM.parent), own_user=False, keeper=True)
    return Command(argv=tuple(argv), env=environment(str(spec.workspace)), cwd=spec.workspace)
