"""A web site on loopback."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import pytest
from unit.tools.web.loopback import Site

from agentfly.tools.web.extracting import installed


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    listening = await asyncio.start_server(made, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield made


@pytest.fixture
def html_can_be_read() -> None:
    """Skips where the packages of the extra `web` are not installed; CI must not."""
    if not installed():
        if os.environ.get("CI"):
            pytest.fail("the extra web is not installed, and CI must not skip what needs it")
        pytest.skip("the extra web is not installed")
