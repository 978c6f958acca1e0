"""Keep every valid delta: plain ACE (arXiv 2510.04618)."""

from __future__ import annotations

from agentfly.protocols import Past, Retry, Trial, Verdict, no_past


class Always:
    """Keeps the delta without a test.

    Args:
        why: why nothing is tested, where that was not chosen.
    """

    name = "always"

    def __init__(self, why: str = "") -> None:
        self._why = why

    async def decide(self, first: Trial, retry: Retry, past: Past = no_past, *, adds: bool = True) -> Verdict:
        """Accept; makes no attempt."""
        why = self._why or f"feedback: {first.feedback.source}"
        return Verdict(accepted=True, reason=f"kept without a test ({why})")
