"""Making the calls that a reply asks for: side by side where they only read, in order otherwise."""

from __future__ import annotations

import asyncio
import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from agentfly.errors import ToolError
from agentfly.generators.answers import answer_text
from agentfly.generators.briefing import clip, observed
from agentfly.generators.calls import Request, fitted, line
from agentfly.generators.marking import Fence
from agentfly.protocols import Call, CodeWorker, Execution, Tool, origin_of
from agentfly.tools.placing import place
from agentfly.tools.toolbox import identifier, jsonable

PYTHON, ANSWER = "python", "final_answer"
_PYTHON = {"type": "object", "properties": {"code": {"type": "string"}}, "required": ["code"]}
_ANSWER = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one call."""

    request: Request
    arguments: Mapping[str, Any] | None = None
    text: str = ""
    """What it gave, cut to the tool output limit."""
    error: str = ""
    """What went wrong, whole; empty where nothing did."""
    answer: str | None = None
    """The answer that it gave."""
    execution: Execution | None = None
    """Of the block that it ran."""

    @property
    def action(self) -> str:
        """The call as it is recorded: the code of a block, else one line of JSON."""
        if self.execution is not None:
            return str((self.arguments or {}).get("code"))
        return line(self.request.name, self.request.arguments if self.arguments is None else self.arguments)


class Offer:
    """What the model may call, by the name under which it is offered.

    Args:
        tools: the caller's.
        python: whether code can be run.
    """

    def __init__(self, tools: Sequence[Tool], python: bool) -> None:
        self._python = python
        self.tools = {identifier(tool.name)[:64]: tool for tool in tools}
        self.schemas: dict[str, Mapping[str, Any]] = {name: tool.schema for name, tool in self.tools.items()}
        told = {name: tool.description for name, tool in self.tools.items()}
        if python:
            self.schemas[PYTHON], told[PYTHON] = _PYTHON, "Run a block of Python and see what it prints."
        self.schemas[ANSWER], told[ANSWER] = _ANSWER, "Give the answer to the task, and end."
        self.descriptions = tuple(
            {"type": "function", "function": {"name": name, "description": told[name], "parameters": dict(schema)}}
            for name, schema in self.schemas.items()
        )

    def at(self, workspace: Path) -> Offer:
        """The same, with the tools that work in a folder placed in `workspace`."""
        return Offer(place(self.tools.values(), workspace), self._python)


@dataclass(frozen=True, slots=True, kw_only=True)
class Performer:
    """Makes calls and says what came of each; mistakes of the model are results too."""

    offer: Offer
    worker: CodeWorker | None
    chars: int
    """Longest result."""
    fence: Fence
    """Marks what came from elsewhere."""
    call: Call
    """Makes the calls of tools."""
    begin: Callable[[Result], None]
    """Told of each call before it is made."""
    seconds: Callable[[str], float]
    """Longest time of a call to the tool of that name."""

    async def perform(self, asked: Sequence[Request]) -> list[Result]:
        """Results in the order of the calls; an answer is taken after the others have run."""
        results: list[Result] = []
        for beside, group in groupby(asked, self._beside):
            if beside:
                tasks = [asyncio.ensure_future(self._one(request)) for request in group]
                try:
                    # To its end, also where one of them must wait for a person: what the others gave is kept, and those
                    # that must wait too are asked about together.
                    await asyncio.wait(tasks)
                finally:
                    for task in tasks:
                        task.cancel()
                problem = next(filter(None, [task.exception() for task in tasks]), None)
                if problem is not None:
                    raise problem
                results += [task.result() for task in tasks]
            else:
                results += [await self._one(request) for request in group]
        return results

    def _beside(self, request: Request) -> bool:
        tool = self.offer.tools.get(request.name)
        return tool is not None and tool.risk in ("read", "network")

    async def _one(self, request: Request) -> Result:
        schema = self.offer.schemas.get(request.name)
        if schema is None:
            return self._mistaken(request, None, self._unknown(request.name))
        arguments = fitted(request.arguments, schema)
        if arguments is None:
            wrote = clip(str(request.arguments), 200)
            names = ", ".join(schema.get("properties", {})) or "none"
            error = f"{request.name}: the arguments must be one JSON object (parameters: {names}), not {wrote}"
            return self._mistaken(request, None, error)
        if request.name in self.offer.tools:
            return await self._tool(self.offer.tools[request.name], request, arguments)
        own = "code" if request.name == PYTHON else "answer"
        if own not in arguments and len(arguments) == 1:  # the only argument, under another name
            arguments = {own: next(iter(arguments.values()))}
        if own not in arguments or (own == "code" and not isinstance(arguments[own], str)):
            return self._mistaken(request, arguments, f"{request.name}: {own}: Field required")
        if own == "answer":
            return Result(request=request, arguments=arguments, answer=answer_text(arguments[own]))
        return await self._python(request, arguments)

    async def _python(self, request: Request, arguments: dict[str, Any]) -> Result:
        assert self.worker is not None  # else it is not offered
        self.begin(Result(request=request, arguments=arguments, execution=Execution()))
        execution = await self.worker.run(arguments["code"], self.seconds(PYTHON))
        return Result(
            request=request,
            arguments=arguments,
            text=self.fence.around_output(observed(execution, self.chars), execution.origins),
            error="" if execution.answered else execution.error or "",
            answer=answer_text(execution.answer) if execution.answered else None,
            execution=execution,
        )

    async def _tool(self, tool: Tool, request: Request, arguments: dict[str, Any]) -> Result:
        self.begin(Result(request=request, arguments=arguments))
        seconds = self.seconds(request.name)
        try:
            async with asyncio.timeout(seconds):
                value = _shown(jsonable(await self.call(tool, arguments)))
        except ToolError as error:  # its words may be those of what was read
            mistaken = self._mistaken(request, arguments, str(error))
            return replace(mistaken, text=self.fence.around(mistaken.text, [origin_of(tool)]))
        except TimeoutError:
            return self._mistaken(request, arguments, f"{request.name} did not answer within {seconds:.3g} s")
        text = self.fence.around(clip(value, self.chars), [origin_of(tool)])
        return Result(request=request, arguments=arguments, text=text)

    def _mistaken(self, request: Request, arguments: Mapping[str, Any] | None, error: str) -> Result:
        return Result(request=request, arguments=arguments, text=clip(f"Error: {error}", self.chars), error=error)

    def _unknown(self, name: str) -> str:
        near = difflib.get_close_matches(name, self.offer.schemas, n=3) or list(self.offer.schemas)[:20]
        return f"there is no function named {clip(name, 80)!r}; there is {', '.join(near)}"


def _shown(value: Any) -> str:
    """What a tool gave, as text: a string as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
