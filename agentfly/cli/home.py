"""A home opened for the commands that need no model. Reading makes no folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agentfly.cli.options import check_settings, existing_home

if TYPE_CHECKING:
    from agentfly.config import Settings
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


@contextlib.contextmanager
def opened_with_settings(home: Path | None, *, create: bool = False) -> Iterator[tuple[Home, Settings]]:
    """The home and the settings that runs in it have.

    Args:
        home: the folder as given.
        create: whether a home is made where there is none.

    Raises:
        HomeError: there is none, or it cannot be used.
        ConfigError: a setting is wrong.
    """
    path = check_settings(home, {}) if create else existing_home(home)
    from agentfly.layers import load_settings
    from agentfly.store.home import Home

    settings = load_settings(path)
    with Home.open(path, create=create) as found:
        yield found, settings
