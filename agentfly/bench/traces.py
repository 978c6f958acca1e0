"""The full record of each attempt, compressed, in a SQLite file of its own."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agentfly.bench.results import Key
from agentfly.errors import InputError
from agentfly.records import to_json

_APPLICATION_ID = 0x61666274  # "afbt"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS traces (
    task_id TEXT NOT NULL, attempt INTEGER NOT NULL, record BLOB NOT NULL, PRIMARY KEY (task_id, attempt)
)"""


class Traces:
    """Records of attempts by task and attempt.

    Threads may share one as long as they take turns.

    Args:
        path: the file.
        write: whether it may be written to; it is then made where it is missing.

    Raises:
        InputError: it is missing, damaged or not ours.
    """

    def __init__(self, path: Path, *, write: bool = False) -> None:
        self._path = path
        self._write = write
        try:
            self._connection = _for_writing(path) if write else _for_reading(path)
        except sqlite3.Error as error:
            raise self._explained(error) from None

    def add(self, records: Iterable[tuple[Key, object]]) -> None:
        """Put records on disk, all or none; one of the same attempt is replaced.

        Args:
            records: each a record of `agentfly.types`, or plain data.

        Raises:
            InputError: they cannot be written.
        """
        rows = [(*key, zlib.compress(to_json(record).encode())) for key, record in records]
        try:
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO traces VALUES (?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise self._explained(error) from None

    def get(self, task_id: str, attempt: int = 0) -> Any:
        """The record of an attempt as plain data.

        Raises:
            InputError: there is none, or it is damaged.
        """
        query = "SELECT record FROM traces WHERE task_id = ? AND attempt = ?"
        try:
            row = self._connection.execute(query, (task_id, attempt)).fetchone()
            if row is not None:
                return json.loads(zlib.decompress(row[0]))
        except sqlite3.Error as error:
            raise self._explained(error) from None
        except (zlib.error, ValueError, TypeError):
            raise InputError(f"{self._path}: the record of attempt {attempt} at {task_id!r} is damaged") from None
        raise InputError(f"{self._path} holds no record of attempt {attempt} at {task_id!r}")

    def close(self) -> None:
        """Close the file. May be called twice."""
        if self._write:
            self._write = False
            with contextlib.suppress(sqlite3.Error):  # a reader is in the way: it stays as it is
                # One plain file, which can be copied and read without leaving anything beside it.
                self._connection.execute("PRAGMA journal_mode = DELETE")
        self._connection.close()

    def _explained(self, error: sqlite3.Error) -> InputError:
        return InputError(f"the records in {self._path} cannot be used: {error}")


def _for_writing(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, timeout=5.0)
    try:
        owner = connection.execute("PRAGMA application_id").fetchone()[0]
        if owner not in (0, _APPLICATION_ID):
            raise sqlite3.DatabaseError("it is the database of another program")
        # Readers never wait for the writer, nor the writer for them.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(_SCHEMA)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    except BaseException:
        connection.close()
        raise
    return connection


def _for_reading(path: Path) -> sqlite3.Connection:
    address = path.absolute().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, check_same_thread=False, timeout=5.0)
    try:
        connection.execute("SELECT 1 FROM traces LIMIT 1")
        return connection
    except sqlite3.OperationalError:
        connection.close()
        # In a folder that cannot be written to, SQLite reads only what it is told stays as it is.
        connection = sqlite3.connect(f"{address}?immutable=1", uri=True, check_same_thread=False)
        try:
            connection.execute("SELECT 1 FROM traces LIMIT 1")
        except BaseException:
            connection.close()
            raise
        return connection
    except BaseException:
        connection.close()
        raise
