"""No spelling of an address that is not public gets through."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.errors import ToolError
from agentfly.tools.web.addresses import read_url, refused

_ANY4 = st.integers(0, 2**32 - 1).map(IPv4Address)


@given(_ANY4)
def test_what_an_address_embeds_is_judged(inner: IPv4Address) -> None:
    low = int(inner)
    for base in (0xFFFF << 32, 0x64FF9B << 96):
        assert bool(refused(IPv6Address(base | low))) == bool(refused(inner))
    isatap = (0x26064700 << 96) | (0x5EFE << 32) | low
    assert bool(refused(IPv6Address(isatap))) == bool(refused(inner))
    for tunnel in (low, (0xFFFF << 48) | low, (0x2002 << 112) | (low << 80), (0x20010000 << 96) | (low ^ 0xFFFFFFFF)):
        assert refused(IPv6Address(tunnel))


@given(st.one_of(_ANY4, st.integers(0, 2**128 - 1).map(IPv6Address)))
def test_never_more_than_the_standard_library_passes(address: IPv4Address | IPv6Address) -> None:
    if not address.is_global:
        assert refused(address) or int(address) >> 32 in (0xFFFF,)


@given(st.one_of(_ANY4, st.integers(0x7F000000, 0x7FFFFFFF).map(IPv4Address)))
def test_every_way_to_write_a_number_is_the_same_address(address: IPv4Address) -> None:
    value = int(address)
    a, b = value >> 24, value & 0xFFFFFF
    spellings = [str(value), hex(value), f"0{value:o}" if value else "0", f"{a}.{b}", f"0x{a:x}.{b}", f"{address}."]
    spellings.append(str(address).translate({ord("0") + i: 0xFF10 + i for i in range(10)} | {ord("."): "。"}))
    for host in spellings:
        if refused(address):
            with pytest.raises(ToolError):
                read_url(f"http://{host}/")
        else:
            assert read_url(f"http://{host}/").host == str(address)


@pytest.mark.parametrize(
    "address",
    ["64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1", "224.0.0.1", "ff02::1", "169.254.169.254", "100.64.0.1", "0.0.0.1",
     "198.18.0.1", "240.0.0.1", "64:ff9b:1::1", "100::1", "5f00::1", "fd00::1", "fec0::1", "fe80::1%eth0",
     "2606:4700::1111%eth0", "::", "::1", "4000::1", "2001:db8::1"],
)  # fmt: skip
def test_special_addresses_are_refused(address: str) -> None:
    assert refused(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_public_addresses_pass(address: str) -> None:
    assert not refused(ip_address(address))


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "http://localhost/", "http://a.localhost./", "http://ｌocalhost/", "http://x.local", "http://x.internal",
     "http://router/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[fe80::1%25eth0]/", "http://u@example.org/",
     "http://example.org＠127.0.0.1/", "http://example.org\\@127.0.0.1/", "http://%3127.0.0.1/", "http://127.0.0.1%2f/",
     "http://exa\nmple.org/", "http:///x", "http://:80/", "http://example.org:0/", "http://example.org:65536/",
     "http://example.org:８０/", "ftp://example.org/", "file:///etc/passwd", "example.org", "http://1.2.3.256/", "http://08.1.1.1/",
     "http://1.2.3.4.5/", "http://::1/", "http://[::1]x/", "http://a..example.org/", "http://example.org../", "http://١٢٧.1/",
     "http://①②⑦.⓪.⓪.①/", "http://example。local/", "http://a／b.org/", "http://-x-.org:80:80/", "http://[]/", "http://./"],
)  # fmt: skip
def test_tricks_are_refused_in_one_line(url: str) -> None:
    with pytest.raises(ToolError) as caught:
        read_url(url)
    assert len(str(caught.value).splitlines()) == 1


def test_an_address_is_brought_into_one_spelling() -> None:
    assert read_url(" HTTPS://Bücher.Example.:443/ü b%20c?q=é&r=%zz#f".replace("ü b", "üb")).url == (
        "https://xn--bcher-kva.example/%C3%BCb%20c?q=%C3%A9&r=%25zz"
    )
    assert read_url("http://[2606:4700:0::1111]:8080").url == "http://[2606:4700::1111]:8080/"


def test_an_allowance_is_for_one_address_and_port() -> None:
    allow = {("127.0.0.1", 8000)}
    assert read_url("http://127.1:8000/", allow).host == "127.0.0.1"
    with pytest.raises(ToolError):
        read_url("http://127.1:8001/", allow)
