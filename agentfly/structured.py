"""Structured replies: ask for JSON of a schema, read it, give a chance to mend it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from agentfly.errors import ProviderError, ReplyError
from agentfly.protocols import CallOptions, Model
from agentfly.types import Message, Reply, Usage

M = TypeVar("M", bound=BaseModel)

_FENCE = re.compile(r"```[\w-]*[ \t]*\n(.*?)```", re.DOTALL)
_DECODER = json.JSONDecoder(strict=False)  # models put bare newlines into strings
_STARTS = 200  # braces tried as the start of an object, so that garbage costs little


async def ask(
    model: Model,
    messages: Sequence[Message],
    kind: type[M],
    options: CallOptions = CallOptions(),
    *,
    repairs: int = 1,
) -> tuple[M, Usage]:
    """Ask for an answer of a given shape.

    Args:
        model: whom to ask.
        messages: the conversation.
        kind: the shape; its JSON schema goes with the call.
        options: of each of the calls.
        repairs: how often the model may be shown what is wrong with its reply; each costs a call.

    Returns:
        The answer, and what the calls cost together: ``calls - 1`` of them were repairs.

    Raises:
        ReplyError: unusable even after the repairs; carries the usage.
        ProviderError: a call failed; its usage holds all calls.
    """
    options = replace(options, json_schema=kind.model_json_schema())
    usage, problem = Usage(), ""
    conversation = list(messages)
    for _turn in range(1 + repairs):
        try:
            reply = await model.complete(conversation, options)
        except ProviderError as error:
            error.usage = usage + error.usage
            raise
        usage += reply.usage
        try:
            return read(reply, kind), usage
        except ValueError as error:
            problem = str(error)
        conversation = [*messages, *_repair(reply, problem)]
    raise ReplyError(f"the reply is no valid {kind.__name__}: {problem}", usage=usage)


def read(reply: Reply, kind: type[M]) -> M:
    """The first JSON value in a reply that has the right shape; prose and code fences around it are passed over.

    Raises:
        ValueError: there is none; says in one line what is wrong with the first one found.
    """
    first: ValidationError | None = None
    for value in _values(reply.text):
        try:
            return kind.model_validate(value)
        except ValidationError as error:
            first = first or error
    if first is not None and reply.finish_reason != "length":
        raise ValueError(_explain(first))
    if reply.finish_reason == "length":
        raise ValueError("it was cut off at the token limit; be shorter")
    raise ValueError("it holds no complete JSON object")


def _values(text: str) -> Iterator[Any]:
    """Everything in the text that parses as JSON, the likeliest first."""
    for candidate in (text, *(block.group(1) for block in _FENCE.finditer(text))):
        try:
            yield _DECODER.decode(candidate.strip())
        except (ValueError, RecursionError):
            continue
    position, tried = text.find("{"), 0
    while position >= 0 and tried < _STARTS:
        tried += 1
        end = position + 1
        try:
            value, end = _DECODER.raw_decode(text, position)
            yield value
        except (ValueError, RecursionError):
            pass
        position = text.find("{", end)


def _repair(reply: Reply, problem: str) -> list[Message]:
    return [
        Message("assistant", reply.text or "(nothing)"),
        Message(
            "user", f"That cannot be used: {problem}. Answer again with the corrected JSON object and nothing else."
        ),
    ]


def _explain(error: ValidationError) -> str:
    problems = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'the object'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_context=False, include_input=False)[:5]
    ]
    return "; ".join(problems)
