"""Keep a delta only if it mends the attempt that it was learned from."""

from __future__ import annotations

from agentfly.protocols import Past, Retry, Trial, Verdict, no_past


class Fix:
    """Tries the task again with the candidate playbook; the delta stays if that attempt earns more."""

    name = "fix"

    async def decide(self, first: Trial, retry: Retry, past: Past = no_past, *, adds: bool = True) -> Verdict:
        """Accept if one more attempt, everything else equal, earns more than the first did."""
        before = first.feedback.reward
        again = await retry()
        if again is None:
            return Verdict(accepted=False, reason="the further attempt could not be judged")
        after = again.feedback.reward
        outcome = "mended" if after > before else "not mended"
        return Verdict(accepted=after > before, reason=f"{outcome}: reward {before:g} → {after:g}", trials=(again,))
