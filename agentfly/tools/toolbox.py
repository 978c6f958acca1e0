"""Any Python function as a tool."""

from __future__ import annotations

import asyncio
import copy
import inspect
import keyword
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model
from pydantic_core import PydanticSerializationError, from_json, to_json

from agentfly.errors import ConfigError, ToolError
from agentfly.protocols import Call, Origin, Risk, Tool, call_directly


class FunctionTool:
    """A `Tool` made of a function; it can still be called as the function it is.

    Args:
        function: plain (then it runs in a thread) or async; each parameter by name.
        name: by default the function's.
        description: by default its docstring.
        risk: what it may do to the outside.
        origin: where what it brings comes from; by default the web where its risk is ``network``.

    Raises:
        ConfigError: the signature cannot be described, for example because of ``*args``.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        risk: Risk = "read",
        origin: Origin | None = None,
    ) -> None:
        self._function = function
        self._name: str = name or getattr(function, "__name__", None) or type(function).__name__
        self._description = description if description is not None else inspect.getdoc(function) or ""
        self._risk: Risk = risk
        self.origin: Origin = origin if origin is not None else "web" if risk == "network" else ""
        self._arguments = _model(function, self._name)
        try:
            self._schema = self._arguments.model_json_schema()
        except PydanticUserError as error:
            raise ConfigError(f"{self._name} cannot be a tool: {error.message}") from None

    @property
    def name(self) -> str:
        return self._name

    @property
    def description(self) -> str:
        return self._description

    @property
    def schema(self) -> Mapping[str, Any]:
        return self._schema

    @property
    def risk(self) -> Risk:
        return self._risk

    def doing(self, function: Callable[..., Any]) -> FunctionTool:
        """The same tool with another function of the same parameters; what describes it is shared, for to make that takes milliseconds."""
        other = copy.copy(self)
        other._function = function
        return other

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function itself, unchanged."""
        return self._function(*args, **kwargs)

    async def call(self, arguments: Mapping[str, Any]) -> Any:
        """Run the function with arguments that were checked and converted to its annotations.

        Raises:
            ToolError: wrong arguments, or the function raised.
        """
        try:
            checked = self._arguments.model_validate(dict(arguments))
        except ValidationError as error:
            raise ToolError(f"{self._name}: {_explain(error)}. Call it as {signature(self)}") from None
        fields = self._arguments.model_fields
        values = {field.alias or name: getattr(checked, name) for name, field in fields.items()}
        try:
            if inspect.iscoroutinefunction(self._function):
                result = await self._function(**values)
            else:
                result = await asyncio.to_thread(self._function, **values)
                if inspect.isawaitable(result):
                    result = await result
        except ToolError:
            raise
        except Exception as error:  # whatever a tool raises, the model has to deal with
            raise ToolError(f"{self._name} failed: {type(error).__name__}: {error}") from error
        return jsonable(result)


@overload
def tool(function: Callable[..., Any], /) -> FunctionTool: ...
@overload
def tool(
    *, name: str | None = None, description: str | None = None, risk: Risk = "read", origin: Origin | None = None
) -> Callable[[Callable[..., Any]], FunctionTool]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    risk: Risk = "read",
    origin: Origin | None = None,
) -> FunctionTool | Callable[[Callable[..., Any]], FunctionTool]:
    """Make a function a tool; the schema comes from its signature, the description from its docstring."""

    def wrap(target: Callable[..., Any]) -> FunctionTool:
        return FunctionTool(target, name=name, description=description, risk=risk, origin=origin)

    return wrap if function is None else wrap(function)


def as_tool(item: Any, *, risk: Risk | None = None, origin: Origin | None = None) -> Tool:
    """Anything that can be called as a tool: a tool as it is, a function or a tool of LangChain made one.

    Args:
        item: a `Tool`, a function, or a ``BaseTool`` of LangChain (`agentfly.tools.langchain`).
        risk: what it may do to the outside; by default ``read`` for a function, ``network`` for a tool of LangChain.
        origin: where what it brings comes from; by default the web where the risk is ``network``.

    Raises:
        ConfigError: it cannot be a tool, or is one already whose risk and origin were settled where it was made.
    """
    from agentfly.tools.langchain import LangChainTool, is_langchain_tool

    if isinstance(item, Tool):
        if risk is not None or origin is not None:
            raise ConfigError(f"{item.name} is a tool already: give its risk and origin where it is made")
        return item
    if is_langchain_tool(item):
        return LangChainTool(item, risk=risk or "network", origin="web" if origin is None else origin)
    return FunctionTool(item, risk=risk or "read", origin=origin)


async def call_positionally(target: Tool, args: object, kwargs: object, call: Call = call_directly) -> Any:
    """Call a tool the way Python code does.

    Args:
        target: the tool; positional arguments follow the order of its schema.
        args: list of positional arguments.
        kwargs: dict of named ones.
        call: makes the call.

    Raises:
        ToolError: too many arguments, or one given twice, or the tool's own.
    """
    names = list(target.schema.get("properties", {}))
    positional = list(args) if isinstance(args, Sequence) and not isinstance(args, str) else []
    named = dict(kwargs) if isinstance(kwargs, Mapping) else {}
    if len(positional) > len(names):
        raise ToolError(f"{target.name} takes at most {len(names)} arguments. Call it as {signature(target)}")
    arguments = dict(zip(names, positional, strict=False))
    if twice := arguments.keys() & named.keys():
        raise ToolError(f"{target.name}: {', '.join(sorted(twice))} was given twice. Call it as {signature(target)}")
    return jsonable(await call(target, {**arguments, **named}))


def signature(target: Tool) -> str:
    """A tool as a Python call, such as ``search(query: string, limit: integer = 5)``."""
    required = set(target.schema.get("required", ()))
    parts = []
    for name, field in target.schema.get("properties", {}).items():
        kind = field.get("type", "any")
        default = "" if name in required else f" = {field.get('default')!r}"
        parts.append(f"{name}: {kind}{default}")
    return f"{identifier(target.name)}({', '.join(parts)})"


def identifier(name: str) -> str:
    """A tool's name as Python code can write it."""
    cleaned = re.sub(r"\W", "_", name)
    return f"_{cleaned}" if not cleaned or cleaned[0].isdigit() or keyword.iskeyword(cleaned) else cleaned


def jsonable(value: Any) -> Any:
    """A value as JSON data; text where it cannot be."""
    try:
        return from_json(to_json(value, inf_nan_mode="strings"))
    except (PydanticSerializationError, ValueError):
        return str(value)


def _model(function: Callable[..., Any], name: str) -> type[BaseModel]:
    try:
        parameters = inspect.signature(function, eval_str=True).parameters
    except (NameError, TypeError, ValueError) as error:
        raise ConfigError(f"{name} cannot be a tool: {error}") from None
    fields: dict[str, Any] = {}
    for number, parameter in enumerate(parameters.values()):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise ConfigError(f"{name} cannot be a tool: give each parameter a name, without * or /")
        kind = Any if parameter.annotation is parameter.empty else parameter.annotation
        default = ... if parameter.default is parameter.empty else parameter.default
        # A field name of our own with the parameter's as alias: parameters may be called `schema` or `_x`.
        fields[f"p{number}"] = (kind, Field(default, alias=parameter.name))
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=False)
    try:
        made: type[BaseModel] = create_model(name, __config__=config, **fields)
    except PydanticUserError as error:
        raise ConfigError(f"{name} cannot be a tool: {error.message}") from None
    return made


def _explain(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False)[:3]
    return "; ".join(f"{'.'.join(str(part) for part in p['loc'])}: {p['msg']}" for p in problems)
