"""What an agent that is not ours is told, and how a function wants to be told it."""

from __future__ import annotations

import contextvars
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from inspect import Parameter
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from agentfly.errors import ConfigError
from agentfly.models.detached import detached
from agentfly.types import Task

Place: TypeAlias = Literal["argument", "system", "question"]
"""Where what was recalled goes: an argument, a system message, or before the question."""
OnState: TypeAlias = Callable[[Any, int], None]
"""Told of the state of an agent that shows it on its way, and of how many messages it was sent."""
ON_REQUEST = ("context", "task", "files", "workspace")
"""What a function may ask for by name, beside the question."""
_PLACED = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_NAMED = (Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_OPEN = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an agent is told."""

    question: str
    context: str = ""
    """What was learned: instructions, rules and cases."""
    note: str = ""
    """What belongs to this very attempt: the files, the last attempt's lesson, an objection to its answer."""
    task: Task
    files: tuple[Path, ...] = ()
    """The attempt's own copies of the task's files."""
    workspace: Path
    """The folder that they are in, where the agent may put what it produces."""

    def whole(self) -> str:
        """Everything but the question."""
        return "\n\n".join(filter(None, (self.context, self.note)))

    def asked(self) -> str:
        """The question with its note, for those that are told the context elsewhere."""
        return "\n\n".join(filter(None, (self.question, self.note)))

    def in_one(self) -> str:
        """Everything as one text."""
        return f"{self.context}\n\nTask: {self.asked()}" if self.context else self.asked()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gave:
    """What an agent gave."""

    output: Any
    sent: int = 0
    """How many messages it was sent, which may come back in its output."""


class Callee(Protocol):
    """An agent that is not ours."""

    @property
    def name(self) -> str: ...

    async def call(self, told: Told, on_state: OnState) -> Gave:
        """Have it work on a task; what it raises is raised."""
        ...


class Asked:
    """What a function asks for, by its signature.

    Args:
        function: anything that can be called.
        name: how it is called in errors.
        place: where the context is to go, where the caller said so.

    Raises:
        ConfigError: it cannot be called with what there is.
    """

    def __init__(self, function: Callable[..., Any], name: str, place: Place | None = None) -> None:
        self._as_task, self._named, self._second = _read(function, name)
        can = self._second or "context" in self._named
        if place == "argument" and not can:
            raise ConfigError(
                f"{name} takes no context: give it a parameter named context, or another place than 'argument'"
            )
        if place == "system":
            raise ConfigError(
                f"{name} is a function and takes no system message: the context may be an argument, or in the question"
            )
        self._in_argument = can and place != "question"

    def arguments(self, told: Told) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and named arguments of a call."""
        context = told.whole() if self._in_argument else ""
        question = told.question if self._in_argument else told.in_one()
        known = {"question": question, "context": context}
        named = {name: known.get(name, getattr(told, name)) for name in self._named}
        if "question" in named:
            return (), named
        first: Any = replace(told.task, question=question) if self._as_task else question
        return ((first, context) if self._second else (first,)), named


class Function:
    """A function, plain or asynchronous. A plain one runs in a thread of its own, which nothing can end before its time.

    Args:
        function: takes the question and, where it asks for them, ``context``, ``task``, ``files`` and ``workspace``.
        name: for the record.
        place: where the context is to go.

    Raises:
        ConfigError: it cannot be called with what there is.
    """

    def __init__(self, function: Callable[..., Any], name: str, place: Place | None = None) -> None:
        self._function, self._name = function, name
        self._asked = Asked(function, name, place)
        called = getattr(type(function), "__call__", None)  # noqa: B004  whether it can be called is known
        self._asynchronous = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)

    @property
    def name(self) -> str:
        return self._name

    async def call(self, told: Told, on_state: OnState) -> Gave:
        """As `Callee.call`."""
        placed, named = self._asked.arguments(told)
        work = partial(self._function, *placed, **named)
        result = work() if self._asynchronous else await in_thread(work)
        return Gave(output=await result if inspect.isawaitable(result) else result)


async def in_thread(work: Callable[[], Any]) -> Any:
    """Run `work` in a thread that nobody waits for once its time is up, with the context variables of here."""
    here = contextvars.copy_context()
    return await detached(lambda: here.run(work), "wrapped")


def _read(function: Callable[..., Any], name: str) -> tuple[bool, tuple[str, ...], bool]:
    """Whether the question goes in as a `Task`, what is asked for by name, and whether the second argument is the context."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # of something that is built in nobody knows
        return False, (), False
    placed = [p for p in parameters if p.kind in _PLACED]
    named = [p for p in parameters if p.kind in _NAMED]
    by_name = any(p.name == "question" for p in named) and not (placed and placed[0].name == "question")
    if not (placed or by_name or any(p.kind is Parameter.VAR_POSITIONAL for p in parameters)):
        raise ConfigError(f"{name} takes no question: wrap a function such as f(question: str) -> str")
    taken = [] if by_name else [p.name for p in placed[:1]]
    second = next((p for p in placed[1:2] if not by_name and _is_context(p, named)), None)
    taken += [second.name] if second else []
    wanted = ("question", *ON_REQUEST) if by_name else ON_REQUEST
    asked = tuple(p.name for p in named if p.name in wanted and p.name not in taken)
    _refuse_more(parameters, {*taken, *asked}, name)
    as_task = not by_name and bool(placed) and placed[0].annotation in (Task, "Task", "agentfly.Task")
    return as_task, asked, second is not None


def _is_context(second: Parameter, named: list[Parameter]) -> bool:
    """Whether a second parameter of any name is meant for the context: one that must be given, where none is named so."""
    return (
        second.default is Parameter.empty and second.name not in ON_REQUEST and all(p.name != "context" for p in named)
    )


def _refuse_more(parameters: list[Parameter], known: set[str], name: str) -> None:
    needed = [p for p in parameters if p.default is Parameter.empty and p.kind not in _OPEN and p.name not in known]
    if needed:
        raise ConfigError(
            f"{name} needs {' and '.join(p.name for p in needed)}, which agentfly does not know. It gives the question and, by name, "
            f"{', '.join(ON_REQUEST)}: wrap a function of these that calls yours"
        )
