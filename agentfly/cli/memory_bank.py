"""A case bank for the time of one command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agentfly.cli.home import opened, opened_with_settings

if TYPE_CHECKING:
    from agentfly.config import Settings
    from agentfly.memory.bank import CaseBank


@contextlib.contextmanager
def bank_of(home: Path | None) -> Iterator[CaseBank]:
    """The bank of a home that is there, for looking and for upkeep: whatever its policy is, nothing of it is loaded.

    Raises:
        HomeError: there is none, or it cannot be used.
    """
    with opened(home) as place:
        from agentfly.memory.bank import CaseBank

        with CaseBank(place) as bank:
            yield bank


@contextlib.contextmanager
def bank_with_settings(home: Path | None, *, create: bool = False) -> Iterator[tuple[CaseBank, Settings]]:
    """The bank as runs have it, with the policy and the capacity of the settings.

    Args:
        home: the folder as given.
        create: whether a home is made where there is none.

    Raises:
        HomeError: there is none, or it cannot be used.
        ConfigError: a setting is wrong.
    """
    with opened_with_settings(home, create=create) as (place, settings):
        from agentfly.memory.bank import CaseBank

        with CaseBank(place, policy=settings.policy, capacity=settings.memory.capacity) as bank:
            yield bank, settings
