"""A place where a model would be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agentfly.config import Settings
from agentfly.errors import ModelUnavailableError
from agentfly.events import Notice
from agentfly.protocols import CallOptions, Model
from agentfly.types import Message, Reply


class AbsentModel:
    """Stands where no model is needed, or none can be had.

    Args:
        reason: what who asks it all the same is told.
    """

    name = "none"

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def complete(
        self,
        messages: Sequence[Message],
        options: CallOptions = CallOptions(),
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """As `Model.complete`.

        Raises:
            ModelUnavailableError: always.
        """
        raise ModelUnavailableError(self._reason)

    async def aclose(self) -> None:
        """Nothing to release."""


def for_learning(
    settings: Settings, name: str | None, open_named: Callable[[str | None], Model], notify: Callable[[Notice], None]
) -> Model:
    """A model to reflect or curate with, where the agent itself does without: nobody need have one.

    Args:
        settings: say whether it has anything to do.
        name: as configured; None takes the usual one.
        open_named: opens a model by its name.
        notify: told where there is none.

    Raises:
        ModelUnavailableError: one was configured, and cannot be used.
    """
    if not settings.learning.strategies:
        return AbsentModel("learning.strategies is off, so no model is opened")
    try:
        return open_named(name)
    except ModelUnavailableError as error:
        if name is not None or settings.model != "auto":
            raise
        notify(Notice(text=f"cases and checks alone are learned: {error}", level="warning"))
        return AbsentModel(str(error))
