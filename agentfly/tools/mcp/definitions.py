"""What a server says of a tool, and the hash that it is pinned by. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agentfly.protocols import Risk


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A tool as its server describes it, word for word."""

    name: str
    description: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    """JSON schema of the arguments."""
    annotations: Mapping[str, Any] = field(default_factory=dict)
    """What the server claims of the tool's effects."""

    @property
    def digest(self) -> str:
        """SHA-256 of the whole, in hexadecimal; the order of keys does not matter."""
        return hashlib.sha256(canonical(self.data()).encode()).hexdigest()

    @property
    def risk(self) -> Risk:
        """What a call may do: it always leaves this machine's hands, and it may write unless the server says that it does not."""
        return "network" if self.annotations.get("readOnlyHint") is True else "write"

    def data(self) -> dict[str, Any]:
        """The definition as JSON data."""
        return {
            "name": self.name,
            "description": self.description,
            "input_schema": dict(self.schema),
            "annotations": dict(self.annotations),
        }

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Definition:
        """From `data`.

        Raises:
            KeyError, TypeError: it is not of that shape.
        """
        return cls(
            name=str(data["name"]),
            description=str(data["description"]),
            schema=dict(data["input_schema"]),
            annotations=dict(data["annotations"]),
        )


def changes(old: Definition, new: Definition) -> tuple[str, ...]:
    """What differs, in words; empty where nothing does."""
    labels = {"description": "description", "input_schema": "parameters", "annotations": "annotations"}
    before, after = old.data(), new.data()
    return tuple(word for key, word in labels.items() if canonical(before[key]) != canonical(after[key]))


def canonical(value: Any) -> str:
    """JSON text that is the same for equal data: sorted keys, no spaces, ASCII only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
