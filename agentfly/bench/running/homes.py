"""The working home of a benchmark run: a copy of what was learned elsewhere, so that nothing is ever written there, or an empty one."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
from pathlib import Path

from agentfly.errors import HomeError
from agentfly.folders import remove_tree
from agentfly.store.home import DATABASE, MCP_PINS, MCP_SERVERS, SETTINGS, Home

_FILES = (SETTINGS, MCP_SERVERS, MCP_PINS)
"""Of a home, beside its database. The index is built again, and what runs wrote is theirs."""
_LEARNED = ("cases", "bullets", "playbook_versions", "policy_state")
"""Tables that hold what is used of a home."""
_BUSY_SECONDS = 10.0


def copied_home(source: Path | None, target: Path) -> str | None:
    """Make a working home.

    Args:
        source: the home to copy, which may be in use and is not written to; None makes an empty one.
        target: the folder, which is not there yet.

    Returns:
        A hash over what was learned in it; None where it is empty.

    Raises:
        HomeError: the source is no home, or one of the two cannot be used.
    """
    try:
        target.mkdir(parents=True)
        if source is None:
            return None
        _copy_database(source, target / DATABASE)
        for name in _FILES:
            if (source / name).is_file():
                shutil.copyfile(source / name, target / name)
        with Home.open(target, create=False):  # brings an older one up to date, and refuses a newer one
            pass
        return learned_hash(target)
    except (OSError, sqlite3.Error) as error:
        remove_tree(target)
        raise HomeError(f"the home {source or target} cannot be copied: {error}") from None
    except BaseException:
        remove_tree(target)
        raise


def learned_hash(home: Path) -> str:
    """A hash over what was learned in a home, whatever else it holds."""
    digest = hashlib.sha256()
    with contextlib.closing(sqlite3.connect(home / DATABASE)) as db:
        for table in _LEARNED:
            digest.update(table.encode())
            for row in db.execute(f"SELECT * FROM {table} ORDER BY rowid"):
                digest.update(repr(tuple(row)).encode("utf-8", "replace"))
    return digest.hexdigest()


def keep_home(draft: Path, place: Path) -> None:
    """Put a home that was made elsewhere on the same disk in its place, all at once.

    Raises:
        HomeError: it cannot be put there.
    """
    try:
        draft.rename(place)
    except OSError as error:
        raise HomeError(f"{place} cannot be made: {error.strerror or error}") from None


def _copy_database(source: Path, target: Path) -> None:
    """A copy of one moment, also of a database that is being written to."""
    database = source / DATABASE
    if not database.is_file():
        raise HomeError(f"{source} is not an agentfly home (it holds no {DATABASE})")
    with contextlib.closing(_opened(database)) as old, contextlib.closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _opened(database: Path) -> sqlite3.Connection:
    """A connection that only reads. As any other it may make the files beside the database that SQLite shares between processes,
    and removes them again, which one that is opened read-only could not."""
    address = database.absolute().as_uri()
    db = sqlite3.connect(f"{address}?mode=rw", uri=True, timeout=_BUSY_SECONDS)
    try:
        db.execute("PRAGMA query_only = ON")
        db.execute("SELECT 1 FROM meta LIMIT 1")
        return db
    except sqlite3.OperationalError:
        db.close()
        return sqlite3.connect(f"{address}?immutable=1", uri=True)  # a disk that nobody can write to
