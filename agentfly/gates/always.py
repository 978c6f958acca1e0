"""Keep every valid delta: plain ACE (arXiv 2510.04618)."""

from __future__ import annotations

from agentfly.protocols import Past, Retry, Trial, Verdict, no_past


class Always:
    """Keeps the delta without a test."""

    name = "always"

    async def decide(self, first: Trial, retry: Retry, past: Past = no_past, *, adds: bool = True) -> Verdict:
        """Accept; makes no attempt."""
        return Verdict(accepted=True, reason=f"kept without a test (feedback: {first.feedback.source})")
