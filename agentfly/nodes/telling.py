"""Telling: the events of an attempt, each once, also where the attempt begins again and comes by the same place."""

from __future__ import annotations

from collections import Counter
from typing import Any

from agentfly.events import CodeStarted, StepFinished, TextDelta
from agentfly.nodes.journal import Kept
from agentfly.nodes.state import Emit


class Teller:
    """Emits the events of one beginning of an attempt.

    Args:
        emit: takes events.
        told: how often each event of the attempt was emitted in this process; counted on here.
        journal: of the attempt.
    """

    def __init__(self, emit: Emit, told: Counter[str], journal: Kept) -> None:
        self._emit, self._told, self._journal = emit, told, journal
        self._met: Counter[str] = Counter()

    def __call__(self, event: Any) -> None:
        if isinstance(event, TextDelta):  # a reply from the record brings none
            self._emit(event)
            return
        if isinstance(event, CodeStarted) and self._journal.replaying:
            return
        name = _name(event)
        self._met[name] += 1
        if self._met[name] > self._told[name]:
            self._told[name] = self._met[name]
            self._emit(event)


def _name(event: Any) -> str:
    """What an event is about, whatever time it took this time."""
    if isinstance(event, StepFinished):
        return f"step {event.step.index} {event.step.action}"
    return repr(event)
