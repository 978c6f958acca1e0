"""How a model is asked for JSON: by schema, as some JSON object, or only in words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from agentfly.types import Message

JsonMode = Literal["schema", "object", "words"]

_LOWER: dict[JsonMode, JsonMode] = {"schema": "object", "object": "words"}
_COMPLAINT = re.compile(r"response.?format|json.?schema|json.?object|structured|grammar|schema", re.IGNORECASE)


def lower(mode: JsonMode, complaint: str) -> JsonMode | None:
    """The next weaker way after a refused request, or None when the complaint is about something else."""
    return _LOWER.get(mode) if _COMPLAINT.search(complaint) else None


def response_format(mode: JsonMode, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The ``response_format`` parameter of OpenAI's chat API, or None when there is none to send."""
    if mode == "words":
        return None
    if mode == "object":
        return {"type": "json_object"}
    strict = strict_schema(schema)
    return {
        "type": "json_schema",
        "json_schema": {
            "name": re.sub(r"\W", "_", str(schema.get("title") or "reply"))[:64],
            "schema": dict(schema) if strict is None else strict,
            "strict": strict is not None,
        },
    }


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema as OpenAI's strict mode wants it: every property required, no others allowed.

    Returns:
        None when the schema cannot be put so because it has objects with free keys.
    """

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(item) for item in node]
        if not isinstance(node, dict):
            return node
        # Under "properties" and "$defs" the keys are names that the schema's author chose.
        out = {
            key: {name: walk(sub) for name, sub in value.items()} if key in {"properties", "$defs"} else walk(value)
            for key, value in node.items()
            if key != "default"
        }
        if out.get("type") == "object":
            if "properties" not in out or isinstance(out.get("additionalProperties"), dict):
                raise ValueError
            out["required"] = list(out["properties"])
            out["additionalProperties"] = False
        return out

    try:
        return dict(walk(dict(schema)))
    except ValueError:
        return None


def in_words(messages: Sequence[Message], schema: Mapping[str, Any]) -> list[Message]:
    """The conversation with the schema at its very end, where a small model heeds it most."""
    note = "\n\nAnswer with one JSON object of this schema and nothing else:\n" + json.dumps(schema, ensure_ascii=False)
    *before, last = messages
    if last.role != "user":
        return [*messages, Message("user", note.strip())]
    return [*before, replace(last, content=last.content + note)]
