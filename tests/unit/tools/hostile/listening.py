"""Servers of the host that must never hear anything."""

from __future__ import annotations

import contextlib
import selectors
import socket
from pathlib import Path
from typing import Any

_STREAM, _DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM
_MPTCP, _SCTP, _AF_VSOCK, _NEAR = 262, 132, 40, 1


class Servers:
    """One server for each way in. The kernel takes connections, so nothing has to run: `heard` looks what came."""

    def __init__(self, folder: Path, name: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._listening: dict[str, socket.socket] = {}
        self.ports: dict[str, int] = {}
        # MPTCP takes plain TCP too, so one server stands for both.
        self._add("tcp", socket.AF_INET, _STREAM, ("127.0.0.1", 0), _MPTCP) or self._add(
            "tcp", socket.AF_INET, _STREAM, ("127.0.0.1", 0)
        )
        self._add("tcp6", socket.AF_INET6, _STREAM, ("::1", 0), _MPTCP) or self._add(
            "tcp6", socket.AF_INET6, _STREAM, ("::1", 0)
        )
        self._add("udp", socket.AF_INET, _DATAGRAM, ("127.0.0.1", 0))
        self._add("udp6", socket.AF_INET6, _DATAGRAM, ("::1", 0))
        self._add("dns", socket.AF_INET, _DATAGRAM, ("127.0.0.1", 53))
        self._add("sctp", socket.AF_INET, _STREAM, ("127.0.0.1", 0), _SCTP)
        self._add("vsock", _AF_VSOCK, _STREAM, (_NEAR, 52_345))
        self._add("abstract", socket.AF_UNIX, _STREAM, f"\0{name}-stream")
        self._add("abstract_datagram", socket.AF_UNIX, _DATAGRAM, f"\0{name}-datagram")
        for kind, way in ((_STREAM, "path_stream"), (_DATAGRAM, "path_datagram")):
            path = folder / f"{way}.sock"
            self._add(way, socket.AF_UNIX, kind, str(path))
            path.chmod(0o777)

    def _add(self, way: str, family: int, kind: int, address: Any, protocol: int = 0) -> bool:
        with contextlib.suppress(OSError):  # not every kernel has all of them
            one = socket.socket(family, kind, protocol)
            try:
                one.bind(address)
                if kind == _STREAM:
                    one.listen(64)
            except OSError:
                one.close()
                raise
            one.setblocking(False)
            self._selector.register(one, selectors.EVENT_READ, way)
            self._listening[way] = one
            if family != socket.AF_UNIX:
                self.ports[way] = one.getsockname()[1]
            return True
        return False

    def heard(self) -> list[str]:
        """What came since the last look, one line each."""
        found = []
        while events := self._selector.select(0):
            for key, _ in events:
                one = self._listening[key.data]
                with contextlib.suppress(BlockingIOError):
                    if one.type == _DATAGRAM:
                        found.append(f"a server heard by {key.data}: {one.recv(100)!r}")
                    else:
                        one.accept()[0].close()
                        found.append(f"a server was reached by {key.data}")
        return found

    def close(self) -> None:
        """Stop listening."""
        self._selector.close()
        for one in self._listening.values():
            one.close()
