"""Which IP addresses may be reached: a list of our own, for the standard library's lets too much through."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

_V4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "this host"),
        ("10.0.0.0/8", "a private network"),
        ("100.64.0.0/10", "a carrier's private network"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud's service for its machines"),
        ("169.254.0.0/16", "link-local, where clouds keep credentials"),
        ("172.16.0.0/12", "a private network"),
        ("192.0.0.0/24", "reserved for protocols"),
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "a private network"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("255.255.255.255/32", "broadcast"),
        ("240.0.0.0/4", "reserved"),
    )
)

_V6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(network), kind)
    for network, kind in (
        ("::/128", "this host"),
        ("::1/128", "loopback"),
        ("::/96", "an obsolete IPv4-compatible address"),
        ("::ffff:0:0:0/96", "an IPv4-translated address"),
        ("64:ff9b:1::/48", "a local translation prefix"),
        ("100::/64", "for discarding"),
        ("2001::/32", "a Teredo tunnel"),
        ("2001::/23", "reserved for protocols"),
        ("2001:db8::/32", "for documentation"),
        ("2002::/16", "a 6to4 tunnel"),
        ("3fff::/20", "for documentation"),
        ("5f00::/16", "for segment routing"),
        ("fc00::/7", "a private network"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "a private network"),
        ("ff00::/8", "multicast"),
    )
)

_UNICAST = IPv6Network("2000::/3")
"""All global unicast addresses handed out so far. The rest is refused even where no range above names it."""
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


def refused(address: Address) -> str:
    """Why an address must not be reached.

    Old tunnels (IPv4-compatible and -translated addresses, 6to4, Teredo) are refused whatever they embed: nobody serves
    pages there. IPv4-mapped and NAT64 addresses are in use, and judged by the address that they embed.

    Args:
        address: with its zone, if it has one.

    Returns:
        What the address is, for a message; empty when it is a plain global one.
    """
    if isinstance(address, IPv4Address):
        return next((kind for network, kind in _V4 if address in network), "")
    if address.scope_id is not None:
        return "bound to a network interface"
    inner = embedded(address)
    if inner is not None and (kind := refused(inner)):
        return f"{inner} in another form, which is {kind}"
    if address.ipv4_mapped is not None or address in _NAT64:
        return ""
    kind = next((kind for network, kind in _V6 if address in network), "")
    return kind or ("" if address in _UNICAST else "reserved")


def embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets for an IPv6 address would end at, or be passed through; None for plain ones.

    Reads IPv4-mapped, NAT64, 6to4, Teredo (the client's address, or the server's where only that is refused)
    and ISATAP.
    """
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return _low(address)
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        server, client = address.teredo
        return client if refused(client) or not refused(server) else server
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return _low(address)
    return None


def plain(address: Address) -> Address:
    """An IPv4-mapped address as the IPv4 address that it means; any other as it is."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) and address.scope_id is None else None
    return mapped or address


def _low(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFFFFFF)
