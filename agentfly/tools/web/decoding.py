"""Compressed bodies, unpacked piece by piece and never beyond a limit."""

from __future__ import annotations

import zlib

from agentfly.errors import ToolError

_GZIP = b"\x1f\x8b"
_MEMBERS = 1000
"""Gzip members of one body: each costs time, however little comes out."""
_OFFERED = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate", "identity": "", "": ""}


class Decoder:
    """Unpacks one body.

    Args:
        coding: the header ``Content-Encoding``; gzip, deflate, or none.
        limit: bytes that may come out.

    Raises:
        ToolError: another coding, several of them, or none that is known.
    """

    def __init__(self, coding: str, limit: int) -> None:
        name = coding.strip().lower()
        if name not in _OFFERED:
            raise ToolError(
                f"the page is compressed in a way that cannot be read ({coding[:60]!r}); try another source"
            )
        self._coding = _OFFERED[name]
        self._limit = limit
        self._out = bytearray()
        self._held = b""
        self._unpack: zlib._Decompress | None = None
        self._done = False
        self._members = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes as they came.

        Raises:
            ToolError: damaged, or more than the limit comes out.
        """
        if not self._coding:
            self._keep(data)
            return
        try:
            while data and not self._done:
                data = self._step(data)
        except zlib.error:
            raise ToolError("the page is compressed but damaged; try again or use another source") from None

    def finish(self) -> bytes:
        """The whole body.

        Raises:
            ToolError: the compressed data ended in the middle.
        """
        if self._held and self._unpack is None and not self._done and not self._out:
            raise ToolError("the page is compressed but damaged; try again or use another source")
        if self._unpack is not None and not self._unpack.eof:
            raise ToolError("the page is compressed and ended in the middle; try again or use another source")
        return bytes(self._out)

    def _step(self, data: bytes) -> bytes:
        """Unpack one stretch; returns what is still to be read."""
        if self._unpack is None:
            data = self._held + data
            if len(data) < 2:
                self._held = data
                return b""
            self._held = b""
            if not self._start(data):
                return b""
        unpack = self._unpack
        assert unpack is not None
        # One byte more than there is room for, so that a body of exactly the limit passes.
        self._keep(unpack.decompress(data, self._limit - len(self._out) + 1))
        if not unpack.eof:
            return unpack.unconsumed_tail
        self._unpack = None
        self._done = self._coding == "deflate"
        return unpack.unused_data

    def _start(self, data: bytes) -> bool:
        """Begin a stream; False where what follows the last gzip member is padding."""
        if self._coding == "gzip":
            if self._out and not data.startswith(_GZIP):
                self._done = True
                return False
            self._members += 1
            if self._members > _MEMBERS:
                raise ToolError("the page is compressed in too many pieces; use another source")
            self._unpack = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        else:
            # "deflate" means zlib's format, but many servers send the bare one.
            wrapped = data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
            self._unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
        return True

    def _keep(self, data: bytes) -> None:
        if len(self._out) + len(data) > self._limit:
            raise ToolError(f"the page is larger than {self._limit:,} bytes; fetch a smaller one")
        self._out += data
