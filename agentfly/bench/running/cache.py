"""Replies of models, kept on request: the same call of the same attempt is answered from disk the next time."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from agentfly.errors import InputError
from agentfly.protocols import CallOptions
from agentfly.records import from_json, to_data, to_json
from agentfly.types import Message, Reply

FILE = "replies.db"
_APPLICATION_ID = 0x61666372  # "afcr"
_PATIENCE = 30.0
"""Seconds to wait for another process that writes."""


class ReplyCache:
    """Replies by what was asked. Any number of processes may share one.

    Args:
        folder: that holds the file; made where it is missing.

    Raises:
        InputError: it cannot be used, or the file in it is something else.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder.expanduser().absolute() / FILE
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = _opened(self.path)
        except (OSError, sqlite3.Error) as error:
            raise self._explained(error) from None

    def get(self, key: str) -> Reply | None:
        """The reply to a call; None where there is none that can be read.

        Raises:
            InputError: the file cannot be used.
        """
        try:
            row = self._db.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
            return None if row is None else from_json(Reply, row[0])
        except ValidationError:
            return None
        except sqlite3.Error as error:
            raise self._explained(error) from None

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply; one that is there already stays.

        Raises:
            InputError: the file cannot be used.
        """
        try:
            with self._db:
                self._db.execute("INSERT OR IGNORE INTO replies VALUES (?, ?, ?)", (key, to_json(reply), time.time()))
        except sqlite3.Error as error:
            raise self._explained(error) from None

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._db.close()

    def _explained(self, error: Exception) -> InputError:
        return InputError(f"the cache of model calls {self.path} cannot be used: {error}")


def key_of(model: str, messages: Sequence[Message], options: CallOptions, attempt: tuple[str, int], before: int) -> str:
    """What a call is found by.

    Args:
        model: its name, and where it is reached.
        messages: of the call.
        options: of the call; how long it may take makes no difference.
        attempt: id of the task and number of the attempt at it, so that attempts stay independent of one another.
        before: how often the attempt asked exactly this before.
    """
    told = {name: value for name, value in to_data(options).items() if name != "timeout"}
    data = [model, [to_data(message) for message in messages], told, attempt, before]
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False)
    try:
        if db.execute("PRAGMA application_id").fetchone()[0] not in (0, _APPLICATION_ID):
            raise sqlite3.DatabaseError("it is the database of another program")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")  # a reply that a power cut takes is asked for again
        with db:
            db.execute(
                "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL, created REAL NOT NULL)"
            )
            db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    except BaseException:
        db.close()
        raise
    return db
