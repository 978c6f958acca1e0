"""Certificates are checked against the name, though the connection is made to an address."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from unit.tools.web.loopback import Site

from agentfly.errors import ToolError
from agentfly.tools.web.fetching import Fetcher

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl program for a certificate")


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    await writer.drain()
    writer.close()


async def _resolve(host: str, port: int) -> Sequence[str]:
    return ("127.0.0.1",)


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For a server named good.example.org, and for a client that trusts it."""
    key, cert = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", key, "-out", cert, "-subj", "/CN=good.example.org", "-addext", "subjectAltName=DNS:good.example.org"],
        check=True, capture_output=True,
    )  # fmt: skip
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(cert, key)
    return serving, ssl.create_default_context(cafile=cert)


async def test_a_certificate_for_another_name_is_refused(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    serving, trusting = tls
    server = await asyncio.start_server(_answer, "127.0.0.1", 0, ssl=serving)
    port = server.sockets[0].getsockname()[1]
    async with server:
        fetcher = Fetcher(resolve=_resolve, allow={("127.0.0.1", port)}, tls=trusting)
        assert (await fetcher.fetch(f"https://good.example.org:{port}/")).body == b"hi"
        for url, with_tls in (
            (f"https://bad.example.org:{port}/", trusting),
            (f"https://good.example.org:{port}/", None),
        ):
            with pytest.raises(ToolError, match="certificate is not valid"):
                await Fetcher(resolve=_resolve, allow={("127.0.0.1", port)}, tls=with_tls).fetch(url)


async def test_a_page_may_move_to_https_but_not_back(tls: tuple[ssl.SSLContext, ssl.SSLContext], site: Site) -> None:
    serving, trusting = tls

    async def back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        if asked.startswith(b"GET /back"):
            writer.write(f"HTTP/1.1 302 F\r\nLocation: {site.base}/plain\r\n\r\n".encode())
        else:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\nsafe")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(back, "127.0.0.1", 0, ssl=serving)
    port = server.sockets[0].getsockname()[1]
    site.page("/plain", "plain")
    for path in ("/safe", "/back"):
        site.paths[path] = f"HTTP/1.1 301 M\r\nLocation: https://good.example.org:{port}{path}\r\n\r\n".encode()
    allow = {("127.0.0.1", port), ("127.0.0.1", site.port)}
    async with server:
        fetcher = Fetcher(resolve=_resolve, allow=allow, tls=trusting)
        assert (await fetcher.fetch(f"{site.base}/safe")).body == b"safe"
        # Whether the way began with https or only came through it.
        for start in (f"https://good.example.org:{port}/back", f"{site.base}/back"):
            with pytest.raises(ToolError, match="from https to"):
                await fetcher.fetch(start)
    assert not any(head.startswith("GET /plain") for head in site.asked)
