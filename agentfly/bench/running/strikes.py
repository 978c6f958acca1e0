"""Where nothing succeeds any more, going on would cost time and money and say nothing about the agent."""

from __future__ import annotations

from agentfly.bench.running.executing import Done
from agentfly.errors import InputError, ProviderError

FEWEST = 8
"""Tries in a row that ended in an error, after which nothing more is tried; more where more are under way at once."""


class Strikes:
    """Watches how tries end. While failures follow one another, errors that would be final are held back until something succeeds:
    those of a provider that has gone for good do not count, and are made again when the run is resumed.

    Args:
        slots: jobs under way at once.
        worked: whether anything has come to a result before.
    """

    def __init__(self, slots: int, *, worked: bool) -> None:
        self._most, self._worked = max(FEWEST, slots), worked
        self._row = 0
        self._held: list[Done] = []
        self._last: Done | None = None

    def saw(self, done: Done, *, final: bool) -> list[Done]:
        """Take note of how a try ended.

        Args:
            done: the try.
            final: whether it is not tried again.

        Returns:
            What can be put on record now.

        Raises:
            ProviderError, InputError: it is one too many.
        """
        if done.result.verdict != "error":
            self._worked, self._row = True, 0
            return [*self._released(), done]
        self._last = done
        # Once something has worked, an error of the task itself says nothing about the others; nor does one that failed before.
        self._row += not self._worked or (done.again and not done.job.tries)
        if final and not self._row:
            return [done]
        if final:
            self._held.append(done)
        if self._row >= self._most:
            raise self._problem()
        return []

    def ended(self) -> list[Done]:
        """There are no more jobs.

        Returns:
            What can be put on record now.

        Raises:
            ProviderError, InputError: nothing has succeeded at all.
        """
        if self._held and not self._worked:
            raise self._problem()
        return self._released()

    def _released(self) -> list[Done]:
        held, self._held = self._held, []
        return held

    def _problem(self) -> Exception:
        assert self._last is not None
        reason = self._last.result.error
        if self._last.again:
            return ProviderError(
                f"the model fails on every task: {reason}; what was done before is kept, the same command goes on"
            )
        return InputError(f"no task can be worked on: {reason}; these do not count, and the same command goes on")
