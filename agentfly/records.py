"""JSON in and out for the records of `agentfly.types`, checked by pydantic."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

T = TypeVar("T")
_adapters: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def to_json(record: object) -> str:
    """One line of JSON for a record, or a tuple of records; half a surrogate pair, which JSON cannot hold, becomes ``?``."""
    try:
        return _adapter(type(record)).dump_json(record).decode()
    except PydanticSerializationError:
        return json.dumps(to_data(record), ensure_ascii=False).encode("utf-8", "replace").decode()


def to_data(record: object) -> Any:
    """The record as plain dicts, lists and scalars."""
    return _adapter(type(record)).dump_python(record, mode="json")


def from_json(kind: type[T], text: str | bytes) -> T:
    """Read a record back.

    Raises:
        pydantic.ValidationError: the text is not JSON of that shape.
    """
    return _adapter(kind).validate_json(text)  # type: ignore[no-any-return]
