"""A model that says what it is told to: for tests, of agentfly and of what is built on it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from agentfly.models.estimate import estimate
from agentfly.protocols import CallOptions
from agentfly.types import Message, Reply

Line: TypeAlias = "str | Reply | Exception | Callable[[Sequence[Message]], str | Reply]"


@dataclass(frozen=True, slots=True)
class Call:
    """One call that a scripted model received."""

    messages: tuple[Message, ...]
    options: CallOptions


class ScriptExhausted(AssertionError):
    """More calls were made than the script has replies for."""


class ScriptedModel:
    """Gives prepared replies in order and records the calls.

    Args:
        replies: each a text, a `Reply`, an exception to raise, or a function of the messages. A single function
            (not in a list) answers every call.
        name: as `Model.name`.

    Attributes:
        calls: what was asked, in order.
    """

    def __init__(
        self, replies: Iterable[Line] | Callable[[Sequence[Message]], str | Reply] = (), *, name: str = "scripted"
    ) -> None:
        self.calls: list[Call] = []
        self._name = name
        self._always = replies if callable(replies) else None
        self._script: list[Line] = [] if callable(replies) else list(replies)

    @property
    def name(self) -> str:
        return self._name

    @property
    def remaining(self) -> int:
        """Replies not yet given; 0 for a function that answers every call."""
        return len(self._script)

    async def complete(
        self,
        messages: Sequence[Message],
        options: CallOptions = CallOptions(),
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """As `Model.complete`.

        Raises:
            ScriptExhausted: no reply is left; shows the end of the conversation.
        """
        self.calls.append(Call(tuple(messages), options))
        line = self._next(messages)
        await asyncio.sleep(0)  # a real call lets other tasks run
        if isinstance(line, Exception):
            raise line
        answer = line(messages) if callable(line) else line
        reply = answer if isinstance(answer, Reply) else Reply(text=answer)
        if on_text:
            for piece in pieces(reply.text):
                on_text(piece)
        usage = reply.usage if reply.usage.calls else estimate(messages, reply.text)
        return replace(reply, usage=usage, model=reply.model or self._name)

    async def aclose(self) -> None:
        """Nothing to release."""

    def _next(self, messages: Sequence[Message]) -> Line:
        if self._always is not None:
            return self._always
        if not self._script:
            last = messages[-1].content[-300:] if messages else ""
            raise ScriptExhausted(f"call {len(self.calls)} has no reply in the script; it ended with: {last!r}")
        return self._script.pop(0)


def pieces(text: str) -> list[str]:
    """The text as a stream would bring it: word by word, nothing lost."""
    return re.findall(r"\s*\S+\s*$|\s*\S+|\s+", text)
