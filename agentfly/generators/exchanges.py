"""The conversation of a model that calls functions: each reply stays together with what its calls gave. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agentfly.generators.briefing import latest
from agentfly.types import Message

REMINDER = (
    "End with a call of final_answer. The answer must have exactly the form that the task asks for: rounded as asked, a bare "
    "number or word, without a label."
)
NUDGE = f"Nothing was called. If you have the answer, call final_answer with it; else call what you need. {REMINDER}"
CUT = "Your reply was cut off before any call. Be shorter."
_DROPPED = "(older calls and their results were dropped)"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A reply and the messages that answer it: one for each native call, else one of the user."""

    reply: Message
    results: tuple[Message, ...]
    error: str = ""
    """The kind of error where nothing in it worked; empty where something did."""

    @property
    def chars(self) -> int:
        """Characters of it all."""
        called = sum(len(call.name) + len(call.arguments) for call in self.reply.tool_calls)
        return len(self.reply.content) + called + sum(len(message.content) for message in self.results)


def conversation(start: Sequence[Message], exchanges: Sequence[Exchange], chars: int) -> list[Message]:
    """The messages of the next call: the task whole, and as many of the latest exchanges as fit.

    A result without its call is refused by providers, and so is a call without its result: an exchange goes as a whole.

    Args:
        start: system prompt and task, never dropped.
        exchanges: oldest first; the last one is always kept.
        chars: longest conversation, in characters.
    """
    kept, messages = latest(start, exchanges, chars), list(start)
    if len(kept) < len(exchanges):
        first, *others = kept[0].results
        told = replace(first, content=f"{_DROPPED}\n{first.content}")
        kept[0] = replace(kept[0], results=(told, *others))
    for exchange in kept:
        messages += [exchange.reply, *exchange.results]
    return messages
