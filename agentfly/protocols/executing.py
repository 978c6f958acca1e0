"""Tools, and running code that a model wrote."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

Risk = Literal["read", "write", "execute", "network"]
"""What a call may do: look at what is here, change something, run a program, or reach the network."""
Origin = Literal["", "file", "web", "mcp"]
"""Where content that a tool brings comes from; empty where the person or the tool itself made it."""
OUTSIDE: frozenset[Origin] = frozenset({"web", "mcp"})
"""Origins that the person did not choose the content of."""
_OUTSIDE = re.compile(r"mcp|web|brows|fetch|search|https?_|url|crawl|scrap|internet|download", re.IGNORECASE)


def reads_outside(name: str) -> bool:
    """Whether a tool of another agent, of which only the name is known, is to be taken for one that reads content from outside."""
    return _OUTSIDE.search(name) is not None


@runtime_checkable
class Tool(Protocol):
    """Something a generator can call."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON schema of the arguments, an object."""
        ...

    @property
    def risk(self) -> Risk: ...

    async def call(self, arguments: Mapping[str, Any]) -> Any:
        """Run the tool.

        Returns:
            A JSON-able value or text.

        Raises:
            ToolError: wrong arguments or a refusal; the text goes to the model.
        """
        ...


def origin_of(tool: Tool) -> Origin:
    """Where what a tool brings comes from: its attribute ``origin`` where it has one, else the web for a tool of the risk ``network``."""
    told: Origin | None = getattr(tool, "origin", None)
    if told is not None:
        return told
    return "web" if tool.risk == "network" else ""


Call: TypeAlias = Callable[[Tool, Mapping[str, Any]], Awaitable[Any]]
"""Calls a tool with arguments by name; as `Tool.call`."""


async def call_directly(tool: Tool, arguments: Mapping[str, Any]) -> Any:
    """A `Call` with nothing in between."""
    return await tool.call(arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What came of running one block of code."""

    output: str = ""
    """What was printed to stdout and stderr, the middle cut out where it was too long."""
    value: str | None = None
    """The value of the last expression as a REPL echoes it; None where there is none or it is None."""
    error: str | None = None
    """What went wrong, for the model to read: the lines of its code that were running, then the exception."""
    answered: bool = False
    """Whether the code called ``final_answer``."""
    answer: Any = None
    """What ``final_answer`` was given, as plain JSON data."""
    seconds: float = 0.0
    """Time the block ran, tool calls included."""
    timed_out: bool = False
    restarted: bool = False
    """Whether the worker had to be started again, so that all variables are lost."""
    tools: tuple[str, ...] = ()
    """Names of the tools that the code called, in the order of their first call; calls that failed count."""
    origins: tuple[Origin, ...] = ()
    """Where what these tools brought came from, each once; see `origin_of`."""

    @property
    def untrusted(self) -> bool:
        """Whether content from outside may have been read."""
        return any(origin in OUTSIDE for origin in self.origins)


@runtime_checkable
class CodeWorker(Protocol):
    """Runs blocks of model-written Python in another process and keeps their variables in between."""

    @property
    def tier(self) -> str:
        """How the process is confined: ``bubblewrap``, ``landlock``, ``seatbelt`` or ``unsafe``."""
        ...

    async def run(self, code: str, timeout: float) -> Execution:
        """Run one block.

        Args:
            code: Python source.
            timeout: seconds that it may take, tool calls not counted.

        Raises:
            SandboxError: the worker cannot be started here. Whatever the code does is an `Execution`.
        """
        ...

    async def close(self) -> None:
        """End the process and everything that it started. May be called twice."""
        ...


@runtime_checkable
class Sandbox(Protocol):
    """Opens workers."""

    @property
    def tools(self) -> Sequence[Tool]:
        """Tools that every worker offers as functions."""
        ...

    def open(
        self,
        workspace: Path,
        tools: Sequence[Tool] = (),
        *,
        call: Call = call_directly,
        readonly: Sequence[str] = (),
    ) -> AbstractAsyncContextManager[CodeWorker]:
        """A worker whose working folder is `workspace`; it is closed on leaving the context.

        Args:
            workspace: folder that the code may read and write.
            tools: offered as functions besides the sandbox's own.
            call: makes every call of a tool.
            readonly: names of files in `workspace` that the code must not change: the task's attachments.

        Raises:
            SandboxError: on entering, when no tier works on this machine.
        """
        ...
