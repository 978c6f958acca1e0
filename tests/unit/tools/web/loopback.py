"""A server on loopback that answers as a test says, and knows what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agentfly.tools.web.fetching import Fetcher

Answer = Callable[[str, bytes], bytes]


@dataclass
class Site:
    """Answers a path with bytes, or with what a function makes of head and body of the request."""

    port: int = 0
    paths: dict[str, bytes | Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Heads of the requests."""
    bodies: list[bytes] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def fetcher(self) -> Fetcher:
        return Fetcher(allow={("127.0.0.1", self.port)})

    def page(self, path: str, body: str | bytes, kind: str = "text/html; charset=utf-8") -> str:
        data = body.encode() if isinstance(body, str) else body
        self.paths[path] = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\n" % kind.encode() + data
        return self.base + path

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next((int(v) for k, v in _fields(head) if k == "content-length"), 0)
            body = await reader.readexactly(length)
            self.asked.append(head)
            self.bodies.append(body)
            path = head.split()[1].partition("?")[0]
            answer = self.paths.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            writer.write(answer if isinstance(answer, bytes) else answer(head, body))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def _fields(head: str) -> Sequence[tuple[str, str]]:
    lines = (line.partition(":") for line in head.split("\r\n")[1:])
    return [(name.lower(), value.strip()) for name, _, value in lines]
