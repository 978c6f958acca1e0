"""Agents of LangChain's shape: chains, chat models, compiled LangGraph graphs. LangChain is never imported: who brings one has done so."""

from __future__ import annotations

import contextlib
import contextvars
import inspect
import secrets
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from agentfly.errors import ConfigError
from agentfly.generators.asking import Asked, Callee, Function, Gave, OnState, Place, Told, in_thread
from agentfly.generators.outcomes import INTERRUPT, MESSAGES

Shape: TypeAlias = Callable[[Told], Any]
"""Makes the input of a runnable."""
_TEXTS = ("question", "input", "query", "text", "prompt")
"""Names of fields that hold what is asked."""


class Runnable:
    """Whatever has ``ainvoke`` or ``invoke``.

    A graph is followed state by state, so that a limit can end it, and what it did before it failed is known.

    Args:
        runnable: it.
        name: for the record.
        place: where the context is to go.
        shape: makes its input: a function of the question and of what else it asks for by name; by default by its schema.
        config: goes along with each call.

    Raises:
        ConfigError: nobody can say what its input looks like.
    """

    def __init__(
        self,
        runnable: Any,
        name: str,
        place: Place | None = None,
        shape: Callable[..., Any] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self._runnable, self._name, self._config = runnable, name, dict(config or {})
        self._shape = _of_caller(shape, place) if shape is not None else _of_schema(runnable, name, place)
        self._streams = _takes(getattr(runnable, "astream", None), "stream_mode")

    @property
    def name(self) -> str:
        return self._name

    async def call(self, told: Told, on_state: OnState) -> Gave:
        """As `agentfly.generators.asking.Callee.call`."""
        given, more = self._shape(told), self._configured()
        messages = given.get(MESSAGES) if isinstance(given, Mapping) else None
        sent = len(messages) if isinstance(messages, list | tuple) else 0
        if self._streams:
            output = await self._followed(given, more, sent, on_state)
        elif callable(getattr(self._runnable, "ainvoke", None)):
            output = await self._runnable.ainvoke(given, **more)
        else:
            output = await in_thread(partial(self._runnable.invoke, given, **more))
        return Gave(output=output, sent=sent)

    async def _followed(self, given: Any, more: dict[str, Any], sent: int, on_state: OnState) -> Any:
        """The last state of a graph; of one that stopped to ask a person, with what it asks."""
        latest: Any = None
        async with contextlib.aclosing(
            self._runnable.astream(given, stream_mode=["updates", "values"], **more)
        ) as states:
            async for mode, state in states:
                if mode == "values":
                    latest = state
                    on_state(state, sent)
                elif isinstance(state, Mapping) and INTERRUPT in state:
                    latest = {**(latest if isinstance(latest, Mapping) else {}), INTERRUPT: state[INTERRUPT]}
        return latest

    def _configured(self) -> dict[str, Any]:
        """The config of one call. A graph with a memory of its own begins a new thread: attempts must not see one another."""
        config = dict(self._config)
        own = dict(config.get("configurable") or {})
        if getattr(self._runnable, "checkpointer", None) and "thread_id" not in own:
            config["configurable"] = {**own, "thread_id": f"agentfly-{secrets.token_hex(8)}"}
        return {"config": config} if config else {}


def apart() -> contextvars.Context:
    """The context for an agent that is not ours.

    Our own loop is a graph too: a graph that is called within it would take itself for a part of it, and write its checkpoints
    into ours.
    """
    here = contextvars.copy_context()
    for variable in here:
        if variable.name == "child_runnable_config":
            here.run(variable.set, None)
    return here


def callee(
    agent: Any,
    name: str = "",
    place: Place | None = None,
    shape: Callable[..., Any] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Callee:
    """An agent of any make as something that can be asked.

    Args:
        agent: a runnable or a function.
        name: for the record; by default its own.
        place: where the context is to go.
        shape: makes the input of a runnable.
        config: goes along with each call of a runnable.

    Raises:
        ConfigError: it is neither, or cannot be called with what there is.
    """
    if inspect.isclass(agent):
        raise ConfigError(f"{agent.__name__} is a class: wrap an object of it, or a function")
    if any(callable(getattr(agent, method, None)) for method in ("ainvoke", "invoke")):
        return Runnable(agent, name or _name(agent), place, shape, config)
    if not callable(agent):
        raise ConfigError(f"a {type(agent).__name__} can be neither called nor invoked: wrap a function or a runnable")
    if shape is not None or config is not None:
        raise ConfigError(
            "input= and config= are for runnables: wrap a function that calls yours as it wants to be called"
        )
    return Function(agent, name or _name(agent.func if isinstance(agent, partial) else agent), place)


def _name(agent: Any) -> str:
    names = (getattr(agent, attribute, None) for attribute in ("name", "__name__"))
    return next((name for name in names if isinstance(name, str) and name), type(agent).__name__)


def _of_caller(shape: Callable[..., Any], place: Place | None) -> Shape:
    asked = Asked(shape, "input=", place)

    def make(told: Told) -> Any:
        placed, named = asked.arguments(told)
        return shape(*placed, **named)

    return make


def _of_schema(runnable: Any, name: str, place: Place | None) -> Shape:
    """How a runnable wants its input, as far as its schema tells."""
    fields, needed = _fields(runnable)
    chats = any(kind.__name__ == "BaseChatModel" for kind in type(runnable).__mro__)
    if place == "argument" and (chats or "context" not in fields):
        raise ConfigError(f"the input of {name} has no field context: say where it goes, {_SAY}")
    if chats:
        return lambda told: _messages(told, place)
    if MESSAGES in fields and place != "argument":
        return lambda told: {MESSAGES: _messages(told, place)}
    if place == "system":
        raise ConfigError(f"{name} takes no messages, so there is no place for a system message")
    if not fields:
        return Told.in_one
    only = (needed or fields)[0] if len(needed or fields) == 1 else ""
    text = next((field for field in _TEXTS if field in fields), only)
    if not text or set(needed) - {text, "context"}:
        raise ConfigError(f"{name} takes {', '.join(needed or fields)}: say what goes where, {_SAY}")
    if "context" in fields and place != "question":
        return lambda told: {text: told.asked(), "context": told.context}
    empty = {"context": ""} if "context" in needed else {}
    return lambda told: {text: told.in_one(), **empty}


_SAY = "wrap(..., input=lambda question, context: {...})"


def _fields(runnable: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the fields of its input, and those that it cannot do without; none where it takes a text, or does not say."""
    state = getattr(getattr(runnable, "builder", None), "input_schema", None)
    if inspect.isclass(state):  # of a graph, which can begin with any part of its state
        kinds = [getattr(kind, "__annotations__", {}) for kind in reversed(state.__mro__)]
        named = getattr(state, "model_fields", None) or [name for names in kinds for name in names]
        return tuple(dict.fromkeys(named)), ()
    try:
        schema = runnable.get_input_jsonschema()
    except (AttributeError, TypeError, ValueError, LookupError, NameError, RuntimeError):
        return (), ()
    if not isinstance(schema, Mapping) or not isinstance(schema.get("properties"), Mapping):
        return (), ()
    return tuple(schema["properties"]), tuple(schema.get("required", ()))


def _messages(told: Told, place: Place | None) -> list[Any]:
    if place == "question":
        return [_message("user", told.in_one())]
    system = [_message("system", told.context)] if told.context else []
    return [*system, _message("user", told.asked())]


def _message(role: str, text: str) -> Any:
    """A message of LangChain's where LangChain is there: a node may look at it before anything makes one of a dictionary."""
    library = sys.modules.get("langchain_core.messages")
    kind = {"system": "SystemMessage", "user": "HumanMessage"}[role]
    return {"role": role, "content": text} if library is None else getattr(library, kind)(content=text)


def _takes(method: Any, parameter: str) -> bool:
    try:
        return parameter in inspect.signature(method).parameters
    except (TypeError, ValueError):
        return False
