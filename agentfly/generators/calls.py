"""Reading the tool calls of a reply, native ones and those written as JSON in the text. Pure."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agentfly.types import Reply, ToolCall

LONGEST_TEXT = 50_000
"""Characters of a reply that are searched for calls."""
_NAMES = ("name", "tool", "tool_name", "function")
_ARGUMENTS = ("arguments", "parameters", "args", "input", "tool_input")
_TAG = re.compile(r"</?tool_calls?>")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)\w*[ \t]*$", re.M)
_MEANT = re.compile(r"""<tool_call>|["'](?:name|tool)["']\s*:.*["'](?:arguments|parameters|args)["']\s*:""", re.S)
_DECODER = json.JSONDecoder(strict=False)  # models break lines inside strings
_NO_JSON = 'The call in your reply is no valid JSON. Write it as {"name": ..., "arguments": {...}}.'


@dataclass(frozen=True, slots=True)
class Request:
    """One call that a reply asks for."""

    name: str
    arguments: Any
    """What was given as JSON data; the text as it stands where it is no JSON."""
    id: str = ""
    """As the provider gave it; empty for a call written in the text."""


@dataclass(frozen=True, slots=True)
class Requests:
    """What a reply asks for."""

    calls: tuple[Request, ...]
    thought: str
    """The text around the calls."""
    native: bool = True
    problem: str = ""
    """Why a call that was meant cannot be read, for the model to read."""


def requests(reply: Reply) -> Requests:
    """The calls of a reply in their order: the native ones, else those that its text holds."""
    if reply.tool_calls:
        calls = tuple(Request(call.name, _data(call.arguments), call.id) for call in reply.tool_calls)
        return Requests(calls, reply.text.strip())
    calls, rest = _in_text(reply.text[:LONGEST_TEXT])
    problem = _NO_JSON if not calls and _MEANT.search(reply.text[:LONGEST_TEXT]) else ""
    return Requests(calls, rest, native=False, problem=problem)


def fitted(given: Any, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Arguments as an object; what stands alone is that of the only parameter.

    Returns:
        None where it is neither: text cut in the middle of its JSON, a list for several parameters.
    """
    if isinstance(given, dict):
        return given
    names = list(schema.get("properties", {}))
    if given is None or given == "":
        return {}
    if isinstance(given, str) and given.lstrip().startswith("{"):
        return None
    return {names[0]: given} if len(names) == 1 else None


def echoed(request: Request, arguments: Mapping[str, Any] | None, id: str) -> ToolCall:
    """A call as the conversation tells it again: providers refuse arguments that are no JSON object, and odd names."""
    name = re.sub(r"[^\w-]", "_", request.name, flags=re.ASCII)[:64] or "unknown"
    return ToolCall(id=id, name=name, arguments=json.dumps(arguments or {}, ensure_ascii=False, default=str))


def line(name: str, arguments: Any) -> str:
    """A call as one line of JSON."""
    return json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False, default=str)


def _in_text(text: str) -> tuple[tuple[Request, ...], str]:
    """Calls in a text, and the text without them."""
    found: list[Request] = []
    rest, at = "", 0
    for start, end, value in _values(text):
        if calls := list(_calls(value)):
            found += calls
            rest, at = rest + text[at:start], end
    if not found:
        bare = _FENCE.sub("", _TAG.sub("", text)).strip()
        found, rest, at = list(_calls(_python_data(bare))), "", len(text)
        if not found:
            return (), text.strip()
    rest += text[at:]
    return tuple(found), _FENCE.sub("", _TAG.sub("", rest)).strip()


def _values(text: str) -> Iterator[tuple[int, int, Any]]:
    """(start, end, value) of the outermost JSON objects and lists in a text."""
    at = 0
    while match := re.compile(r"[{\[]").search(text, at):
        try:
            value, at = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            at = match.start() + 1
        else:
            yield match.start(), at, value


def _calls(value: Any) -> Iterator[Request]:
    """The calls that a JSON value stands for; nothing where it is something else."""
    if isinstance(value, list):
        for item in value:
            yield from _calls(item)
    if not isinstance(value, dict):
        return
    if isinstance(value.get("tool_calls"), list):
        yield from _calls(value["tool_calls"])
        return
    if isinstance(value.get("function"), dict):
        yield from _calls(value["function"])
        return
    name = next((value[key] for key in _NAMES if isinstance(value.get(key), str) and value[key]), None)
    key = next((key for key in _ARGUMENTS if key in value), None)
    if name is not None and key is not None:
        yield Request(name, _data(value[key]) if isinstance(value[key], str) else value[key])


def _data(text: str) -> Any:
    """Arguments as data, read leniently; the text itself where they are no JSON."""
    try:
        return _DECODER.decode(text.strip())
    except (ValueError, RecursionError):
        data = _python_data(text)
        return text if data is None else data


def _python_data(text: str) -> Any:
    """JSON as models miswrite it: single quotes, True and None, a comma too many. None where it is not even that."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return _DECODER.decode(re.sub(r",\s*([}\]])", r"\1", text.strip()))
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None
