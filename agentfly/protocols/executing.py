"""Tools, and running code that a model wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

Risk = Literal["read", "write", "execute", "network"]


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
    untrusted: bool = False
    """Whether one of them has the risk ``network``, so that content from outside may have been read."""


@runtime_checkable
class CodeWorker(Protocol):
    """Runs blocks of model-written Python in another process and keeps their variables in between."""

    @property
    def tier(self) -> str:
        """How the process is confined: ``bubblewrap`` or ``process``."""
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

    def open(self, workspace: Path, tools: Sequence[Tool] = ()) -> AbstractAsyncContextManager[CodeWorker]:
        """A worker whose working folder is `workspace`; it is closed on leaving the context.

        Args:
            workspace: folder that the code may read and write.
            tools: offered as functions besides the sandbox's own.

        Raises:
            SandboxError: on entering, when no tier works on this machine.
        """
        ...
