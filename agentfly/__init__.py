"""agentfly: an LLM agent that gets better with every task it does, with no weight updates.

Everything public is here, and loaded on first use: importing the package does no work.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentfly.agent import Agent
    from agentfly.bench.datasets import load_dataset
    from agentfly.config import Settings
    from agentfly.errors import AgentflyError
    from agentfly.layers import preset
    from agentfly.learning.adaptation.plan import Budget, Plan
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
    from agentfly.wrapping import wrap

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "AgentflyError",
    "Attempt",
    "Budget",
    "Bullet",
    "Case",
    "CaseBank",
    "Delta",
    "Feedback",
    "Learned",
    "Limits",
    "Pending",
    "Plan",
    "Playbook",
    "Recalled",
    "Reflection",
    "RunResult",
    "Settings",
    "Step",
    "Subtask",
    "Task",
    "Usage",
    "load_dataset",
    "preset",
    "tool",
    "wrap",
]

_HOMES = {
    "Agent": "agentfly.agent",
    "AgentflyError": "agentfly.errors",
    "Budget": "agentfly.learning.adaptation.plan",
    "CaseBank": "agentfly.memory.bank",
    "Delta": "agentfly.playbooks.delta",
    "Plan": "agentfly.learning.adaptation.plan",
    "Playbook": "agentfly.playbooks.playbook",
    "Settings": "agentfly.config",
    "load_dataset": "agentfly.bench.datasets",
    "preset": "agentfly.layers",
    "tool": "agentfly.tools.toolbox",
    "wrap": "agentfly.wrapping",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'agentfly' has no attribute {name!r}")
    value = getattr(import_module(_HOMES.get(name, "agentfly.types")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
