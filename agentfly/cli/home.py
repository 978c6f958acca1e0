"""A home opened for reading commands. Reading makes no folder and takes no model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agentfly.cli.options import existing_home

if TYPE_CHECKING:
    from agentfly.store.home import Home


@contextlib.contextmanager
def opened(home: Path | None) -> Iterator[Home]:
    """The home, closed at the end.

    Raises:
        HomeError: there is none, or it cannot be used.
    """
    path = existing_home(home)
    from agentfly.store.home import Home

    with Home.open(path, create=False) as found:
        yield found
