"""What happens in a run, told to the client as progress."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Self

from agentfly.events import CasesRecalled, Curated, Event, Reflected, Retained, RunStarted, StepFinished

Report = Callable[[float, str], Awaitable[None]]
"""Takes how many things have happened so far, and the latest of them in a few words."""

BEAT_SECONDS = 10.0
"""A client hears something at least this often: many give up on a call that is silent for a minute."""
_WIDTH = 100


class Progress:
    """Passes events on to a client while a run goes on; use it as an async context.

    Args:
        report: sends one notification.
        beat: longest silence, in seconds.
    """

    def __init__(self, report: Report, beat: float = BEAT_SECONDS) -> None:
        self._report = report
        self._beat = beat
        self._told: asyncio.Queue[str] = asyncio.Queue()
        self._sender: asyncio.Task[None] | None = None

    def on_event(self, event: Event) -> None:
        """As `agentfly.running.OnEvent`."""
        if line := line_of(event):
            self._told.put_nowait(line)

    async def __aenter__(self) -> Self:
        self._sender = asyncio.create_task(self._send())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        assert self._sender is not None
        if kind is None:
            with contextlib.suppress(TimeoutError):  # a client that reads nothing does not hold up its answer for long
                await asyncio.wait_for(self._told.join(), 1.0)
        self._sender.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._sender

    async def _send(self) -> None:
        done, heard = 0, True
        async for line in self._lines():
            done += 1
            if heard:
                heard = await self._reach(done, line)

    async def _lines(self) -> AsyncIterator[str]:
        latest = "starting"
        while True:
            try:
                latest = await asyncio.wait_for(self._told.get(), self._beat)
            except TimeoutError:
                yield f"still at work after: {latest}"
                continue
            yield latest
            self._told.task_done()

    async def _reach(self, done: int, line: str) -> bool:
        """Send one; whether the client can still be reached."""
        from anyio import BrokenResourceError, ClosedResourceError

        try:
            await self._report(done, line)
        except (BrokenResourceError, ClosedResourceError, ConnectionError):
            return False
        return True


def line_of(event: Event) -> str:
    """An event in a few words; empty where it is not worth a notification."""
    match event:
        case RunStarted():
            return f"run {event.run_id} with {event.model}"
        case CasesRecalled():
            return f"{_count(len(event.cases), 'case')} and {_count(len(event.bullets), 'bullet')} shown"
        case StepFinished():
            step = event.step
            told = "gave the answer" if step.final else "failed" if step.error else "done"
            return f"step {step.index + 1} {told}: {_short(step.thought or step.action)}".rstrip(": ")
        case Reflected():
            return "reflected on the attempt"
        case Curated():
            return "playbook change kept" if event.accepted else "playbook change not kept"
        case Retained():
            return f"{_count(len(event.cases), 'case')} kept"
    return ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1].rstrip() + "…"
