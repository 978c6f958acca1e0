"""Schemas of servers, checked before a provider sees them: one bad schema makes it refuse every call. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentfly.tools.mcp.definitions import canonical
from agentfly.tools.mcp.text import clean, hides

LARGEST = 30_000
"""Characters of one schema as JSON."""
DEEPEST = 32
"""Levels of nesting."""
_PROSE = ("description", "title", "$comment")


def usable(schema: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """A schema as it may be shown, its prose cleaned.

    Returns:
        The schema, an object with a mapping of properties, and whether something hidden was taken out.

    Raises:
        ValueError: it cannot be used; says why.
    """
    if _too_deep(schema):
        raise ValueError(f"its schema is nested deeper than {DEEPEST} levels")
    if (size := len(canonical(schema))) > LARGEST:
        raise ValueError(f"its schema has {size:,} characters, the most is {LARGEST:,}")
    whole = {"type": "object", "properties": {}, **schema}
    if whole["type"] != "object" or not isinstance(whole["properties"], Mapping):
        raise ValueError("its schema does not describe an object")
    if problem := _problem(whole):
        raise ValueError(f"its schema is not valid: {problem}")
    if any(hides(text) for text in _fixed(whole)):
        raise ValueError("its schema has hidden characters in names or values")
    cleaned, hidden = _cleaned(whole)
    # `true` stands for anything, as `{}` does; readers of a schema expect a mapping.
    cleaned["properties"] = {k: v if isinstance(v, dict) else {} for k, v in cleaned["properties"].items()}
    return cleaned, hidden


def _problem(schema: Mapping[str, Any]) -> str:
    """Why it is no JSON schema; empty where it is one."""
    from jsonschema import Draft202012Validator, SchemaError  # type: ignore[import-untyped]
    from jsonschema.validators import validator_for  # type: ignore[import-untyped]

    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except SchemaError as error:
        return " ".join(error.message.split())[:120]
    except (RecursionError, TypeError, ValueError) as error:
        return " ".join(str(error).split())[:120]
    return ""


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [child for item in level for child in _children(item)]
        if not level:
            return False
    return True


def _children(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list) else []


def _fixed(value: Any) -> Iterator[str]:
    """Texts that must stay as they are: names of properties, allowed values, patterns."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield key
            if not (key in _PROSE and isinstance(child, str)):
                yield from _fixed(child)
    elif isinstance(value, list):
        for child in value:
            yield from _fixed(child)
    elif isinstance(value, str):
        yield value


def _cleaned(value: Any) -> tuple[Any, bool]:
    if isinstance(value, Mapping):
        made, hidden = {}, False
        for key, child in value.items():
            prose = key in _PROSE and isinstance(child, str)
            made[key], found = clean(child) if prose else _cleaned(child)
            hidden = hidden or found
        return made, hidden
    if isinstance(value, list):
        pairs = [_cleaned(child) for child in value]
        return [child for child, _ in pairs], any(found for _, found in pairs)
    return value, False
