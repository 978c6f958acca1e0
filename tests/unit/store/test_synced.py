"""Commits that need not be on disk at once: there all the same, for everybody and after a kill."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from agentfly.store.database import Database

PROGRAM = """
import os, signal, sys
from pathlib import Path
from agentfly.store.database import Database
db = Database(Path(sys.argv[1]))
with db.write() as tx: tx.execute("CREATE TABLE t (x)")
with db.write(synced=False) as tx: tx.execute("INSERT INTO t VALUES (1)")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "home.db"
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [row[0] for row in Database(path).read("SELECT x FROM t")] == [1]


def test_the_next_commit_is_synced_again(tmp_path: Path) -> None:
    db = Database(tmp_path / "home.db")

    def level() -> int:
        return int(db.read("PRAGMA synchronous")[0][0])

    with db.write(synced=False) as tx:
        tx.execute("CREATE TABLE t (x)")
    assert level() == 1
    with db.write() as tx:
        tx.execute("INSERT INTO t VALUES (1)")
        with db.write(synced=False) as inner:  # a part of what is synced
            inner.execute("INSERT INTO t VALUES (2)")
    assert level() == 2
    db.close()
    with db.write() as tx:
        tx.execute("INSERT INTO t VALUES (3)")
    assert level() == 2
    with sqlite3.connect(tmp_path / "home.db") as other:
        assert other.execute("SELECT count(*) FROM t").fetchone() == (3,)


def test_a_relaxed_database_waits_for_the_disk_now_and_then_and_at_the_end(tmp_path: Path) -> None:
    db = Database(tmp_path / "home.db")

    def level_after_a_commit() -> int:
        with db.write() as tx:
            tx.execute("CREATE TABLE IF NOT EXISTS t (x)")
        return int(db.read("PRAGMA synchronous")[0][0])

    level_after_a_commit()
    with db.relaxed(3600):
        assert level_after_a_commit() == 1
        with db.relaxed(0.0):
            assert level_after_a_commit() == 2, "the shortest time counts"
        assert level_after_a_commit() == 1
    assert int(db.read("PRAGMA synchronous")[0][0]) == 2, "all of it is on disk at the end"
    assert level_after_a_commit() == 2


def test_a_relaxed_database_loses_nothing_to_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "home.db"
    relaxed = PROGRAM.replace("with db.write(synced=False) as tx", "with db.relaxed(3600), db.write() as tx").replace(
        'INSERT INTO t VALUES (1)")\nos.kill',
        "INSERT INTO t VALUES (1)\"); tx.execute('COMMIT'); os.kill(os.getpid(), 9)\nos.kill",
    )
    done = subprocess.run([sys.executable, "-c", relaxed, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [row[0] for row in Database(path).read("SELECT x FROM t")] == [1]
