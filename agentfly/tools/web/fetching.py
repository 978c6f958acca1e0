"""Pages fetched within limits, from checked addresses only."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from email.message import Message

import httpx

from agentfly.errors import ToolError
from agentfly.tools.web.addresses import NOTHING, Address, Allowed, Target, read_redirect, read_url
from agentfly.tools.web.decoding import Decoder
from agentfly.tools.web.resolving import Resolve, addresses_of, look_up

_MOVED = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """What one fetch may cost, redirects included."""

    wire_bytes: int = 10 << 20
    """Of a body as it is sent."""
    body_bytes: int = 20 << 20
    """Of a body once unpacked."""
    header_bytes: int = 32 << 10
    seconds: float = 30.0
    connect_seconds: float = 8.0
    redirects: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A page as it was sent, unpacked; `url` is where it was found in the end."""

    url: str
    status: int
    content_type: str
    charset: str
    """As the server named it, lower case; empty where it did not."""
    body: bytes
    redirects: tuple[str, ...] = ()


class Fetcher:
    """Fetches pages; keeps nothing from one to the next.

    Args:
        resolve: where names are looked up.
        allow: addresses and ports that may be reached whatever they are; for tests.
        tls: by default the usual authorities; certificates are always checked against the name.
    """

    def __init__(
        self, *, resolve: Resolve = look_up, allow: Allowed = NOTHING, tls: ssl.SSLContext | None = None
    ) -> None:
        self._resolve = resolve
        self._allow = allow
        self._tls = tls

    def read(self, url: str) -> Target:
        """As `read_url`, with this fetcher's allowance.

        Raises:
            ToolError: not the address of a page, or of one that must not be reached.
        """
        return read_url(url, self._allow)

    async def fetch(self, url: str, limits: FetchLimits | None = None) -> Fetched:
        """Get a page.

        Raises:
            ToolError: the address is refused, a limit is hit, or there is no page to be had; says what to do.
        """
        limits = limits or FetchLimits()
        try:
            async with asyncio.timeout(limits.seconds):
                return await self._follow(self.read(url), limits)
        except TimeoutError:
            raise ToolError(f"the page was not complete within {limits.seconds:g} s; try another source") from None
        except httpx.HTTPError as error:
            raise ToolError(
                f"the page could not be fetched: {_cause(error)}; try again or use another source"
            ) from None

    async def _follow(self, target: Target, limits: FetchLimits) -> Fetched:
        seen = [target.url]
        while True:
            found = await self._hop(target, limits, tuple(seen[1:]))
            if isinstance(found, Fetched):
                return found
            moved = read_redirect(target, found, self._allow)
            if moved.scheme == "http" and target.scheme == "https":
                raise ToolError(f"the page was moved from https to {moved.url}, which is not protected; not followed")
            if moved.url in seen:
                raise ToolError("the page is moved in a circle; try another address")
            if len(seen) > limits.redirects:
                raise ToolError(f"the page was moved more than {limits.redirects} times; try another address")
            seen.append(moved.url)
            target = moved

    async def _hop(self, target: Target, limits: FetchLimits, redirects: tuple[str, ...]) -> Fetched | str:
        """One request: the page, or where it was moved to."""
        addresses = await addresses_of(target, resolve=self._resolve, allow=self._allow, seconds=limits.connect_seconds)
        if self._tls is None and target.scheme == "https":
            self._tls = httpx.create_ssl_context()
        verify = self._tls if self._tls is not None else False  # no TLS at all in this case: the scheme is http
        async with httpx.AsyncHTTPTransport(verify=verify, trust_env=False) as transport:
            response = await _send(transport, target, addresses, limits)
            try:
                return await _receive(response, target, limits, redirects)
            finally:
                await response.aclose()


async def fetch(url: str, limits: FetchLimits | None = None) -> Fetched:
    """Get a page from the public internet; see `Fetcher.fetch`."""
    return await Fetcher().fetch(url, limits)


async def _send(
    transport: httpx.AsyncHTTPTransport, target: Target, addresses: tuple[Address, ...], limits: FetchLimits
) -> httpx.Response:
    """Ask the first address that answers. The request names the address, so nothing is left to be resolved."""
    last: httpx.HTTPError | None = None
    for address in addresses:
        host = f"[{address}]" if address.version == 6 else str(address)
        request = httpx.Request(
            "GET",
            f"{target.scheme}://{host}:{target.port}{target.path}",
            headers={
                "Host": target.authority,
                "User-Agent": "agentfly (reads single pages for a person)",
                "Accept": "*/*",
                "Accept-Encoding": "gzip, deflate",
                "Connection": "close",
            },
            extensions={"sni_hostname": target.host, "timeout": {"connect": limits.connect_seconds}},
        )
        try:
            return await transport.handle_async_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            last = error
    assert last is not None
    raise last


async def _receive(
    response: httpx.Response, target: Target, limits: FetchLimits, redirects: tuple[str, ...]
) -> Fetched | str:
    headers = response.headers
    if sum(len(name) + len(value) + 4 for name, value in headers.raw) > limits.header_bytes:
        raise ToolError(f"the server's headers are longer than {limits.header_bytes:,} bytes; use another source")
    if response.status_code in _MOVED and "location" in headers:
        return str(headers["location"])
    if not 200 <= response.status_code < 300:
        raise ToolError(_refusal(response))
    decoder = Decoder(headers.get("content-encoding", ""), limits.body_bytes)
    received = 0
    async for piece in response.aiter_raw():
        received += len(piece)
        if received > limits.wire_bytes:
            raise ToolError(f"the page is larger than {limits.wire_bytes:,} bytes; fetch a smaller one")
        decoder.feed(piece)
    kind, charset = _kind(headers.get("content-type", ""))
    return Fetched(
        url=target.url,
        status=response.status_code,
        content_type=kind,
        charset=charset,
        body=decoder.finish(),
        redirects=redirects,
    )


def _refusal(response: httpx.Response) -> str:
    status = response.status_code
    advice = {401: "it needs a login", 403: "it is not for everyone", 404: "check the address", 410: "it is gone"}
    after = response.headers.get("retry-after", "")[:40]
    if status == 429 or after:
        advice[status] = f"too many requests or too busy; try again {'after ' + repr(after) if after else 'later'}"
    return f"the server answered with status {status}: {advice.get(status, 'use another source or try later')}"


def _kind(header: str) -> tuple[str, str]:
    message = Message()
    message["content-type"] = " ".join(header[:300].split())
    return (message.get_content_type() if header else ""), (message.get_content_charset() or "")


def _cause(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not valid ({cause.verify_message})"
        cause = cause.__cause__ or cause.__context__
    return " ".join(str(error).split())[:120] or type(error).__name__
