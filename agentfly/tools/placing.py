"""Tools that work in a folder: made once, then placed in the workspace of each attempt."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from agentfly.protocols import Origin, Risk, Tool
from agentfly.tools.toolbox import FunctionTool


@runtime_checkable
class Placed(Protocol):
    """A tool that needs a folder to work in before it can be called."""

    def at(self, workspace: Path) -> Tool:
        """The same tool, of the same name, schema and risk, working in a folder."""
        ...


def place(tools: Iterable[Tool], workspace: Path) -> list[Tool]:
    """Tools for one attempt: those that work in a folder are placed in its workspace, the others stay as they are.

    Args:
        tools: in any order, which is kept.
        workspace: the attempt's folder.
    """
    return [cast(Placed, tool).at(workspace) if _placed(type(tool)) else tool for tool in tools]


@cache  # asking a protocol takes longer than all else here
def _placed(kind: type) -> bool:
    return issubclass(kind, Placed)


class FolderTool:
    """A tool made of a function whose first parameter is the folder, which no caller gives.

    Args:
        function: plain or async; the docstring describes the tool.
        risk: what it may do to the outside.
        origin: where what it brings comes from.
    """

    def __init__(self, function: Callable[..., Any], *, risk: Risk = "read", origin: Origin = "file") -> None:
        self._function = function
        self._risk: Risk = risk
        self.origin: Origin = origin
        name, described = getattr(function, "__name__", "tool"), inspect.getdoc(function) or ""
        self._told = FunctionTool(partial(function, Path()), name=name, description=described, risk=risk, origin=origin)

    @property
    def name(self) -> str:
        return self._told.name

    @property
    def description(self) -> str:
        return self._told.description

    @property
    def schema(self) -> Mapping[str, Any]:
        return self._told.schema

    @property
    def risk(self) -> Risk:
        return self._risk

    def at(self, workspace: Path) -> FunctionTool:
        """As `Placed.at`."""
        return self._told.doing(partial(self._function, workspace))

    async def call(self, arguments: Mapping[str, Any]) -> Any:
        """Not to be called before it is placed.

        Raises:
            RuntimeError: always; whoever makes attempts has to place its tools.
        """
        raise RuntimeError(
            f"{self.name} has no folder to work in: call {self.name}.at(folder), or place(tools, folder)"
        )
