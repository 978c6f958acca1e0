"""Limits of an attempt, checked before each model call."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from agentfly.errors import LimitReached
from agentfly.types import Limits, Usage


class Budget:
    """Counts one attempt against its limits.

    Args:
        limits: what it may use.
        clock: seconds, for tests.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._begun = clock()

    def check(self, steps: int, usage: Usage) -> None:
        """Say whether another step may begin.

        Args:
            steps: steps done.
            usage: what they used.

        Raises:
            LimitReached: a limit is spent.
        """
        limits = self.limits
        spent: list[tuple[str, float, float | None]] = [
            ("steps", steps, limits.steps),
            ("tokens", usage.tokens, limits.tokens),
            ("cost", usage.cost_usd, limits.cost_usd),
            ("seconds", self._clock() - self._begun, limits.seconds),
        ]
        for name, used, allowed in spent:
            if allowed is not None and used >= allowed:
                raise LimitReached(name, f"{used:.6g} of {allowed:.6g} {name} used")

    def seconds_left(self) -> float | None:
        """Seconds until the time limit, at least a moment; None without one."""
        if self.limits.seconds is None:
            return None
        return max(self.limits.seconds - (self._clock() - self._begun), 0.01)

    def within(self, seconds: float) -> float:
        """`seconds`, or what is left where that is less."""
        left = self.seconds_left()
        return seconds if left is None else min(seconds, left)

    def reply_tokens(self, most: int, usage: Usage) -> int:
        """Tokens that the next reply may have."""
        if self.limits.tokens is None:
            return most
        return max(1, min(most, self.limits.tokens - usage.tokens))
