"""Certificates are checked against the name, though the connection is made to an address."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

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


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    key, cert = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", key, "-out", cert, "-subj", "/CN=good.example.org", "-addext", "subjectAltName=DNS:good.example.org"],
        check=True, capture_output=True,
    )  # fmt: skip
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(cert, key)
    server = await asyncio.start_server(_answer, "127.0.0.1", 0, ssl=serving)
    port = server.sockets[0].getsockname()[1]
    trusting = ssl.create_default_context(cafile=cert)
    async with server:
        fetcher = Fetcher(resolve=_resolve, allow={("127.0.0.1", port)}, tls=trusting)
        assert (await fetcher.fetch(f"https://good.example.org:{port}/")).body == b"hi"
        for url, with_tls in (
            (f"https://bad.example.org:{port}/", trusting),
            (f"https://good.example.org:{port}/", None),
        ):
            with pytest.raises(ToolError, match="certificate is not valid"):
                await Fetcher(resolve=_resolve, allow={("127.0.0.1", port)}, tls=with_tls).fetch(url)
