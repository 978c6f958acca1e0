"""A run with scripted roles, and a sandbox that only pretends: fast enough to be run by the dozen."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agentfly import Agent
from agentfly.protocols import Execution, Tool
from agentfly.testing import ScriptedModel
from agentfly.types import Message

SECRET = "zq-8417-secret"
RIGHT = "```python\nfinal_answer(sum([1, 2, 3]))\n```"
WRONG = "```python\nfinal_answer(7)\n```"
WORSE = "```python\nfinal_answer(8)\n```"
FAILING = "```python\n1 / 0\n```"
RULE = "When numbers are to be added, use sum()."
DELTA = json.dumps({"reason": "new", "operations": [{"op": "add", "section": "strategies", "text": RULE}]})
GARBAGE = "nothing like JSON"
QUESTION = "What is 1 + 2 + 3?"

_RUNS = {
    "final_answer(sum([1, 2, 3]))": Execution(answered=True, answer=6),
    "final_answer(7)": Execution(answered=True, answer=7),
    "final_answer(8)": Execution(answered=True, answer=8),
    "1 / 0": Execution(error="ZeroDivisionError: division by zero"),
}


class PretendedSandbox:
    """Knows what the blocks above come to."""

    tier = "pretended"
    tools: Sequence[Tool] = ()

    def __init__(self, *_: object, **__: object) -> None: ...

    @asynccontextmanager
    async def open(self, workspace: Path, tools: Sequence[Tool] = (), **_: object) -> AsyncIterator[PretendedSandbox]:
        yield self

    async def run(self, code: str, timeout: float) -> Execution:
        return _RUNS[code]

    async def close(self) -> None:
        """Nothing to end."""


def pretend(patch: pytest.MonkeyPatch) -> None:
    """Have agents run no code."""
    patch.setattr("agentfly.tools.python.PythonSandbox", PretendedSandbox)


def diagnosis(insight: str = "Add the numbers with sum().", approach: str = "Call sum on the list.") -> str:
    """A reflector's reply on a failure."""
    return json.dumps({"diagnosis": "It guessed.", "cause": "haste", "approach": approach, "insight": insight})


def shortcut(insight: str = "Never divide by zero.") -> str:
    """A reflector's reply on a hard-won success."""
    return json.dumps({"diagnosis": "It divided by zero.", "insight": insight})


def agent_with(home: Path, replies: Any, **settings: Any) -> tuple[Agent, ScriptedModel]:
    """An agent and its model; settings by dotted key, with two underscores for the dot."""
    model = ScriptedModel(replies if callable(replies) else list(replies))
    dotted = {key.replace("__", "."): value for key, value in settings.items()}
    return Agent(model=model, home=home, settings=dotted), model


def role(messages: Sequence[Message]) -> str:
    """Who is asked."""
    starts = {"You solve tasks": "generator", "You review an attempt": "reflector", "You keep a playbook": "curator"}
    return next(name for start, name in starts.items() if messages[0].content.startswith(start))


def called(model: ScriptedModel) -> list[tuple[str, str]]:
    """Each call: who was asked, and the whole prompt."""
    return [(role(call.messages), "\n".join(message.content for message in call.messages)) for call in model.calls]


def roles(model: ScriptedModel) -> list[str]:
    """Who was asked, call by call."""
    return [name for name, _ in called(model)]
