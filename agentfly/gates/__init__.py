"""Gates: whether a delta is kept."""

from __future__ import annotations

from agentfly.gates.always import Always
from agentfly.gates.fix import Fix
from agentfly.protocols import Gate
from agentfly.types import Feedback

GATES: dict[str, type[Gate]] = {"always": Always, "fix": Fix}


def gate_for(name: str, feedback: Feedback) -> Gate:
    """The gate of that name; ``auto`` trusts a person and tests everything else."""
    if name == "auto":
        name = "always" if feedback.source == "human" else "fix"
    return GATES[name]()
