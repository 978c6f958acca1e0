"""The journal of an attempt: model replies and results of tools are kept, so that it can begin again where it was.

An attempt begins again after its process was killed, or after it waited for a person. Its replies are then given in their
order without a call of the model, and what tools gave without a call of the tool: found by the tool's name, its arguments, and
how often that very call was made before. Blocks of code run again. What is not on record goes on live.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import monotonic
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from agentfly.errors import ToolError
from agentfly.nodes.permission import Permissions
from agentfly.nodes.state import Noted, Notes
from agentfly.protocols import CallOptions, Live, Model, Tool
from agentfly.records import from_json as record_of
from agentfly.records import to_data
from agentfly.types import Message, Reply

REPLY, BEGUN, RESULT, REFUSED = "reply", "begun", "result", "refused"
_BRIEF = "brief"
"""In the payload of an attempt's first entry: what the generator saw."""
CUT_OFF = (
    "the call of {} was cut off before its result came, so nobody knows whether it took effect. Look whether it did; if it "
    "did not, make it again"
)


class Kept:
    """A `Journal` that keeps what passes through it.

    Args:
        notes: where it is kept.
        run_id: a run that is on record.
        attempt: which attempt of it.
        entries: what is on record of this attempt, oldest first.
        permissions: which calls may be made.
        brief: goes with the first entry where there is none yet.
    """

    def __init__(
        self,
        notes: Notes,
        run_id: str,
        attempt: str,
        entries: Sequence[Noted],
        permissions: Permissions,
        brief: str = "",
    ) -> None:
        self._notes, self._run_id, self._attempt = notes, run_id, attempt
        self._permissions = permissions
        self._replies = [entry.payload for entry in entries if entry.kind == REPLY]
        self._known = {entry.key: entry for entry in entries if entry.kind in (RESULT, REFUSED)}
        self._cut = {entry.key for entry in entries if entry.kind == BEGUN} - self._known.keys()
        self._first = {} if entries else {_BRIEF: brief}
        self._given = 0
        self._calls: Counter[str] = Counter()
        self._begun, self._ahead = monotonic(), 0.0

    @property
    def replaying(self) -> bool:
        """Whether there are replies on record that were not given yet."""
        return self._given < len(self._replies)

    def clock(self) -> float:
        """As `Journal.clock`: it is at least where it was when what is given again came. Waiting for a person takes no time."""
        return monotonic() + self._ahead

    async def reply(self, ask: Callable[[], Awaitable[Reply]]) -> Reply:
        """As `Journal.reply`."""
        number, self._given = self._given, self._given + 1
        if number < len(self._replies):
            self._catch_up(self._replies[number])
            return _reply(self._replies[number])
        reply = await ask()
        await self._keep(REPLY, str(number), {"reply": to_data(reply)})
        return reply

    async def call(self, tool: Tool, arguments: Mapping[str, Any]) -> Any:
        """As `Journal.call`.

        Raises:
            Waiting: a person must permit the call first.
        """
        key = self._key(tool, arguments)
        if key in self._known:
            return self._again(self._known[key])
        self._permissions.check(tool, arguments, f"{self._attempt}/{key}")
        if key in self._cut:
            return await self._refused(key, ToolError(CUT_OFF.format(tool.name)))
        if tool.risk != "read":  # what changes something is not to be done twice
            await self._keep(BEGUN, key, {})
        try:
            value = _plain(await tool.call(arguments))
        except ToolError as error:
            return await self._refused(key, error)
        await self._keep(RESULT, key, {"value": value})
        return value

    def _again(self, entry: Noted) -> Any:
        self._catch_up(entry.payload)
        if entry.kind == REFUSED:
            raise ToolError(entry.payload["error"])
        return entry.payload["value"]

    async def _refused(self, key: str, error: ToolError) -> Any:
        await self._keep(REFUSED, key, {"error": str(error)})
        raise error

    def _key(self, tool: Tool, arguments: Mapping[str, Any]) -> str:
        same = _digest([tool.name, arguments])
        self._calls[same] += 1
        return f"{same}-{self._calls[same]}"

    async def _keep(self, kind: str, key: str, payload: Mapping[str, Any]) -> None:
        first, self._first = self._first, {}
        told = {**payload, **first, "elapsed": round(self.clock() - self._begun, 3)}
        # Each entry is on disk before the attempt goes on; other attempts need not wait for the disk.
        await asyncio.to_thread(self._notes.add, self._run_id, self._attempt, kind, key, told)

    def _catch_up(self, payload: Mapping[str, Any]) -> None:
        self._ahead += max(0.0, float(payload.get("elapsed", 0.0)) - (self.clock() - self._begun))


