"""A person as the judge of an attempt."""

from __future__ import annotations

import asyncio
import inspect
import logging
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, TypeAlias
from weakref import WeakKeyDictionary

from agentfly.protocols import Hearing
from agentfly.scorers.fencing import cut
from agentfly.scorers.function import in_thread
from agentfly.scorers.reference import missing, verdict
from agentfly.scorers.terminal import Terminal
from agentfly.types import Attempt, Feedback, Task

_log = logging.getLogger("agentfly.scorers")

Ask: TypeAlias = Callable[[str], "str | Awaitable[str | None] | None"]
"""Puts a text before a person and gives the line that they type; None or an empty line for no answer. Plain or async."""

_LONGEST = 2000
_TRIES = 3
_RIGHT = "right? [y]es, [n]o, a number from 0 to 1, or Enter for no verdict: "
_WHY = "why? (Enter to leave it open) "
_WORDS = {"y": 1.0, "yes": 1.0, "n": 0.0, "no": 0.0}
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class HumanScorer:
    """Shows a person the question and the answer, and asks how good it is and why; one question after the other.

    An empty line is no verdict. What a model wrote is shown with its control characters spelled out.

    Args:
        ask: asks the person; at the terminal by default. A plain function runs in a thread of its own.
    """

    name: ClassVar[str] = "human"
    ask: Ask = field(default_factory=Terminal)

    def check(self) -> None:
        """Raise `ConfigError` where nobody can be asked."""
        if isinstance(self.ask, Terminal):
            self.ask.check()

    def at(self, hearing: Hearing) -> HumanScorer:
        """As `AskingScorer.at`: a person costs no tokens."""
        return self

    async def score(self, task: Task, attempt: Attempt, workspace: Path) -> Feedback | None:
        """Ask; None where the person gives no verdict.

        Raises:
            ConfigError: nobody can be asked.
        """
        if attempt.answer is None:
            return missing("human")
        async with _turn():
            reward = await self._reward(f"\n{_shown(task, attempt.answer)}\n{_RIGHT}")
            if reward is None:
                return None
            why = await self._line(_WHY)
        return Feedback(reward=reward, text=why or verdict(attempt.answer, reward >= 0.5), source="human")

    async def _reward(self, prompt: str) -> float | None:
        for _ in range(_TRIES):
            typed = await self._line(prompt)
            if not typed:
                return None
            reward = _as_reward(typed)
            if reward is not None:
                return reward
            prompt = f"{_plain(typed)[:40]!r} is none of these. {_RIGHT}"
        _log.warning("no verdict could be read from what was typed %d times; the attempt has no feedback", _TRIES)
        return None

    async def _line(self, prompt: str) -> str:
        if inspect.iscoroutinefunction(self.ask) or inspect.iscoroutinefunction(type(self.ask).__call__):
            said = self.ask(prompt)
        else:
            said = await in_thread(self.ask, [prompt])
        typed = await said if inspect.isawaitable(said) else said
        return (typed or "").strip()


def _turn() -> asyncio.Lock:
    """The lock of this event loop: a lock cannot be shared between loops."""
    return _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())


def _as_reward(typed: str) -> float | None:
    if typed.lower() in _WORDS:
        return _WORDS[typed.lower()]
    try:
        value = float(typed)
    except ValueError:
        return None
    return value if 0.0 <= value <= 1.0 else None


def _shown(task: Task, answer: str) -> str:
    return f"question: {_plain(cut(task.question, _LONGEST))}\nanswer:   {_plain(cut(answer, _LONGEST))}"


def _plain(text: str) -> str:
    """The text with what could act on a terminal, hide or reorder spelled out."""
    hidden = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    return "".join(
        char if char in "\n\t" or unicodedata.category(char) not in hidden else f"\\u{{{ord(char):x}}}" for char in text
    )
