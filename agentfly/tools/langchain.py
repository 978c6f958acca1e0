"""LangChain's tools as ours. LangChain is never imported here: whoever brings a tool of it has done so."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from typing import Any

from agentfly.errors import ConfigError, ToolError
from agentfly.protocols import Origin, Risk
from agentfly.tools.toolbox import jsonable, signature

_TOOLS, _RUNNABLES = "langchain_core.tools", "langchain_core.runnables"


def is_langchain_tool(item: object) -> bool:
    """Whether it is a ``BaseTool`` of LangChain.

    Raises:
        ConfigError: it is another ``Runnable``, which has no name and no schema yet.
    """
    if _is(item, _TOOLS, "BaseTool"):
        return True
    if _is(item, _RUNNABLES, "Runnable"):
        kind = type(item).__name__
        raise ConfigError(f"a {kind} is no tool yet: pass runnable.as_tool(name='...', description='...')")
    return False


class LangChainTool:
    """A `Tool` made of one of LangChain's.

    Args:
        tool: a ``BaseTool``: made by ``@tool``, ``StructuredTool``, ``Runnable.as_tool`` or a class of one's own.
        risk: what it may do to the outside.
        origin: where what it brings comes from. By default from outside, for nothing in a LangChain tool says otherwise.

    Raises:
        ConfigError: it has no schema, or needs arguments that only LangGraph can give.
    """

    def __init__(self, tool: Any, *, risk: Risk = "network", origin: Origin = "web") -> None:
        self._tool = tool
        self._risk: Risk = risk
        self.origin: Origin = origin
        self._schema = _schema(tool)
        self._takes_id = _takes_call_id(tool, self._schema)

    @property
    def name(self) -> str:
        return str(self._tool.name)

    @property
    def description(self) -> str:
        return str(self._tool.description)

    @property
    def schema(self) -> Mapping[str, Any]:
        return self._schema

    @property
    def risk(self) -> Risk:
        return self._risk

    async def call(self, arguments: Mapping[str, Any]) -> Any:
        """Run the tool in this event loop; one that is not asynchronous runs in a thread.

        Returns:
            Its content; an artifact that comes with it is for programs and left out.

        Raises:
            ToolError: wrong arguments, or the tool raised.
        """
        self._check(arguments)
        given: dict[str, Any] = dict(arguments)
        if self._takes_id:
            given = {"type": "tool_call", "id": f"call_{secrets.token_hex(8)}", "name": self.name, "args": given}
        try:
            result = await self._tool.ainvoke(given)
        except ToolError:
            raise
        except Exception as error:  # whatever a tool raises, the model has to deal with
            raise ToolError(self._explain(error)) from error
        if _is(result, "langchain_core.messages", "ToolMessage"):
            if result.status == "error":
                raise ToolError(f"{self.name}: {result.content}")
            result = result.content
        return jsonable(result)

    def _check(self, arguments: Mapping[str, Any]) -> None:
        """What LangChain would pass over in silence: names that are not there, and a plain schema's required ones."""
        properties = self._schema["properties"]
        open_ended = bool(self._schema.get("additionalProperties", False))
        unknown = [] if open_ended else [name for name in arguments if name not in properties]
        missing = [name for name in self._schema.get("required", ()) if name not in arguments]
        said = [f"there is no argument {name}" for name in unknown] + [f"{name} is missing" for name in missing]
        if said:
            raise ToolError(f"{self.name}: {'; '.join(said)}. Call it as {signature(self)}")

    def _explain(self, error: Exception) -> str:
        if _is(error, _TOOLS, "ToolException"):
            return f"{self.name}: {error}"
        if type(error).__name__ == "ValidationError" and callable(problems := getattr(error, "errors", None)):
            told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problems()[:3])
            return f"{self.name}: {told}. Call it as {signature(self)}"
        return f"{self.name} failed: {type(error).__name__}: {error}"


def _is(item: object, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(item, kind)


def _schema(tool: Any) -> dict[str, Any]:
    """JSON schema of what a model may give: arguments that are injected are left out of it."""
    if tool.args_schema is None and _is(tool, _TOOLS, "Tool"):  # takes one text; its own schema shows its insides
        return {"type": "object", "properties": dict(tool.args), "required": list(tool.args)}
    try:
        told = tool.tool_call_schema
        if not isinstance(told, Mapping):
            told = told.model_json_schema() if hasattr(told, "model_json_schema") else told.schema()
    except Exception as error:  # LangChain builds models from whatever the author wrote
        raise ConfigError(f"{tool.name} cannot be a tool: {type(error).__name__}: {error}") from error
    schema = {key: value for key, value in told.items() if key not in ("title", "description")}
    return {"type": "object", **schema, "properties": dict(schema.get("properties") or {})}


def _takes_call_id(tool: Any, schema: Mapping[str, Any]) -> bool:
    """Whether the tool wants to know the id of its call.

    Raises:
        ConfigError: it needs something else that a model does not give.
    """
    fields = getattr(tool.args_schema, "model_fields", None) or {}
    takes, by_id = False, getattr(sys.modules.get(_TOOLS), "InjectedToolCallId", None)
    for name, field in fields.items():
        if name in schema["properties"] or field.alias in schema["properties"]:
            continue
        if by_id is not None and any(mark is by_id or isinstance(mark, by_id) for mark in field.metadata):
            takes = True
        elif field.is_required():
            raise ConfigError(
                f"{tool.name} needs {name}, which only LangGraph can give it; wrap it in a function that does"
            )
    return takes
