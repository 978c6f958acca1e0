"""A server of one's own that speaks OpenAI's protocol, asked without detours.

What litellm does to a call that needs nothing done to it (callbacks, cost tables, three layers of typed objects, a new connection each
time) takes twenty to fifty milliseconds of processor time; the request itself takes less than one. That tells as soon as many tasks
are worked on at once.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from agentfly.models.answer import Garbage

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

_CUT = {"max_tokens": "length", "MAX_TOKENS": "length", "tool_use": "tool_calls"}
_FINISHED = frozenset({"length", "tool_calls", "function_call", "content_filter"})
_ERROR_BYTES = 64 * 1024

_MINDED = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "OPENAI_ORGANIZATION", "OPENAI_PROJECT", "LITELLM_LOG")
"""Variables that litellm, or the client below it, goes by."""


class WireError(Exception):
    """The server said no, or could not be talked to; has what `agentfly.models.failures.diagnose` looks at."""

    def __init__(self, message: str, status_code: int | None = None, response: Any = None) -> None:
        super().__init__(message)
        self.message, self.status_code, self.response = message, status_code, response


class Data(dict[str, Any]):
    """A JSON object that is read like litellm's: by attributes, None where there is nothing."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name)


class Wire:
    """Talks to one server. Connections are kept and shared by the calls of an event loop, and closed when that ends.

    Args:
        base: address of the server, to which ``/chat/completions`` is added.
        key: for the header ``authorization``.
    """

    def __init__(self, base: str, key: str) -> None:
        self._base = base.rstrip("/")
        self._headers = {"authorization": f"Bearer {key}"}
        self._open: dict[asyncio.AbstractEventLoop, tuple[ClientSession, AsyncGenerator[None]]] = {}

    async def whole(self, body: Mapping[str, Any], seconds: float) -> Data:
        """The answer to a request, in one piece.

        Args:
            body: of the request.
            seconds: longest time.

        Raises:
            WireError: the server refused, or could not be talked to.
            Garbage: what it sent is no JSON object.
        """
        import aiohttp

        try:
            async with await self._post(body, seconds) as response:
                await _check(response)
                answer = _data(await response.read())
        except (aiohttp.ClientError, OSError) as error:
            raise self._broken(error) from error
        if not isinstance(answer, Data):
            raise Garbage("the answer is no JSON object")
        _name_ends(answer)
        return answer

    async def pieces(self, body: Mapping[str, Any], seconds: float) -> AsyncGenerator[Data]:
        """The answer as it comes; see `whole`."""
        import aiohttp

        try:
            async with await self._post(body, seconds) as response:
                await _check(response)
                async for event in _events(response):
                    piece = _data(event)
                    if not isinstance(piece, Data):
                        continue
                    if piece.error:
                        raise WireError(_said(piece))
                    _name_ends(piece)
                    yield piece
        except (aiohttp.ClientError, OSError) as error:
            raise self._broken(error) from error

    async def aclose(self) -> None:
        """Close the connections of this event loop."""
        held = self._open.pop(asyncio.get_running_loop(), None)
        if held is not None:
            await held[1].aclose()

    async def _post(self, body: Mapping[str, Any], seconds: float) -> ClientResponse:
        from aiohttp import ClientTimeout

        limit = ClientTimeout(total=seconds)
        session = await self._session()
        return await session.post(f"{self._base}/chat/completions", json=body, headers=self._headers, timeout=limit)

    async def _session(self) -> ClientSession:
        loop = asyncio.get_running_loop()
        if loop not in self._open:
            from aiohttp import ClientSession, TCPConnector

            self._open = {other: held for other, held in self._open.items() if not other.is_closed()}
            session = ClientSession(connector=TCPConnector(limit=0))  # how many at once is for the caller to say
            living = _until_the_loop_ends(session)
            await anext(living)
            self._open[loop] = session, living
        return self._open[loop][0]

    def _broken(self, error: Exception) -> WireError:
        if isinstance(error, TimeoutError):
            return WireError(f"{self._base} did not answer in time", 408)
        return WireError(f"no connection to {self._base}, or a broken one: {error or type(error).__name__}")


def attended(litellm: Any) -> bool:
    """Whether somebody wants litellm to look at each call, or the environment says how it is to be made."""
    listening = ("callbacks", "input_callback", "success_callback", "failure_callback", "cache", "headers", "api_base")
    return any(map(os.environ.get, _MINDED)) or any(getattr(litellm, name, None) for name in listening)


async def _until_the_loop_ends(session: ClientSession) -> AsyncGenerator[None]:
    """Closes a session with the loop: an event loop that ends closes the generators that were begun in it."""
    try:
        yield
    finally:
        await session.close()


async def _check(response: ClientResponse) -> None:
    if response.status < 300:
        return
    told = await response.content.read(_ERROR_BYTES)
    try:
        said = _said(_data(told))
    except Garbage:
        said = told.decode("utf-8", "replace")
    raise WireError(said.strip() or f"HTTP status {response.status}", response.status, response)


def _said(body: Any) -> str:
    """The words of an error, in the forms that servers give it."""
    error = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return str(error)
    text, code = str(error.get("message") or error.get("detail") or json.dumps(error)), error.get("code")
    return f"{text} ({code})" if isinstance(code, str) and code not in text else text


async def _events(response: ClientResponse) -> AsyncIterator[bytes]:
    """The data of each event of a stream, up to the one that says that it is over."""
    rest = b""
    async for part in response.content.iter_any():
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                data = line[5:].strip()
                if data == b"[DONE]":
                    return
                yield data


def _data(text: bytes) -> Any:
    try:
        return json.loads(text, object_hook=Data)
    except (ValueError, RecursionError):
        raise Garbage("the answer is no JSON") from None


def _name_ends(answer: Data) -> None:
    """Call the ends of choices what OpenAI calls them, whatever the server does."""
    choices = answer.choices
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, Data) and choice.finish_reason:
            reason = str(choice.finish_reason)
            choice["finish_reason"] = reason if reason in _FINISHED else _CUT.get(reason, "stop")
