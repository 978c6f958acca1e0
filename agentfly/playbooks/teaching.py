"""Teaching: a rule that somebody says goes straight into the playbook."""

from __future__ import annotations

from agentfly.errors import InputError
from agentfly.playbooks.delta import Delta
from agentfly.playbooks.ledger import PlaybookLedger
from agentfly.types import Learned


def teach(ledger: PlaybookLedger, text: str, section: str, *, author: str, reason: str) -> Learned:
    """Add a rule.

    Args:
        ledger: of the playbook.
        text: the rule.
        section: where it goes.
        author: ``human``, whose words are kept as they are, or ``import``, whose rule may be merged into one that says the same.
        reason: for the history.

    Raises:
        InputError: it cannot be a bullet; says why.
    """
    delta = Delta.model_validate({"reason": reason, "operations": [{"op": "add", "section": section, "text": text}]})
    if refused := ledger.current().refusals(delta):
        raise InputError(f"this cannot be taught: {refused[0].reason}")
    done = ledger.commit(delta, author=author)
    return Learned(delta=done.version if done.accepted else None, accepted=done.accepted, reason=reason)
