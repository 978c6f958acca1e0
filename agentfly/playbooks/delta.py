"""Deltas: the five operations in which every change to a playbook is written.

The models are strict about shape and lenient about content: a delta of the right shape always validates, and what its
operations ask for is refused one by one when it is applied.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema

from agentfly.types import BulletKind, Tag


def _encodable(value: object) -> object:
    """Lone surrogates cannot be stored or even validated; U+FFFD in their place is refused later, with a reason."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) and not _is_utf8(value) else value


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


Text: TypeAlias = Annotated[str, BeforeValidator(_encodable)]


class _Operation(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Add(_Operation):
    """A new bullet at the end of a section, which is created when there is none of that name."""

    op: Literal["add"] = "add"
    section: Text
    text: Text
    kind: BulletKind = "strategy"
    runs: tuple[Text, ...] = ()
    cases: tuple[Text, ...] = ()


class Update(_Operation):
    """A bullet says something else from now on; its id and counts stay."""

    op: Literal["update"] = "update"
    id: Text
    text: Text


class Merge(_Operation):
    """Several bullets become one: a new id, the place of the first, summed counts, joined provenance."""

    op: Literal["merge"] = "merge"
    ids: tuple[Text, ...]
    text: Text


class Remove(_Operation):
    """A bullet is taken out; history keeps it."""

    op: Literal["remove"] = "remove"
    id: Text


class TagBullet(_Operation):
    """A verdict on a bullet moves its counter; ``neutral`` moves none."""

    op: Literal["tag"] = "tag"
    id: Text
    tag: Tag


Operation: TypeAlias = Annotated[Add | Update | Merge | Remove | TagBullet, Field(discriminator="op")]
_OPERATION: TypeAdapter[Any] = TypeAdapter(Operation)


class Delta(BaseModel):
    """A list of operations on a playbook, and why."""

    model_config = ConfigDict(frozen=True)  # what else a model says beside its operations is passed over

    reason: Text = ""
    operations: tuple[Operation, ...]

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The schema that a model's reply is asked to follow; `runs` and `cases` are not for it to say."""
        return curator_schema()

    def __len__(self) -> int:
        return len(self.operations)

    def to_json(self) -> str:
        """One line of JSON that `model_validate_json` reads back."""
        return self.model_dump_json()

    @classmethod
    def salvage(cls, data: object) -> tuple[Delta, tuple[str, ...]]:
        """The well-formed part of what a model replied.

        Args:
            data: parsed JSON: an object with ``operations``, or the bare list of operations.

        Returns:
            The delta, and one line for each part that could not be used.
        """
        listed = data.get("operations", ()) if isinstance(data, dict) else data
        reason = (data.get("reason") or data.get("reasoning") or "") if isinstance(data, dict) else ""
        if not isinstance(listed, list | tuple):
            return cls(operations=()), ("operations is not a list",)
        kept, problems = [], []
        for index, item in enumerate(listed):
            try:
                kept.append(_OPERATION.validate_python(item))
            except ValidationError as error:
                problems.append(f"operation {index}: {_first_problem(error)}")
        return cls(reason=reason if isinstance(reason, str) else "", operations=tuple(kept)), tuple(problems)


class Proposed(Delta):
    """A delta as a model replied it: an operation that is malformed is left out and costs the others nothing.

    Where provenance is given it is passed over: runs and cases are not for a model to say.
    """

    @model_validator(mode="before")
    @classmethod
    def _salvaged(cls, data: object) -> object:
        """Raises: ValueError: there is no list of operations, or none of them is well-formed."""
        listed = data.get("operations") if isinstance(data, dict) else data
        if not isinstance(listed, list | tuple) or (not listed and not isinstance(data, dict)):
            raise ValueError('there is no list of "operations"')
        bare = [_without_provenance(item) for item in listed]
        delta, problems = Delta.salvage({**data, "operations": bare} if isinstance(data, dict) else bare)
        if problems and not delta.operations:
            raise ValueError("; ".join(problems[:5]))
        return {"reason": delta.reason, "operations": delta.operations}


def _without_provenance(item: object) -> object:
    if not isinstance(item, dict):
        return item
    return {key: value for key, value in item.items() if key not in {"runs", "cases"}}


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['msg']}" if place else problem["msg"]


def curator_schema(operations: int = 8, *, because: bool = False) -> dict[str, Any]:
    """JSON schema of a delta for structured output.

    Flat and strict: no references, every property required, no lengths of strings, which strict modes of providers
    refuse and grammars make slow.

    Args:
        operations: most operations that the reply may hold.
        because: whether each operation names the numbers of the insights that it rests on.
    """
    text = {"type": "string"}
    numbers = {"because": {"type": "array", "items": {"type": "integer"}, "minItems": 1}} if because else {}
    shapes: dict[str, dict[str, Any]] = {
        "add": {"section": text, "kind": {"type": "string", "enum": ["strategy", "check"]}, "text": text},
        "update": {"id": text, "text": text},
        "merge": {"ids": {"type": "array", "items": text, "minItems": 2}, "text": text},
        "remove": {"id": text},
        "tag": {"id": text, "tag": {"type": "string", "enum": ["helpful", "harmful", "neutral"]}},
    }
    variants = [_object({"op": {"type": "string", "enum": [op]}, **rest, **numbers}) for op, rest in shapes.items()]
    listed = {"type": "array", "items": {"anyOf": variants}, "maxItems": operations}
    return _object({"reason": text, "operations": listed})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
