"""The breaker: where everything fails, going on would cost time and money and say nothing about the agent."""

from __future__ import annotations

from collections.abc import Iterable

from agentfly.errors import InputError, ProviderError
from agentfly.store.adaptations import Sample

STRIKES = 5
"""Samples in a row that ended in an error, after which nothing more is tried."""


class Breaker:
    """Watches how samples end, in the order in which they do.

    Args:
        worked: whether any sample of the course has come to something already.
    """

    def __init__(self, worked: bool) -> None:
        self._worked = worked
        self._row: dict[str, str] = {}
        self._theirs = True

    @property
    def row(self) -> frozenset[str]:
        """Run ids of the samples that failed one after the other, up to now."""
        return frozenset(self._row)

    def saw(self, run_id: str, failed: str | None, *, provider: bool = True) -> None:
        """Take note of how an attempt ended.

        Args:
            run_id: of the attempt.
            failed: the reason of its error; None where it came to something, right or wrong.
            provider: whether it was the provider that failed, and not what was asked of it.

        Raises:
            ProviderError, InputError: it is one too many.
        """
        if failed is None:
            self._worked = True
            self._row.clear()
            return
        self._row[run_id], self._theirs = failed, provider
        if len(self._row) >= STRIKES:
            self._trip()

    def ended(self, samples: int = 0) -> None:
        """A part of the course is over.

        Args:
            samples: that were worked on in it, where they depend on nothing else.

        Raises:
            ProviderError, InputError: all that was tried so far has failed, or the provider has failed all of these.
        """
        whole = self._theirs and 1 < samples <= len(self._row)
        if self._row and (whole or not self._worked):
            self._trip()

    def _trip(self) -> None:
        reason = list(self._row.values())[-1]
        if not self._theirs:
            raise InputError(f"no task can be worked on: {reason}; nothing was counted, and the same call goes on")
        raise ProviderError(
            f"the model fails on every task: {reason}; what was done before is kept, the same call goes on"
        )


def came_to_something(samples: Iterable[Sample]) -> bool:
    """Whether any of these samples is no error."""
    return any(sample.verdict != "error" for sample in samples)
