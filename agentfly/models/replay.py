"""A model that remembers: records what a real one replied and replays it without asking again."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from agentfly.models.scripted import pieces
from agentfly.protocols import CallOptions, Model
from agentfly.records import from_json, to_data
from agentfly.types import Message, Reply

VERSION = 1
Mode = Literal["auto", "replay", "record"]


class ReplayMiss(AssertionError):
    """A call is not in the recording, and there is no model to ask."""


class ReplayModel:
    """Replays recorded replies; the same call made again gets the reply recorded for its next occurrence.

    Args:
        path: JSON Lines file; made when the first reply is recorded.
        model: whom to ask for what is not recorded.
        mode: ``auto`` asks `model` on a miss and records, ``replay`` never asks, ``record`` always asks.

    Raises:
        ValueError: the recording is damaged or of another version, or there is no model to record from.
    """

    def __init__(self, path: str | Path, model: Model | None = None, mode: Mode = "auto") -> None:
        if mode == "record" and model is None:
            raise ValueError("mode 'record' needs a model to record from")
        self._path = Path(path)
        self._model = None if mode == "replay" else model
        self._always_ask = mode == "record"
        self._replies = _load(self._path)
        self._seen: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """The real model's name, also when replayed."""
        if self._model is not None:
            return self._model.name
        return next((reply.model for reply in self._replies.values()), "replay")

    async def complete(
        self,
        messages: Sequence[Message],
        options: CallOptions = CallOptions(),
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """As `Model.complete`.

        Raises:
            ReplayMiss: not recorded and no model to ask.
        """
        key = call_key(messages, options)
        slot = (key, self._seen[key])
        self._seen[key] += 1
        reply = None if self._always_ask else self._replies.get(slot)
        if reply is not None:
            if on_text:
                for piece in pieces(reply.text):
                    on_text(piece)
            return reply
        if self._model is None:
            last = messages[-1].content[-200:] if messages else ""
            raise ReplayMiss(f"{self._path} has no reply for occurrence {slot[1] + 1} of a call ending with {last!r}")
        reply = await self._model.complete(messages, options, on_text)
        reply = replace(reply, model=reply.model or self._model.name)
        self._record(slot, reply)
        return reply

    async def aclose(self) -> None:
        """Close the real model."""
        if self._model is not None:
            await self._model.aclose()

    def _record(self, slot: tuple[str, int], reply: Reply) -> None:
        self._replies[slot] = reply
        row = {"v": VERSION, "key": slot[0], "occurrence": slot[1], "reply": to_data(reply)}
        line = json.dumps(row, ensure_ascii=False) + "\n"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        _drop_half_line(self._path)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line.encode())  # one write: two recorders do not mix their lines
        finally:
            os.close(descriptor)


def call_key(messages: Sequence[Message], options: CallOptions) -> str:
    """Name of a call: a hash of all that can change the reply, the time limit left out."""
    asked = [[to_data(message) for message in messages], to_data(replace(options, timeout=None))]
    canonical = json.dumps(asked, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _drop_half_line(path: Path) -> None:
    """Cut off what a killed recorder left after the last whole line."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        if file.seek(0, os.SEEK_END) and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)


def _load(path: Path) -> dict[tuple[str, int], Reply]:
    if not path.exists():
        return {}
    replies = {}
    whole = path.read_bytes()
    lines = whole[: whole.rfind(b"\n") + 1].splitlines()  # a killed recorder leaves half a line at the end
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            if row["v"] != VERSION:
                raise ValueError(f"version {row['v']}, this agentfly reads {VERSION}")
            replies[row["key"], row["occurrence"]] = from_json(Reply, json.dumps(row["reply"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: not a recorded reply ({error})") from None
    return replies
