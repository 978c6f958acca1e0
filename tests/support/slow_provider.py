"""An OpenAI-compatible server with a fixed latency, in a process of its own, so that it takes no time from who is measured.

It answers any number of requests at once, each after the same time. What it says is chosen by rules: the first one whose words
are all in the request's body answers.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple


class Rule(NamedTuple):
    """What is said to requests that hold all of some words."""

    words: Sequence[str]
    text: str


class SlowProvider:
    """Starts the server, and ends it.

    Args:
        rules: the first that fits answers; the last should have no words, so that it always fits.
        latency: seconds from a whole request to the beginning of its answer.
    """

    def __init__(self, rules: Sequence[Rule], latency: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, json.dumps([rules, latency])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())

    @property
    def base(self) -> str:
        """Address for `api_base`."""
        return f"http://127.0.0.1:{self._port}/v1"

    def close(self) -> Told:
        """End it; what it saw."""
        out, _ = self._process.communicate(timeout=10)  # its input ends, and so does the server
        return Told(*json.loads(out))

    def __enter__(self) -> SlowProvider:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


class Told(NamedTuple):
    """What a server saw in its life."""

    answered: int
    """Requests that it answered."""
    most: int
    """Of them at once."""
    connections: int


class _Server:
    def __init__(self, rules: Sequence[Rule], latency: float) -> None:
        self._rules, self._latency = rules, latency
        self._now = 0
        self.answered = self.most = self.connections = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests, one after another."""
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
                asked = json.loads(await reader.readexactly(length))
                self._now += 1
                self.most = max(self.most, self._now)
                try:
                    await asyncio.sleep(self._latency)
                finally:
                    self._now -= 1
                self.answered += 1
                writer.write(self._reply(asked))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _reply(self, asked: dict[str, Any]) -> bytes:
        body = json.dumps(asked, ensure_ascii=False)
        text = next(text for words, text in self._rules if all(word in body for word in words))
        if not asked.get("stream"):
            return _http("application/json", json.dumps(_whole(text)).encode())
        events = [json.dumps(event).encode() for event in _pieces(text)]
        return _http("text/event-stream", b"".join(b"data: " + event + b"\n\n" for event in [*events, b"[DONE]"]))


def _http(kind: str, body: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def _usage(text: str) -> dict[str, int]:
    tokens = len(text.split())
    return {"prompt_tokens": 300, "completion_tokens": tokens, "total_tokens": 300 + tokens}


def _whole(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {
        "id": "slow",
        "object": "chat.completion",
        "created": 1,
        "model": "slow",
        "choices": [choice],
        "usage": _usage(text),
    }


def _pieces(text: str) -> list[dict[str, Any]]:
    """A stream's events: a word each, as models write."""
    head = {"id": "slow", "object": "chat.completion.chunk", "created": 1, "model": "slow"}
    deltas = [{"content": word} for word in text.replace(" ", " \0").split("\0")]
    choices = [{"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    return [*({**head, "choices": [choice]} for choice in choices), {**head, "choices": [], "usage": _usage(text)}]


async def _serve(rules: Sequence[Rule], latency: float) -> None:
    talking = _Server(rules, latency)
    server = await asyncio.start_server(talking.talk, "127.0.0.1", 0, limit=1 << 24, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until who started it has gone, or says so
    print(json.dumps([talking.answered, talking.most, talking.connections]), flush=True)
    os._exit(0)  # with connections that clients keep open


if __name__ == "__main__":
    asyncio.run(_serve(*json.loads(sys.argv[1])))
