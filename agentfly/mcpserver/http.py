"""The server over streamable HTTP: a bearer token, and checks of where a request comes from."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agentfly.errors import ConfigError

if TYPE_CHECKING:
    import uvicorn
    from mcp.server.auth.provider import AccessToken
    from mcp.server.lowlevel.server import Server
    from mcp.server.transport_security import TransportSecuritySettings
    from starlette.applications import Starlette

PATH = "/mcp"
SHORTEST_TOKEN = 16
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen."""

    host: str
    """A name or an IP address, without brackets."""
    port: int
    """0 takes a free one."""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``PORT`` or ``HOST:PORT``; without a host it is 127.0.0.1.

        Raises:
            ConfigError: it is neither.
        """
        host, _, port = text.strip().rpartition(":")
        bare = host.removeprefix("[").removesuffix("]")
        bracketed = host != bare
        if not (port.isascii() and port.isdigit() and int(port) < 65536) or (":" in bare) != bracketed:
            raise ConfigError(f"--http {text}: write it as PORT or HOST:PORT, such as 8765 or 127.0.0.1:8765")
        return cls(bare or "127.0.0.1", int(port))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def named(self) -> str:
        """The host as it stands in a URL."""
        return f"[{self.host}]" if ":" in self.host else self.host


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may connect.

    Args:
        token: what a client has to send as ``Authorization: Bearer TOKEN``.
        hosts: further names under which clients reach this server, as their ``Host`` header has them.

    Raises:
        ConfigError: the token is too short to be a secret.
    """

    token: str = field(repr=False)
    hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.token) < SHORTEST_TOKEN or not self.token.isascii() or not self.token.isprintable():
            raise ConfigError(f"the token of `agentfly mcp` must have at least {SHORTEST_TOKEN} plain characters")


async def serve(server: Server[Any], address: Address, access: Access, announce: Callable[[str], None]) -> None:
    """Serve until this task is cancelled; then running calls are cancelled, and their clean-up is waited for.

    Args:
        server: what to serve.
        address: where to listen.
        access: who may connect.
        announce: called with the server's URL once clients can connect.

    Raises:
        ConfigError: nobody can listen there.
    """
    listening = _listen(address)
    bound = Address(address.host, listening.getsockname()[1])
    http = _quiet_server(_app(server, bound, access))
    serving = asyncio.create_task(http.serve(sockets=[listening]))
    try:  # connections queue up from here on
        announce(f"http://{bound.named}:{bound.port}{PATH}")
        await asyncio.shield(serving)
    finally:
        http.should_exit = True
        await asyncio.wait([serving])
        listening.close()


def allowed_names(address: Address, hosts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Values of ``Host`` and of ``Origin`` that are let in, as the SDK writes them.

    A page in a browser that had its own name point here (DNS rebinding) sends that name.
    """
    names = list(dict.fromkeys([*(_LOOPBACK if address.loopback else ()), address.named, *hosts]))
    wildcards = [name if _has_port(name) else f"{name}:*" for name in names]
    plain = [name for name in names if not _has_port(name)]  # behind a proxy on the usual port
    origins = [f"{scheme}://{name}" for scheme in ("http", "https") for name in (*wildcards, *plain)]
    return [*wildcards, *plain], origins


def _app(server: Server[Any], address: Address, access: Access) -> Starlette:
    from mcp.server.auth.settings import AuthSettings
    from mcp.server.transport_security import TransportSecuritySettings
    from pydantic import AnyHttpUrl

    hosts, origins = allowed_names(address, access.hosts)
    security: TransportSecuritySettings = TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins)
    # The SDK wants to know who issues tokens; with one fixed token it is this server, and nobody is sent there.
    issuer = AnyHttpUrl(f"http://{address.named}:{address.port}")
    return server.streamable_http_app(
        streamable_http_path=PATH,
        host=address.host,
        transport_security=security,
        auth=AuthSettings(issuer_url=issuer, resource_server_url=None),
        token_verifier=_OneToken(access.token),
    )


class _OneToken:
    """The SDK's token verifier for one fixed token."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def verify_token(self, token: str) -> AccessToken | None:
        from mcp.server.auth.provider import AccessToken

        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return None
        return AccessToken(token=token, client_id="agentfly", scopes=[])


def _quiet_server(app: Starlette) -> uvicorn.Server:
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # whoever runs the event loop deals with signals

    config = uvicorn.Config(
        app,
        log_level="warning",
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=0,  # open streams would never end by themselves
    )
    return Server(config)


def _listen(address: Address) -> socket.socket:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, where = found[0]
        return socket.create_server(where[:2], family=family, backlog=64)
    except (OSError, UnicodeError) as error:  # UnicodeError: no name of a host is written like that
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot listen on {address.named}:{address.port}: {why}") from None


def _has_port(name: str) -> bool:
    return name.rpartition("]")[2].count(":") == 1