class Unkept(Live):
    """A journal that keeps nothing, of an attempt that cannot wait: what a person would have to permit is refused."""

    def __init__(self, permissions: Permissions) -> None:
        self._permissions = permissions

    async def call(self, tool: Tool, arguments: Mapping[str, Any]) -> Any:
        self._permissions.check(tool, arguments, "")
        return await tool.call(arguments)


class Remembered:
    """A model whose replies are kept by what was asked, for work on a run that may have to begin again.

    Args:
        model: who answers.
        notes: where replies are kept.
        run_id: a run that is on record.
        work: a word for the work.
    """

    def __init__(self, model: Model, notes: Notes, run_id: str, work: str, *, ordered: bool = False) -> None:
        self._model, self._notes, self._run_id, self._work = model, notes, run_id, work
        self._order = itertools.count() if ordered else None
        self._known = {
            entry.key: entry.payload
            for entry in notes.read(run_id)
            if entry.attempt == work and entry.kind == REPLY
        }  # fmt: skip

    @property
    def name(self) -> str:
        return self._model.name

    async def complete(
        self,
        messages: Sequence[Message],
        options: CallOptions = CallOptions(),
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """As `Model.complete`."""
        asked = [to_data(message) for message in messages]
        key = _digest(asked) if self._order is None else str(next(self._order))
        if key in self._known:
            return _reply(self._known[key])
        reply = await self._model.complete(messages, options, on_text)
        payload = {"reply": to_data(reply)}
        await asyncio.to_thread(self._notes.add, self._run_id, self._work, REPLY, key, payload)
        return reply

    async def aclose(self) -> None:
        """The model is released by who opened it."""


def opened(notes: Notes, run_id: str, attempt: str, seen: str, permissions: Permissions) -> Kept:
    """The journal of an attempt with what is on record of it.

    Args:
        notes: where it is kept.
        run_id: of the run.
        attempt: which attempt of it.
        seen: a hash of what the generator sees. An attempt that saw something else is another one: its record goes.
        permissions: which calls may be made.
    """
    entries = [entry for entry in notes.read(run_id) if entry.attempt == attempt]
    if entries and entries[0].payload.get(_BRIEF) != seen:
        notes.forget(run_id, attempt)
        entries = []
    return Kept(notes, run_id, attempt, entries, permissions, seen)


def paid(notes: Notes, run_id: str, finished: int) -> tuple[Reply, ...]:
    """Replies on record that no finished attempt has counted.

    Args:
        notes: the journal.
        run_id: of the run.
        finished: how many attempts are finished: those of lower numbers.
    """
    open_ = (entry for entry in notes.read(run_id) if entry.kind == REPLY and not _counted(entry.attempt, finished))
    return tuple(_reply(entry.payload) for entry in open_)


def _counted(attempt: str, finished: int) -> bool:
    """Whether an attempt is finished, or judging it is: that goes by its number and, after a dot, a name."""
    number = attempt.partition(".")[0]
    return number.isdecimal() and int(number) < finished


def _reply(payload: Mapping[str, Any]) -> Reply:
    return record_of(Reply, json.dumps(payload["reply"]))


def _digest(value: object) -> str:
    told = json.dumps(value, sort_keys=True, default=str).encode("utf-8", "replace")
    return hashlib.sha256(told).hexdigest()[:24]


def _plain(value: Any) -> Any:
    """A value as the JSON data that the record gives back."""
    try:
        return from_json(to_json(value, inf_nan_mode="strings"))
    except (PydanticSerializationError, ValueError):
        return str(value)
