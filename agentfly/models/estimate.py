"""Token counts without a tokenizer, for fakes and for providers that report none."""

from __future__ import annotations

from collections.abc import Sequence

from agentfly.types import Message, Usage


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has: four characters each, as English and code come to."""
    return (len(text) + 3) // 4


def estimate(messages: Sequence[Message], text: str) -> Usage:
    """Usage of one call by `estimate_tokens`, four tokens of framing a message."""
    prompt = sum(4 + estimate_tokens(message.content) for message in messages)
    return Usage(calls=1, prompt_tokens=prompt, completion_tokens=estimate_tokens(text))
