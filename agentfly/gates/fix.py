"""Keep a delta only if it mends the attempt that it was learned from, or makes it quicker."""

from __future__ import annotations

from agentfly.protocols import Past, Retry, Trial, Verdict, no_past


class Fix:
    """Tries the task again with the candidate playbook; the delta stays if that attempt does better.

    After a failure that is to earn more. After a success it is to get there in fewer steps, and to earn no less.
    """

    name = "fix"

    async def decide(self, first: Trial, retry: Retry, past: Past = no_past, *, adds: bool = True) -> Verdict:
        """Accept if one more attempt, everything else equal, does better than the first did."""
        again = await retry()
        if again is None:
            return Verdict(accepted=False, reason="the further attempt could not be judged")
        accepted, reason = _quicker(first, again) if first.feedback.success else _mended(first, again)
        return Verdict(accepted=accepted, reason=reason, trials=(again,))


def _mended(first: Trial, again: Trial) -> tuple[bool, str]:
    before, after = first.feedback.reward, again.feedback.reward
    outcome = "mended" if after > before else "not mended"
    return after > before, f"{outcome}: reward {before:g} → {after:g}"


def _quicker(first: Trial, again: Trial) -> tuple[bool, str]:
    before, after = first.feedback.reward, again.feedback.reward
    if after < before:
        return False, f"not quicker: reward {before:g} → {after:g}"
    long, short = len(first.attempt.steps), len(again.attempt.steps)
    return short < long, f"{'quicker' if short < long else 'not quicker'}: {long} steps → {short}"
