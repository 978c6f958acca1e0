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


@pytest.mark.parametrize(
    "url",
    ["http://2130706433/", "http://017700000001/", "http://0x7f.1/", "http://127.1/", "http://0/", "http://0177.0.0.01/",
     "http://0x7f000001:8080/", "http://１２７.０.０.１/", "http://127。0。0。1/", "http://127.0.0.1./", "http://10.1/",
     "http://[::ffff:7f00:1]/", "http://[::ffff:10.0.0.1]/", "http://[64:ff9b::10.0.0.1]/", "http://[2002:7f00:1::]/",
     "http://[2001:0:7f00:1::]/", "http://[2001::f5ff:fffe]/", "http://[fe80::1%eth0]/", "http://[fe80::1%251]/",
     "http://[::1%lo]/", "http://[0:0:0:0:0:0:0:1]/", "http://[::127.0.0.1]/", "http://[::ffff:0:127.0.0.1]/",
     "http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://metadata.google.internal/",
     "http://100.100.100.200/", "http://168.63.129.16/", "http://user:pass@10.0.0.1/", "http://8.8.8.8@127.0.0.1/",
     "http://127.0.0.1#@8.8.8.8/", "http://127.0.0.1?@8.8.8.8/", "http://8.8.8.8\\@127.0.0.1/", "http://127.0.0.1\t.example.org/",
     "http://exa\rmple.org/", "ht\ntp://example.org/", "http://example.org\x00.local/", "http://example.org%00.local/",
     "http://%6c%6f%63alhost/", "http://LOCALHOST/", "HTTP://Localhost:80/", "http://ⓛocalhost/", "http://localhost%2e/",
     "http://127.0.0.1%23.example.org/", "http:127.0.0.1", "http:/127.0.0.1/", "//127.0.0.1/", "http:///127.0.0.1/",
     "gopher://example.org/", "data:text/html,hi", "javascript:alert(1)", "view-source:http://example.org/", "jar:http://x.org!/",
     "http://\u202eexample.org/", "http://exam\u200bple.local/", "http://xn--/", "http://٠x7f.1/", "", " ", "http://"],
)  # fmt: skip
def test_more_tricks_are_refused(url: str) -> None:
    with pytest.raises(ToolError) as caught:
        read_url(url)
    assert len(str(caught.value).splitlines()) == 1


@given(
    st.text(max_size=60), st.sampled_from(["", "http://", "HTTPS://", "http://127.0.0.1", "http://[", "http://user@"])
)
def test_whatever_is_written_is_read_or_refused(text: str, start: str) -> None:
    try:
        target = read_url(start + text)
    except ToolError:
        return
    assert target.address is None or not refused(target.address)
    assert read_url(target.url) == target
    assert target.url.isascii()


@pytest.mark.parametrize("port", [1, 21, 22, 25, 110, 445, 1023, 2049, 6000, 6379, 6667, 11211])
def test_ports_of_other_services_are_refused(port: int) -> None:
    with pytest.raises(ToolError, match=f"port {port} is not for web pages"):
        read_url(f"http://example.org:{port}/")


@pytest.mark.parametrize("port", [80, 443, 1024, 3000, 8000, 8080, 8443, 65535])
def test_ports_of_web_servers_pass(port: int) -> None:
    assert read_url(f"https://example.org:{port}/").port == port


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
