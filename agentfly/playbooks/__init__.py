"""The playbook: strategies learned from feedback, changed by small deltas, every version kept. Usable on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentfly.playbooks.changes import Change as Change
    from agentfly.playbooks.changes import Refusal as Refusal
    from agentfly.playbooks.delta import Delta as Delta
    from agentfly.playbooks.history import Committed as Committed
    from agentfly.playbooks.ledger import PlaybookLedger as PlaybookLedger
    from agentfly.playbooks.playbook import Playbook as Playbook
    from agentfly.playbooks.rules import Rules as Rules

_HOMES = {
    "Change": "changes",
    "Committed": "history",
    "Delta": "delta",
    "Playbook": "playbook",
    "PlaybookLedger": "ledger",
    "Refusal": "changes",
    "Rules": "rules",
}

__all__ = ["Change", "Committed", "Delta", "Playbook", "PlaybookLedger", "Refusal", "Rules"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
