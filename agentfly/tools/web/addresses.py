"""Addresses of pages: read strictly, brought into one spelling, judged before anything is sent."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Set
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, Literal, TypeAlias, cast
from urllib.parse import quote, urljoin

from agentfly.errors import ToolError
from agentfly.tools.web.ranges import Address, plain, refused

__all__ = [
    "NOTHING",
    "Address",
    "Allowed",
    "Scheme",
    "Target",
    "judge",
    "numeric",
    "read_redirect",
    "read_url",
    "refused",
]

Scheme: TypeAlias = Literal["http", "https"]
Allowed: TypeAlias = Set[tuple[str, int]]
"""Pairs of an IP address and a port that may be reached whatever the address is. For tests; never from settings."""
NOTHING: Final[Allowed] = frozenset()

_PORTS: dict[Scheme, int] = {"http": 80, "https": 443}
_CLOSED = frozenset(
    (1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669)
)
_CLOSED |= {6679, 6697, 10080, 11211}
"""Ports from 1024 on of other services, which a request for a page could be made to speak to; browsers close most of them."""
_LONGEST = 4096
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_PART = re.compile(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*")
_LOOKS_NUMERIC = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_LOCAL = ("localhost", "localdomain", "local", "internal", "intranet", "private", "corp", "home", "lan", "home.arpa")
_SAFE = "/:@!$&'()*+,;=~-._[]|"  # in paths and queries; what is not here is percent-encoded


@dataclass(frozen=True, slots=True)
class Target:
    """Where to fetch from.

    Args:
        scheme: ``http`` or ``https``.
        host: a name in ASCII, lower case, without a trailing dot; or an IP address, without brackets.
        port: 1 to 65535.
        path: path and query in ASCII, percent-encoded, beginning with a slash.
        address: the host where it is an IP address and not a name.
    """

    scheme: Scheme
    host: str
    port: int
    path: str
    address: Address | None = None

    @property
    def authority(self) -> str:
        """The host in brackets where it needs them, and the port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole address in its one spelling."""
        return f"{self.scheme}://{self.authority}{self.path}"


def read_url(text: str, allow: Allowed = NOTHING) -> Target:
    """Read the address of a page, and judge its host as far as that goes without asking for the name's addresses.

    Numbers are taken for the IPv4 address that the C library would take them for (``127.1``, ``0x7f000001``).
    The fragment is dropped.

    Raises:
        ToolError: not the address of a page, or of one that must not be reached; says what to do.
    """
    text = text.strip(" \t\r\n")
    _check_characters(text)
    found = _URL.match(text)
    if found is None:
        raise ToolError(f"{_shown(text)} is not a web address; write all of it, as in https://example.org/page")
    scheme = found["scheme"].lower()
    if scheme not in ("http", "https"):
        raise ToolError(f"{_shown(scheme)} addresses cannot be fetched, only http and https")
    known = cast(Scheme, scheme)
    host, port = _split(found["authority"], known)
    literal = _address(host)
    path = _encode(found["path"] or "/") + (_encode(found["query"], "?") if found["query"] else "")
    if literal is None:
        name = _name(host)
        _check_port(port, allow)
        return Target(known, name, port, path)
    judge(literal, port, allow, _shown(host))
    _check_port(port, allow)
    return Target(known, str(literal), port, path, literal)


def read_redirect(origin: Target, location: str, allow: Allowed = NOTHING) -> Target:
    """Read where a page was moved to, which may be told relative to where it was.

    Raises:
        ToolError: as for `read_url`.
    """
    location = location.strip(" \t\r\n")
    _check_characters(location)
    try:
        joined = urljoin(origin.url, location)
    except ValueError:
        raise ToolError(f"the page was moved to {_shown(location)}, which is not a web address") from None
    return read_url(joined, allow)


def judge(address: Address, port: int, allow: Allowed = NOTHING, what: str = "") -> None:
    """Let an address pass, or not.

    Args:
        address: as it would be connected to.
        port: as it would be connected to.
        allow: what may be reached in any case.
        what: the host as it was written, for the message.

    Raises:
        ToolError: the address must not be reached.
    """
    reason = refused(address)
    if reason and (str(address), port) not in allow:
        named = f"{what} is {address}, which is" if what and what != _shown(str(address)) else f"{address} is"
        raise ToolError(f"{named} not on the public internet ({reason}); fetch a public page instead")


def numeric(host: str) -> IPv4Address | None:
    """The IPv4 address that C's ``inet_aton`` reads: one to four parts, decimal, octal or hex, the last fills the rest.

    Returns:
        None where it reads none.
    """
    parts = host.split(".")
    if len(parts) > 4 or not all(_PART.fullmatch(part) for part in parts):
        return None
    *first, last = (_number(part) for part in parts)
    room = 8 * (4 - len(first))
    if any(number > 255 for number in first) or last >= 1 << room:
        return None
    value = 0
    for number in first:
        value = value << 8 | number
    return IPv4Address(value << room | last)


def _number(part: str) -> int:
    if part[:2] in ("0x", "0X"):
        return int(part, 16)
    return int(part, 8 if part[0] == "0" else 10)


def _check_characters(text: str) -> None:
    """Refuse what parsers disagree about, before any of them sees it."""
    if len(text) > _LONGEST:
        raise ToolError(f"the address has {len(text):,} characters; at most {_LONGEST:,} are allowed")
    for character in text:
        if character == "\\":
            raise ToolError(f"{_shown(text)} has a backslash; write %5C, or / where that is meant")
        if character.isspace() or unicodedata.category(character) in ("Cc", "Cs"):
            raise ToolError(
                f"{_shown(text)} has a space or control character; write %20 for a space, leave out the rest"
            )


def _check_port(port: int, allow: Allowed) -> None:
    """Pages are served on 80, 443 and high ports; below and on some others answer mail, files, databases and the like."""
    web = port in (80, 443) or (port >= 1024 and port not in _CLOSED)
    if not web and all(port != allowed for _, allowed in allow):
        raise ToolError(f"port {port} is not for web pages; leave the port out, or use 80, 443 or one from 1024 on")


def _split(authority: str, scheme: Scheme) -> tuple[str, int]:
    """Host (IPv6 still in its brackets, look-alikes of ASCII turned into it) and port."""
    # A sign that only turns into one of these when normalised is not for the host either, so look at both.
    same = unicodedata.normalize("NFKC", authority)
    if "@" in same:
        raise ToolError(f"{_shown(authority)} has a user name before the host; leave out everything up to the @")
    if "%" in same:
        raise ToolError(f"the host {_shown(authority)} has a % in it; write the host in plain characters")
    bracket = authority.rfind("]")
    host, colon, port = authority, "", ""
    if ":" in authority[bracket + 1 :]:
        host, colon, port = authority.rpartition(":")
    if colon and port and not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise ToolError(f"{_shown(port)} is not a port; ports are numbers from 1 to 65535, or left out")
    host = _normalised(host)
    if not host:
        raise ToolError("the address has no host; write it as in https://example.org/page")
    return host, int(port) if port else _PORTS[scheme]


def _normalised(host: str) -> str:
    """Lower case, full-width and other forms of ASCII turned into it, one trailing dot dropped."""
    host = unicodedata.normalize("NFKC", host).lower()
    host = unicodedata.normalize("NFKC", host).replace("\u3002", ".")
    digits = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in host)
    if digits.isascii():  # other scripts' digits, among nothing but ASCII
        host = digits
    return host.removesuffix(".")


def _address(host: str) -> Address | None:
    """The IP address that a host is written as; None for a name.

    Raises:
        ToolError: it can only be meant as an address, but is none.
    """
    if host[0] == "[" and host[-1] == "]":
        try:
            return plain(IPv6Address(host[1:-1]))
        except AddressValueError:
            raise ToolError(f"{_shown(host)} is not an IPv6 address") from None
    if ":" in host or "[" in host or "]" in host:
        raise ToolError(
            f"{_shown(host)} is not a host; an IPv6 address belongs in brackets, as in http://[2606:4700::1]/"
        )
    address = numeric(host)
    if address is None and _LOOKS_NUMERIC.fullmatch(host.rpartition(".")[2]):
        raise ToolError(f"{_shown(host)} ends in a number but is not an IPv4 address")
    return address


def _name(host: str) -> str:
    """A name in ASCII, that could be one on the public internet."""
    name = host if host.isascii() else _punycode(host)
    labels = name.split(".")
    if len(name) > 253 or not all(_NAME.fullmatch(label) for label in labels):
        raise ToolError(f"{_shown(host)} is not the name of a host")
    if len(labels) == 1 or any(name == local or name.endswith(f".{local}") for local in _LOCAL):
        raise ToolError(f"{_shown(host)} is a name for this machine or its network; fetch a public page instead")
    return name


def _punycode(host: str) -> str:
    import httpx  # only names beyond ASCII need it

    try:
        return httpx.URL(scheme="http", host=host).raw_host.decode("ascii").lower()
    except httpx.InvalidURL:
        raise ToolError(
            f"{_shown(host)} is not the name of a host; write it in ASCII, as in xn--bcher-kva.example"
        ) from None


def _encode(text: str, extra: str = "") -> str:
    """Percent-encode what is not safe; what is percent-encoded already stays so."""
    whole = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text)
    return quote(whole, safe=_SAFE + "%" + extra)


def _shown(text: str) -> str:
    """Text from outside for one line of a message."""
    return repr(text if len(text) <= 100 else text[:97] + "...")
