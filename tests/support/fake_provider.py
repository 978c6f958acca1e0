"""An OpenAI-compatible server on loopback, for chat and speech, that can be told to misbehave."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One answer that is not a plain completion.

    Args:
        status: HTTP status; 200 goes on to a normal answer unless `body` is given.
        headers: further response headers.
        body: sent as it is.
        hang: seconds of silence before the answer.
        hang_after: in a stream, seconds of silence after the first piece; the stream then breaks off.
        cut_after: in a stream, whether the connection is closed after the first piece.
        usage: whether token counts are sent.
        finish_reason: of a normal answer.
        tool_calls: (name, JSON arguments) of calls in a normal answer.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    hang: float = 0.0
    hang_after: float = 0.0
    cut_after: bool = False
    usage: bool = True
    finish_reason: str = "stop"
    tool_calls: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Request:
    """What the server was asked."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    at: float
    """Monotonic time of arrival, in seconds."""


class FakeProvider:
    """The server. Each request takes the next item of `script`; when it is used up, `reply` answers.

    Args:
        reply: text of normal answers, or a function of the request's body.

    Attributes:
        script: faults and texts to answer with, in order.
        requests: what was asked, in order.
        models: names that ``GET /v1/models`` lists.
        gone: set when a client left before its answer was complete.
    """

    def __init__(self, reply: str | Callable[[Mapping[str, Any]], str] = "Hello from the fake.") -> None:
        self.reply = reply
        self.script: list[Fault | str] = []
        self.requests: list[Request] = []
        self.models = ["fake-model"]
        self.gone = threading.Event()
        self._closing = threading.Event()
        self._guard = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"provider": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def base(self) -> str:
        """Address for ``OPENAI_API_BASE``."""
        return self.root + "/v1"

    def close(self) -> None:
        """Stop, and wake whatever hangs."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> FakeProvider:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def prompts(self) -> list[str]:
        """All text of each request, for searching."""
        return [json.dumps(request.body, ensure_ascii=False) for request in self.requests]

    def take(self, request: Request) -> tuple[Fault, str]:
        """Record a request; which answer it gets."""
        with self._guard:
            self.requests.append(request)
            item = self.script.pop(0) if self.script else Fault()
        if isinstance(item, str):
            return Fault(), item
        return item, self.reply(request.body) if callable(self.reply) else self.reply

    def pause(self, seconds: float) -> None:
        """Sleep, but no longer than the server lives."""
        self._closing.wait(seconds)


class _Handler(BaseHTTPRequestHandler):
    provider: FakeProvider
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        names = self.provider.models
        lists = {
            "/v1/models": {"object": "list", "data": [{"id": name, "object": "model"} for name in names]},
            "/api/tags": {"models": [{"name": name} for name in names]},
        }
        found = lists.get(self.path)
        self._send(200 if found else 404, json.dumps(found or {"error": {"message": "no such path"}}))

    def do_POST(self) -> None:
        body = self._body()
        fault, text = self.provider.take(Request(self.path, dict(self.headers), body, time.monotonic()))
        self.provider.pause(fault.hang)
        try:
            if fault.status != 200 or fault.body is not None:
                error = {"error": {"message": f"fault {fault.status}", "type": "fault", "code": None}}
                self._send(fault.status, json.dumps(error) if fault.body is None else fault.body, fault.headers)
            elif self.path.endswith("/audio/transcriptions"):
                self._send(200, json.dumps({"text": text}), fault.headers)
            elif body.get("stream"):
                self._stream(fault, text, body)
            else:
                self._send(200, json.dumps(_completion(fault, text, body)), fault.headers)
        except (BrokenPipeError, ConnectionResetError):
            self.provider.gone.set()
            self.close_connection = True

    def _body(self) -> dict[str, Any]:
        """The body: JSON, or the fields of a form, files as ``{"name", "type", "bytes"}``."""
        data = self.rfile.read(int(self.headers["content-length"]))
        kind = self.headers.get("content-type", "")
        if not kind.startswith("multipart/form-data"):
            found: dict[str, Any] = json.loads(data)
            return found
        form = BytesParser(policy=HTTP).parsebytes(f"content-type: {kind}\r\n\r\n".encode() + data)
        return {str(part.get_param("name", header="content-disposition")): _field(part) for part in form.iter_parts()}

    def _send(self, status: int, body: str, headers: Mapping[str, str] | None = None) -> None:
        data = body.encode()
        html = body.lstrip().startswith("<")
        self.send_response(status)
        self.send_header("content-type", "text/html" if html else "application/json")
        self.send_header("content-length", str(len(data)))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, fault: Fault, text: str, body: Mapping[str, Any]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number, delta in enumerate(_deltas(fault, text)):
            self._event(_chunk(body, delta, None))
            if number == 0 and (fault.hang_after or fault.cut_after):
                self.provider.pause(fault.hang_after)
                self._event(_chunk(body, {"content": "late"}, None))  # notices when the client has gone
                self.close_connection = True
                return
        self._event(_chunk(body, {}, "tool_calls" if fault.tool_calls else fault.finish_reason))
        if fault.usage and (body.get("stream_options") or {}).get("include_usage"):
            self._event({**_chunk(body, {}, None), "choices": [], "usage": _usage(text)})
        self._write(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, data: Mapping[str, Any]) -> None:
        self._write(b"data: " + json.dumps(data).encode() + b"\n\n")

    def _write(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


def _field(part: Any) -> Any:
    content = part.get_payload(decode=True)
    name = part.get_filename()
    return {"name": name, "type": part.get_content_type(), "bytes": len(content)} if name else content.decode()


def _usage(text: str) -> dict[str, Any]:
    tokens = len(text.split())
    return {
        "prompt_tokens": 100,
        "completion_tokens": tokens,
        "total_tokens": 100 + tokens,
        "prompt_tokens_details": {"cached_tokens": 40},
    }


def _calls(fault: Fault) -> list[dict[str, Any]]:
    return [
        {"index": i, "id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for i, (name, arguments) in enumerate(fault.tool_calls)
    ]


def _deltas(fault: Fault, text: str) -> list[dict[str, Any]]:
    """A stream's pieces: words, and tool calls with their arguments cut in two."""
    words = text.split(" ")
    deltas: list[dict[str, Any]] = [{"content": w + (" " if i < len(words) - 1 else "")} for i, w in enumerate(words)]
    for call in _calls(fault):
        arguments = call["function"]["arguments"]
        half = len(arguments) // 2
        head = {**call, "function": {"name": call["function"]["name"], "arguments": arguments[:half]}}
        deltas.append({"tool_calls": [head]})
        deltas.append({"tool_calls": [{"index": call["index"], "function": {"arguments": arguments[half:]}}]})
    return deltas


def _chunk(body: Mapping[str, Any], delta: Mapping[str, Any], finish: str | None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": body.get("model", ""),
        "choices": [{"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish}],
    }


def _completion(fault: Fault, text: str, body: Mapping[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if fault.tool_calls:
        message["tool_calls"] = _calls(fault)
    out = {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1,
        "model": body.get("model", ""),
        "choices": [
            {"index": 0, "message": message, "finish_reason": "tool_calls" if fault.tool_calls else fault.finish_reason}
        ],
    }
    return {**out, "usage": _usage(text)} if fault.usage else out
