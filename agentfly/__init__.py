"""agentfly: an LLM agent that gets better with every task it does, with no weight updates.

Everything public is here, and loaded on first use: importing the package does no work.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentfly.agent import Agent
    from agentfly.config import Settings
    from agentfly.errors import AgentflyError
    from agentfly.memory.bank import CaseBank
    from agentfly.playbooks.delta import Delta
    from agentfly.playbooks.playbook import Playbook
    from agentfly.tools.toolbox import tool
    from agentfly.types import (
        Attempt,
        Bullet,
        Case,
        Feedback,
        Learned,
        Limits,
        Pending,
        Recalled,
        Reflection,
        RunResult,
        Step,
        Subtask,
        Task,
        Usage,
    )

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "AgentflyError",
    "Attempt",
    "Bullet",
    "Case",
    "CaseBank",
    "Delta",
    "Feedback",
    "Learned",
    "Limits",
    "Pending",
    "Playbook",
    "Recalled",
    "Reflection",
    "RunResult",
    "Settings",
    "Step",
    "Subtask",
    "Task",
    "Usage",
    "tool",
]

_HOMES = {
    "Agent": "agentfly.agent",
    "AgentflyError": "agentfly.errors",
    "CaseBank": "agentfly.memory.bank",
    "Delta": "agentfly.playbooks.delta",
    "Playbook": "agentfly.playbooks.playbook",
    "Settings": "agentfly.config",
    "tool": "agentfly.tools.toolbox",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'agentfly' has no attribute {name!r}")
    value = getattr(import_module(_HOMES.get(name, "agentfly.types")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
