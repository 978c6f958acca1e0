"""One SQLite connection for each process, guarded by a lock; every failure becomes one clear line."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from agentfly.errors import HomeBusyError, HomeError, HomeTooNewError
from agentfly.store.migrations import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION

Params: TypeAlias = Sequence[Any] | Mapping[str, Any]
T = TypeVar("T")

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_DENIED = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}


class Transaction:
    """What may be done inside `Database.write`."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, params: Params = ()) -> sqlite3.Cursor:
        return self._connection.execute(sql, params)

    def executemany(self, sql: str, rows: Iterable[Params]) -> sqlite3.Cursor:
        return self._connection.executemany(sql, rows)

    def read(self, sql: str, params: Params = ()) -> list[sqlite3.Row]:
        return self._connection.execute(sql, params).fetchall()


class Database:
    """The home's SQLite file: WAL, every commit synced to disk before it returns, unless its writer can do without.

    Threads take turns; a process that was forked off gets a connection of its own. Do not await inside `write`:
    tasks of one thread share its transaction.

    Args:
        path: the file; made when `create`, with the current schema.
        create: whether a missing file may be made.
        wait: seconds to wait for another process's or thread's lock.

    Raises:
        HomeTooNewError: the schema is newer than this version knows; the file is left as it is.
        HomeBusyError: the lock could not be had.
        HomeError: not a database, not ours, damaged, or not to be opened.
    """

    def __init__(self, path: Path, *, create: bool = True, wait: float = 5.0) -> None:
        self.path = Path(path)
        self.wait = wait
        self._create = create
        self._lock = threading.RLock()
        self._depth = 0
        self._synced = True
        self._patience: list[float] = []
        self._last = 0.0
        self._pid = os.getpid()
        self._connection: sqlite3.Connection | None = None
        self._inherited: list[sqlite3.Connection | None] = []
        with self._held():
            pass

    @property
    def is_open(self) -> bool:
        """Whether this process holds a connection."""
        return self._connection is not None and self._pid == os.getpid()

    def read(self, sql: str, params: Params = ()) -> list[sqlite3.Row]:
        """All rows of a query, as committed at this moment (or as the transaction of this thread sees them)."""
        with self._held() as connection, self._explained():
            return connection.execute(sql, params).fetchall()

    @contextlib.contextmanager
    def write(self, *, synced: bool = True) -> Iterator[Transaction]:
        """A transaction: committed and on disk when the block ends, undone when it raises.

        Inside another `write` of the same thread it is a part of that transaction: its own failure undoes only
        itself, and nothing is on disk until the outermost block ends.

        Args:
            synced: whether a power cut must not lose it. What is committed without it is safe from the end of this process, and on
                disk with the next commit that is synced, never after that: of use where nothing is lost by doing it again.
        """
        with self._held() as connection, self._explained():
            outermost = self._depth == 0
            point = f"nested_{self._depth}"
            synced = synced and (not outermost or self._due())
            if outermost and synced is not self._synced:
                connection.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
                self._synced = synced
            connection.execute("BEGIN IMMEDIATE" if outermost else f"SAVEPOINT {point}")
            self._depth += 1
            try:
                yield Transaction(connection)
                # Counted as failed until it is on disk: a commit that fails must be rolled back as well.
                connection.execute("COMMIT" if outermost else f"RELEASE {point}")
            except BaseException:
                self._undo(connection, None if outermost else point)
                raise
            finally:
                self._depth -= 1

    @contextlib.contextmanager
    def relaxed(self, seconds: float = 1.0) -> Iterator[None]:
        """For as long as the block runs, commits of this process are synced to disk once in so many seconds, and at its end.

        For work of which each piece can be done again: waiting for the disk takes milliseconds, in which nothing else goes on. What a
        process committed is there for everybody and survives its death all the same; only a power cut can take the last moments.
        May be entered several times at once; the shortest time counts.

        Args:
            seconds: longest time that passes between two synced commits while there are commits.
        """
        self._patience.append(seconds)
        try:
            yield
        finally:
            self._patience.remove(seconds)
            with self.write() as tx:  # takes what was written before it along
                tx.execute("UPDATE meta SET value = value WHERE key = 'home_id'")

    def _due(self) -> bool:
        """Whether a commit that asks to be synced is."""
        now = time.monotonic()
        if self._patience and now - self._last < min(self._patience):
            return False
        self._last = now
        return True

    def close(self) -> None:
        """Close the connection. May be called twice; a later use opens it again."""
        self._after_fork()
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    @contextlib.contextmanager
    def _held(self) -> Iterator[sqlite3.Connection]:
        self._after_fork()
        if not self._lock.acquire(timeout=self.wait):
            raise HomeBusyError(f"{self.path} is busy: another thread is writing to it")
        try:
            if self._connection is None:
                self._connection = self._open()
            yield self._connection
        finally:
            self._lock.release()

    def _after_fork(self) -> None:
        if self._pid != os.getpid():
            # SQLite forbids using or closing a parent's connection; the lock may be held by a thread that is not here.
            self._inherited.append(self._connection)
            self._connection, self._lock, self._depth, self._pid = None, threading.RLock(), 0, os.getpid()

    def _open(self) -> sqlite3.Connection:
        if not self._create and not self.path.is_file():
            raise HomeError(f"{self.path} does not exist")
        with self._explained():
            connection = sqlite3.connect(self.path, timeout=self.wait, isolation_level=None, check_same_thread=False)
            try:
                connection.row_factory = sqlite3.Row
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version = self._known_version(connection)
        # Going to WAL needs the file alone and does not wait for it by itself.
        _until(time.monotonic() + self.wait, lambda: connection.execute("PRAGMA journal_mode = WAL"))
        connection.execute("PRAGMA synchronous = FULL")
        self._synced = True
        connection.execute("PRAGMA foreign_keys = ON")
        if version < SCHEMA_VERSION:
            self._migrate(connection)

    def _known_version(self, connection: sqlite3.Connection) -> int:
        # In this order, so that another process that makes the schema at this moment is not taken for a stranger.
        used = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
        if owner != APPLICATION_ID and (owner or version or used):
            raise HomeError(f"{self.path} is not an agentfly database; choose another home folder")
        if version > SCHEMA_VERSION:
            raise HomeTooNewError(
                f"{self.path} was written by a newer agentfly (schema {version}, this one knows {SCHEMA_VERSION}); "
                "upgrade agentfly or choose another home folder"
            )
        return version

    def _migrate(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have migrated while we waited for the lock.
            for statements in MIGRATIONS[self._known_version(connection) :]:
                for statement in statements:
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
        except BaseException:
            self._undo(connection, None)
            raise

    @staticmethod
    def _undo(connection: sqlite3.Connection, point: str | None) -> None:
        if not connection.in_transaction:  # SQLite has rolled back by itself (disk full, I/O error)
            return
        if point is None:
            connection.execute("ROLLBACK")
        else:
            connection.execute(f"ROLLBACK TO {point}")
            connection.execute(f"RELEASE {point}")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:  # the caller's data, not the file
            raise
        except sqlite3.DatabaseError as error:
            explained = _explain(self.path, error)
            if explained is None:
                raise
            raise explained from error


def _until(deadline: float, action: Callable[[], T]) -> T:
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _explain(path: Path, error: sqlite3.DatabaseError) -> HomeError | None:
    """What happened to the home; None where the SQL is at fault."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
    if code in _BUSY:
        return HomeBusyError(f"{path} is locked by another process; wait for it to finish, or end it")
    if code in _DAMAGED:
        return HomeError(
            f"{path} is damaged ({error}); restore it from a backup, or move it away to start with an empty home"
        )
    if code == sqlite3.SQLITE_FULL:
        return HomeError(f"no space left to write {path}; nothing of this step was kept")
    if code in _DENIED:
        return HomeError(f"{path} cannot be opened for writing; check the permissions of its folder")
    if code == sqlite3.SQLITE_IOERR:
        return HomeError(f"the disk failed while using {path}: {error}")
    return None
