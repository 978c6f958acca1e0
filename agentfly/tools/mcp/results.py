"""What a call gave, as a value for the model. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from agentfly.errors import ToolError

if TYPE_CHECKING:
    from mcp_types import CallToolResult

LONGEST = 100_000
"""Characters of one result."""


def value_of(result: CallToolResult, tool: str) -> Any:
    """The result of a call.

    Returns:
        Structured content as data where the server gave it and said nothing else, text otherwise. Images, sound and links are
        named in the text, as what was left out. What is too long becomes text and is cut.

    Raises:
        ToolError: the server says that the call failed.
    """
    text = "\n".join(part for block in result.content if (part := _part(block)))
    if result.is_error:
        raise ToolError(f"{tool}: {_cut(text) or 'the server reports an error and does not say which'}")
    data = result.structured_content
    if data is None:
        return _cut(text)
    if isinstance(data, dict) and list(data) == ["result"]:  # how servers wrap what is no object
        data = data["result"]
    if text and not _same(text, data):
        return _cut(f"{text}\n\nAs data: {_json(data)}")
    return data if len(_json(data)) <= LONGEST else _cut(_json(data))


def _part(block: Any) -> str:
    """One block of content as text."""
    kind = block.type
    if kind == "text":
        return str(block.text)
    if kind in ("image", "audio"):
        return f"[{kind} left out: {block.mime_type}, {_size(block.data)}]"
    if kind == "resource_link":
        return f"[link to a resource: {block.uri}" + (f" ({block.name})]" if block.name else "]")
    inner = block.resource
    if (text := getattr(inner, "text", None)) is not None:
        return f"[resource {inner.uri}]\n{text}"
    return f"[resource left out: {inner.uri}, {inner.mime_type or 'binary'}, {_size(inner.blob)}]"


def _size(encoded: str) -> str:
    try:
        return f"{len(base64.b64decode(encoded)):,} bytes"
    except (binascii.Error, ValueError):
        return f"{len(encoded):,} characters that are no base64"


def _same(text: str, data: Any) -> bool:
    """Whether a text says no more than the data does."""
    if isinstance(data, str):
        return text == data
    try:
        told = json.loads(text)
        return bool(told == data or (isinstance(data, dict) and [told] == list(data.values())))
    except (ValueError, RecursionError):
        # A list is told as one block for each of its items.
        return isinstance(data, list) and text == "\n".join(x if isinstance(x, str) else _json(x) for x in data)


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False)


def _cut(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n[cut: {len(text) - LONGEST:,} of {len(text):,} characters are left out]"
