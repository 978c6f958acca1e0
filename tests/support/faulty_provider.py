"""An OpenAI-compatible server that fails now and then, in a process of its own.

It answers sums (``What is 3 plus 1?``) with code that gives the answer, after a fixed latency. Which requests fail is drawn by a
seed, so many of a hundred: too many requests, internal errors, silence for ever, garbage.

    python faulty_provider.py '{"latency": 0.2, "seed": 1, "shares": {"429": 5, "500": 3, "hang": 1, "garbage": 1}, "log": "FILE"}'
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FAULTS = {"429": 5.0, "500": 3.0, "hang": 1.0, "garbage": 1.0}
"""Of a hundred requests."""


class FaultyProvider:
    """Starts the server, and ends it.

    Args:
        latency: seconds from a whole request to its answer.
        shares: of a hundred requests that fail, by how; none by default.
        seed: of the draws.
        log: file that gets a line for each request: how it was answered, and the number that was asked about.
        most: requests at once from which on further ones are turned away; None is no limit.
    """

    def __init__(
        self,
        *,
        latency: float = 0.0,
        shares: Mapping[str, float] | None = None,
        seed: int = 0,
        log: Path | None = None,
        most: int | None = None,
    ) -> None:
        told = {"latency": latency, "shares": dict(shares or {}), "seed": seed, "most": most}
        told["log"] = None if log is None else str(log)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, json.dumps(told)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())

    @property
    def base(self) -> str:
        """Address for ``OPENAI_API_BASE``."""
        return f"http://127.0.0.1:{self._port}/v1"

    def close(self) -> dict[str, int]:
        """End it; how many requests were answered how."""
        if self._process.poll() is None:
            out, _ = self._process.communicate(timeout=10)  # its input ends, and so does the server
            self._seen: dict[str, int] = json.loads(out)
        return self._seen

    def __enter__(self) -> FaultyProvider:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def rows(count: int) -> list[dict[str, Any]]:
    """Tasks that the server can answer; every fifth answer is wrong."""
    return [
        {
            "id": f"task-{number}",
            "question": f"What is {number} plus 1?",
            "answer": str(number + 1),
            "level": 1 + number % 3,
        }
        for number in range(count)
    ]


def right(number: int) -> bool:
    """Whether the server knows that sum."""
    return number % 5 != 0


class _Server:
    def __init__(self, told: Mapping[str, Any]) -> None:
        self._latency, self._shares, self._most = told["latency"], told["shares"], told["most"]
        self._rng = random.Random(told["seed"])
        self._log = open(told["log"], "a", buffering=1) if told["log"] else None  # noqa: PTH123, SIM115
        self._now = 0
        self.seen: Counter[str] = Counter()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests, one after another."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
                asked = json.loads(await reader.readexactly(length))
                await self._answer(asked, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        how, number = self._drawn(), _number(asked)
        if self._most is not None and self._now >= self._most:
            how = "429"
        self.seen[how] += 1
        if self._log:
            self._log.write(f"{how} {number}\n")
        if how == "hang":
            await asyncio.sleep(3600)
        self._now += 1
        try:
            await asyncio.sleep(0.01 if how == "429" else self._latency)
        finally:
            self._now -= 1
        writer.write(_reply(how, number, asked))
        await writer.drain()

    def _drawn(self) -> str:
        place = self._rng.random() * 100
        for how, share in self._shares.items():
            place -= share
            if place < 0:
                return str(how)
        return "ok"


def _number(asked: dict[str, Any]) -> int:
    found = re.findall(r"What is (\d+) plus 1", json.dumps(asked["messages"]))
    return int(found[-1]) if found else -1


def _reply(how: str, number: int, asked: dict[str, Any]) -> bytes:
    if how == "429":
        return _http(429, b'{"error": {"message": "slow down"}}', b"retry-after: 1\r\n")
    if how == "500":
        return _http(500, b'{"error": {"message": "broken"}}')
    if how == "garbage":
        return _http(200, b"<html>this is no answer")
    text = f"```python\nfinal_answer({number + right(number)})\n```"
    usage = {"prompt_tokens": 300, "completion_tokens": 12, "total_tokens": 312}
    if not asked.get("stream"):
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return _http(
            200,
            json.dumps(
                {
                    "id": "x",
                    "object": "chat.completion",
                    "created": 1,
                    "model": "faulty",
                    "choices": [choice],
                    "usage": usage,
                }
            ).encode(),
        )
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "faulty"}
    choices = [
        {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None},
        {"index": 0, "delta": {}, "finish_reason": "stop"},
    ]
    events = [{**head, "choices": [choice]} for choice in choices] + [{**head, "choices": [], "usage": usage}]
    lines = [json.dumps(event).encode() for event in events]
    return _http(200, b"".join(b"data: " + line + b"\n\n" for line in [*lines, b"[DONE]"]), b"", b"text/event-stream")


def _http(status: int, body: bytes, headers: bytes = b"", kind: bytes = b"application/json") -> bytes:
    head = b"HTTP/1.1 %d X\r\ncontent-type: %s\r\ncontent-length: %d\r\n" % (status, kind, len(body))
    return head + headers + b"\r\n" + body


async def _serve(told: Mapping[str, Any]) -> None:
    server = _Server(told)
    listening = await asyncio.start_server(server.talk, "127.0.0.1", 0, backlog=512)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps(server.seen), flush=True)
    import os

    os._exit(0)  # some of its answers never end


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(sys.argv[1])))
