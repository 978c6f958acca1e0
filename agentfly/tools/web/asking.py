"""One JSON request to a search engine: bounded, retried where that helps, and silent about keys."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from agentfly.errors import ToolError

_BYTES = 4 << 20
_TRIES = 3
_LONGEST_WAIT = 10.0
"""Seconds that are waited when an engine asks for it; where it asks for more, it is not asked again."""
_backoff = wait_exponential(multiplier=0.4, max=4.0) + wait_random(0, 0.4)


class Refused(Exception):
    """An engine answered with a status that another try does not mend."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(str(status))
        self.status = status
        self.body = body


class _Passing(Exception):
    """A failure that another try may mend."""

    def __init__(self, what: str, after: float | None = None) -> None:
        super().__init__(what)
        self.after = after


async def ask(
    name: str,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
    seconds: float = 15.0,
) -> dict[str, Any]:
    """Send a request and read the object that comes back.

    Redirects are not followed, so nothing but the address that was configured is asked, and no key goes elsewhere.

    Args:
        name: of the engine, for messages.
        method: ``GET`` or ``POST``.
        url: without a query.
        headers: may hold a key.
        params: the query.
        body: sent as JSON.
        seconds: of one try; rate limits, server errors and broken connections are tried up to three times.

    Raises:
        Refused: any other status than 200 that is not worth another try.
        ToolError: it kept failing, or its answer is of no use.
    """
    request = httpx.Request(method, url, headers=headers, params=params, json=body)
    request.headers.setdefault("accept", "application/json")
    request.headers["user-agent"] = "agentfly"
    trial = AsyncRetrying(
        retry=retry_if_exception_type(_Passing),
        stop=_stop,
        wait=_wait,
        reraise=True,
        sleep=asyncio.sleep,
    )
    try:
        answer: bytes = await trial(_once, request, seconds)
    except _Passing as error:
        raise ToolError(f"the search engine {name} {error}; try again later, or go on without a search") from None
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ToolError(
            f"the search engine {name} answered with something that is not a result; go on without a search"
        )
    return found


def _stop(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    too_long = isinstance(error, _Passing) and error.after is not None and error.after > _LONGEST_WAIT
    return too_long or stop_after_attempt(_TRIES)(state)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    after = error.after if isinstance(error, _Passing) else None
    return float(_backoff(state)) if after is None else after


async def _once(request: httpx.Request, seconds: float) -> bytes:
    try:
        async with (
            asyncio.timeout(seconds),
            httpx.AsyncClient(timeout=seconds, follow_redirects=False) as client,
        ):
            response = await client.send(request, stream=True)
            try:
                answer = await _bounded(response)
            finally:
                await response.aclose()
    except (TimeoutError, httpx.TimeoutException):
        raise _Passing(f"did not answer within {seconds:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _Passing(f"could not be reached ({type(error).__name__})") from None
    status = response.status_code
    if status == 429 or status >= 500:
        raise _Passing(
            "is asked too often" if status == 429 else f"failed with status {status}",
            seconds_after(response.headers.get("retry-after", "")),
        )
    if status != 200:
        raise Refused(status, answer[:2000].decode("utf-8", "replace"))
    return answer


async def _bounded(response: httpx.Response) -> bytes:
    answer = bytearray()
    async for piece in response.aiter_bytes(1 << 16):
        answer += piece
        if len(answer) > _BYTES:
            raise ToolError("the search engine's answer is too long; ask for fewer results")
    return bytes(answer)


def seconds_after(header: str) -> float | None:
    """What a header ``Retry-After`` asks for, which is seconds or a date; None where it says neither."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
