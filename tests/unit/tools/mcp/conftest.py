"""Servers by hand, connected for a test and gone after it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentfly.events import Notice
from agentfly.protocols import Tool
from agentfly.tools.mcp import McpServers

SERVER = Path(__file__).with_name("server.py")


class Bench:
    """Connects servers and keeps what was told.

    Args:
        folder: of the pins and the servers' states.
    """

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.pins = folder / "mcp_pins.json"
        self.notices: list[Notice] = []

    def entry(self, mode: str, **more: Any) -> dict[str, Any]:
        """The configuration of a server by hand."""
        args = ["-I", "-S", str(SERVER), mode, str(self.folder / "state")]
        return {"command": sys.executable, "args": args, **more}

    def open(self, *modes: str, connect: float = 10.0, call: float = 10.0, **servers: Any) -> McpServers:
        """Servers by hand, each under the name of its mode, and others as configured."""
        entries = {mode: self.entry(mode) for mode in modes} | servers
        made = McpServers({"mcpServers": entries}, self.pins, connect, call, self.notices.append)
        self._stack.callback(made.close)
        made.connect()
        return made

    @property
    def told(self) -> str:
        """All notices."""
        return "\n".join(notice.text for notice in self.notices)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with contextlib.ExitStack() as stack:
        yield Bench(tmp_path, stack)


@pytest.fixture
def named() -> Callable[[McpServers, str], Tool]:
    """Finds an offered tool by name."""

    def find(servers: McpServers, name: str) -> Tool:
        return next(tool for tool in servers.tools if tool.name == name)

    return find
