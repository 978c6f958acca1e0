"""A user's own function as a scorer."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from agentfly.errors import InputError
from agentfly.scorers.reference import missing, verdict
from agentfly.types import Attempt, Feedback, FeedbackSource, Task

_log = logging.getLogger("agentfly.scorers")


class FunctionScorer:
    """Scores with a function, plain or async.

    It is called by the names of its parameters: ``task``, ``attempt``, ``workspace``, ``answer`` and ``reference`` get
    what they say; a function whose parameters have other names is called with (answer), (answer, reference) or
    (answer, reference, task) by their number. It returns a bool, a number in [0, 1], a `Feedback`, or None for no verdict.
    Without a reference there is no verdict of a function that asks for one, unless its annotation admits None.

    A plain function runs in a thread of its own. One that raises gives no verdict: that is not the attempt's fault.

    Args:
        function: the function.
        name: what the scorer is called; the function's name by default.

    Raises:
        InputError: the function takes parameters that cannot be given.
    """

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        self._function = function
        self._name = name or str(getattr(function, "__name__", type(function).__name__))
        self._wants = _parameters(function, self._name)
        self._needs_reference = "reference" in self._wants and not _admits_none(
            function, self._wants.index("reference")
        )

    @property
    def name(self) -> str:
        """What the scorer is called."""
        return self._name

    async def score(self, task: Task, attempt: Attempt, workspace: Path) -> Feedback | None:
        """Call the function.

        Raises:
            InputError: it returned something that is no reward.
        """
        if attempt.answer is None:
            return missing(self._source)
        if self._needs_reference and task.reference is None:
            return None
        known = {
            "task": task,
            "attempt": attempt,
            "workspace": workspace,
            "answer": attempt.answer,
            "reference": task.reference,
        }
        arguments = [known[name] for name in self._wants]
        try:
            value = await self._call(arguments)
        except Exception:  # noqa: BLE001  whatever a user's function raises; reported with its traceback
            _log.exception("the scorer %s failed; the attempt has no feedback", self._name)
            return None
        return self._feedback(value, attempt.answer)

    @property
    def _source(self) -> FeedbackSource:
        return "reference" if "reference" in self._wants else "environment"

    async def _call(self, arguments: list[Any]) -> Any:
        if _is_async(self._function):
            return await self._function(*arguments)
        value = await in_thread(self._function, arguments)
        return await value if inspect.isawaitable(value) else value

    def _feedback(self, value: Any, answer: str) -> Feedback | None:
        if value is None or isinstance(value, Feedback):
            return value
        try:
            reward = float(value)
            return Feedback(reward=reward, text=verdict(answer, reward >= 0.5), source=self._source)
        except (TypeError, ValueError):
            raise InputError(
                f"the scorer {self._name} returned {value!r}; return a bool, a number in [0, 1], a Feedback or None"
            ) from None


def _parameters(function: Callable[..., Any], name: str) -> tuple[str, ...]:
    known = ("task", "attempt", "workspace", "answer", "reference")
    required = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    positional = [p.name for p in required if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    strange = [p.name for p in required if p.kind is p.KEYWORD_ONLY]
    if strange or not 1 <= len(positional) <= len(known):
        raise InputError(f"the scorer {name} must take (answer), (answer, reference) or (task, attempt)")
    if all(p in known for p in positional):
        return tuple(positional)
    if len(positional) > 3 or any(p in known for p in positional):
        raise InputError(f"the scorer {name} must name its parameters from: {', '.join(known)}")
    return ("answer", "reference", "task")[: len(positional)]


def _admits_none(function: Callable[..., Any], index: int) -> bool:
    annotation = str(list(inspect.signature(function).parameters.values())[index].annotation)
    return "None" in annotation or "Optional" in annotation


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


async def in_thread(function: Callable[..., Any], arguments: list[Any]) -> Any:
    """Run in a daemon thread: unlike the loop's executor, it does not hold up the end of an interrupted program."""
    outcome: Future[Any] = Future()
    outcome.set_running_or_notify_cancel()

    def work() -> None:
        try:
            outcome.set_result(function(*arguments))
        except Exception as error:  # noqa: BLE001  handed over to the waiting side
            outcome.set_exception(error)

    threading.Thread(target=work, daemon=True, name="agentfly-scorer").start()
    return await asyncio.wrap_future(outcome)
