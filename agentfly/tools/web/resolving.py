"""Names resolved once, and every address judged before any is connected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import TypeAlias

from agentfly.errors import ToolError
from agentfly.tools.web.addresses import NOTHING, Address, Allowed, Target, judge
from agentfly.tools.web.ranges import plain

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a name for a port, as text, the best first; an `OSError` where it has none."""

_MOST = 4
"""Addresses of a name that are tried; more only cost time."""


async def look_up(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver, in a thread.

    Raises:
        OSError: it knows no address.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(entry[4][0]) for entry in found]


async def addresses_of(
    target: Target, *, resolve: Resolve = look_up, allow: Allowed = NOTHING, seconds: float = 10.0
) -> tuple[Address, ...]:
    """The addresses to connect to for a target, each of them judged.

    A name is refused as a whole when one of its addresses is: an honest name does not mix public and private ones,
    a name that is set up to change its meaning does.

    Args:
        target: an address that is an IP address already is judged, not resolved.
        resolve: where names are looked up; called at most once.
        allow: what may be reached in any case.
        seconds: how long the look-up may take.

    Returns:
        At least one address, in the resolver's order.

    Raises:
        ToolError: unknown name, no answer in time, or an address that must not be reached.
    """
    if target.address is not None:
        judge(target.address, target.port, allow)
        return (target.address,)
    try:
        async with asyncio.timeout(seconds):
            found = await resolve(target.host, target.port)
    except TimeoutError:
        raise ToolError(f"the name {target.host} could not be resolved within {seconds:g} s; try again later") from None
    except (OSError, UnicodeError):
        found = ()
    addresses = tuple(dict.fromkeys(_read(text) for text in found))
    if not addresses:
        raise ToolError(f"no host is known by the name {target.host}; check its spelling")
    for address in addresses:
        judge(address, target.port, allow, target.host)
    return addresses[:_MOST]


def _read(text: str) -> Address:
    return plain(ip_address(text))
