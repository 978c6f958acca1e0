"""Gates: whether a delta is kept."""

from __future__ import annotations

from agentfly.gates.always import Always
from agentfly.gates.fix import Fix
from agentfly.gates.replay import Replay
from agentfly.protocols import Gate
from agentfly.types import Feedback

GATES: dict[str, type[Gate]] = {"always": Always, "fix": Fix, "replay": Replay}


def gate_for(name: str, feedback: Feedback, *, replays: int = 3) -> Gate:
    """The gate of that name.

    Args:
        name: a name of `GATES`, or ``auto``, which trusts a person and tests everything else with ``fix``.
        feedback: what the delta was learned from.
        replays: how many past successes ``replay`` tries again.
    """
    if name == "auto":
        name = "always" if feedback.source == "human" else "fix"
    return Replay(replays) if name == "replay" else GATES[name]()
