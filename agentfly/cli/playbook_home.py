"""A playbook's ledger for the time of one command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agentfly.cli.home import opened, opened_with_settings

if TYPE_CHECKING:
    from agentfly.playbooks.changes import Change
    from agentfly.playbooks.history import Committed
    from agentfly.playbooks.ledger import PlaybookLedger


@contextlib.contextmanager
def ledger_of(home: Path | None) -> Iterator[PlaybookLedger]:
    """The playbook of a home that is there, for looking and for going back: settings are not read.

    Raises:
        HomeError: there is none, or it cannot be used.
    """
    with opened(home) as place:
        from agentfly.playbooks.ledger import PlaybookLedger

        yield PlaybookLedger(place.db, place.path / "playbook.md")


@contextlib.contextmanager
def ledger_with_settings(
    home: Path | None, *, create: bool = False, similar: float | None = None
) -> Iterator[PlaybookLedger]:
    """The playbook as runs have it: within the budget of the settings, near-duplicates merged as they say.

    The embedding model is loaded when something is embedded, and not before.

    Args:
        home: the folder as given.
        create: whether a home is made where there is none.
        similar: cosine from which on two bullets are near-duplicates, in place of the setting.

    Raises:
        HomeError: there is none, or it cannot be used.
        ConfigError: a setting is wrong.
    """
    with opened_with_settings(home, create=create) as (place, settings):
        from agentfly.memory.embedding import MiniLMEmbedder
        from agentfly.playbooks.ledger import PlaybookLedger
        from agentfly.playbooks.rules import Rules

        ledger = PlaybookLedger(
            place.db,
            place.playbook,
            budget=settings.playbook.tokens,
            rules=Rules(chars=settings.playbook.bullet_chars),
            embedder=MiniLMEmbedder(),
            similar=settings.playbook.similar if similar is None else similar,
        )
        try:
            yield ledger
        finally:
            ledger.flush()


def retired(done: Committed) -> tuple[Change, ...]:
    """What had to go for the budget."""
    return tuple(change for change in done.changes if change.retired)


def say_leftovers(done: Committed) -> None:
    """What a person must know beside the changes themselves, on standard error."""
    from agentfly.cli.failures import say
    from agentfly.cli.text import count

    gone = retired(done)
    if gone:
        say(
            f"{count(len(gone), 'bullet')} retired to keep the budget of playbook.tokens; "
            f"`agentfly playbook rollback {done.version - 1}` undoes it all"
        )
    if done.notice:
        say(done.notice)
