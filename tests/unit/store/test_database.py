"""The database under the faults that a home meets: locks, forks, damage, other versions, other programs' files."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agentfly.errors import HomeBusyError, HomeError, HomeTooNewError
from agentfly.store import migrations
from agentfly.store.database import Database

ROOT = Path(__file__).resolve().parents[3]


def put(db: Database, key: str, value: str = "1") -> None:
    with db.write() as tx:
        tx.execute("INSERT INTO meta VALUES (?, ?)", (key, value))


def put_and_fail(db: Database, key: str) -> None:
    with db.write():
        put(db, key)
        _ = 1 / 0


def keys(db: Database) -> set[str]:
    return {row["key"] for row in db.read("SELECT key FROM meta")} - {"home_id"}


@pytest.fixture
def db(tmp_path: Path):
    database = Database(tmp_path / "a.db", wait=0.3)
    yield database
    database.close()


def test_settings_that_durability_rests_on(db: Database) -> None:
    assert db.read("PRAGMA journal_mode")[0][0] == "wal"
    assert db.read("PRAGMA synchronous")[0][0] == 2
    assert db.read("PRAGMA foreign_keys")[0][0] == 1
    assert db.read("PRAGMA user_version")[0][0] == migrations.SCHEMA_VERSION


def test_a_failed_transaction_leaves_nothing(db: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        put_and_fail(db, "a")
    assert keys(db) == set()
    put(db, "b")
    assert keys(db) == {"b"}


def test_nested_write_joins_the_outer_one_and_undoes_only_itself(db: Database) -> None:
    with db.write() as outer:
        outer.execute("INSERT INTO meta VALUES ('outer', '1')")
        with pytest.raises(ZeroDivisionError):
            put_and_fail(db, "inner")
        put(db, "second")
    assert keys(db) == {"outer", "second"}
    with pytest.raises(ZeroDivisionError):
        put_and_fail(db, "lost")
    assert keys(db) == {"outer", "second"}


def test_lock_of_another_process_is_a_clear_error_within_the_wait(db: Database, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    start = time.monotonic()
    with pytest.raises(HomeBusyError, match="locked by another process") as caught:
        put(db, "a")
    assert 0.2 < time.monotonic() - start < 10
    assert "\n" not in str(caught.value)
    assert keys(db) == set()  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    put(db, "a")


def test_thread_that_writes_for_long_is_a_clear_error_for_the_others(db: Database) -> None:
    caught: list[BaseException] = []

    def other() -> None:
        try:
            put(db, "b")
        except HomeBusyError as error:
            caught.append(error)

    with db.write():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(5)
    assert caught


def test_threads_take_turns(db: Database) -> None:
    db.wait = 30
    threads = [threading.Thread(target=lambda i=i: [put(db, f"{i}-{j}") for j in range(20)]) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys(db)) == 80


def test_newer_schema_is_refused_and_the_file_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    Database(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {migrations.SCHEMA_VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(HomeTooNewError, match="newer agentfly"):
        Database(path)
    assert path.read_bytes() == before


def test_older_schema_is_migrated_in_one_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.db"
    db = Database(path)
    put(db, "kept")
    db.close()
    version = migrations.SCHEMA_VERSION
    bad = ("CREATE TABLE first (x)", "CREATE TABLE meta (clash)")
    monkeypatch.setattr("agentfly.store.database.MIGRATIONS", (*migrations.MIGRATIONS, bad))
    monkeypatch.setattr("agentfly.store.database.SCHEMA_VERSION", version + 1)
    with pytest.raises(sqlite3.OperationalError):
        Database(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == version
        assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'first'").fetchall()
    connection.close()
    monkeypatch.setattr("agentfly.store.database.MIGRATIONS", (*migrations.MIGRATIONS, bad[:1]))
    again = Database(path)
    assert again.read("PRAGMA user_version")[0][0] == version + 1
    assert keys(again) == {"kept"}
    again.close()


@pytest.mark.parametrize("content", [b"this is no database at all, only text" * 100, b"\x00" * 5000])
def test_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(content)
    with pytest.raises(HomeError, match="damaged") as caught:
        Database(path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


def test_database_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(HomeError, match="not an agentfly database"):
        Database(path)
    assert path.read_bytes() == before


def test_damaged_pages_are_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    db = Database(path)
    for i in range(50):
        put(db, f"k{i}", "x" * 3000)
    db.close()
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(HomeError, match="damaged"):
        keys(Database(path))


def test_forked_child_gets_its_own_connection(db: Database) -> None:
    put(db, "parent")
    with db.write():  # the child is forked off in the middle of a transaction, with the lock held
        child = multiprocessing.get_context("fork").Process(target=lambda: os._exit(0 if "parent" in keys(db) else 9))
        child.start()
        child.join(10)
    assert child.exitcode == 0
    put(db, "after")
    assert keys(db) == {"parent", "after"}


OPEN = """
import sys, time
from agentfly.store.database import Database
while time.time() < float(sys.argv[2]): pass
db = Database(sys.argv[1])
with db.write() as tx:
    tx.execute("INSERT INTO meta VALUES (?, '1')", (sys.argv[3],))
"""


@pytest.mark.parametrize("round_", range(3))
def test_processes_that_make_the_same_home_at_once_all_succeed(tmp_path: Path, round_: int) -> None:
    start = str(time.time() + 0.5)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(tmp_path / "a.db"), start, f"p{i}"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
        )
        for i in range(4)
    ]
    for child in children:
        assert child.communicate(timeout=30)[1] == b""
        assert child.returncode == 0
    db = Database(tmp_path / "a.db")
    assert keys(db) == {"p0", "p1", "p2", "p3"}
    db.close()


def test_every_change_of_a_case_raises_its_revision_but_counting_does_not(db: Database) -> None:
    def add(name: str) -> None:
        with db.write() as tx:
            tx.execute(
                """INSERT INTO cases (id, hash, question, solution, reward, lesson, task_id, domain, tags, provenance,
                   created, updated, embedder, embedding) VALUES (?1, ?1, 'q', '', 1, '', '', '', '[]', '{}', 0, 0, 'e', x'')""",
                (name,),
            )

    def revs() -> dict[str, int]:
        return {row["id"]: row["rev"] for row in db.read("SELECT id, rev FROM cases")}

    add("a")
    add("b")
    assert revs() == {"a": 1, "b": 2}
    with db.write() as tx:
        tx.execute("UPDATE cases SET shown = shown + 1, helped = 1 WHERE id = 'a'")
    assert revs() == {"a": 1, "b": 2}
    with db.write() as tx:
        tx.execute("UPDATE cases SET status = 'pruned' WHERE id = 'a'")
    assert revs() == {"a": 3, "b": 2}
    with pytest.raises(sqlite3.IntegrityError, match="never deleted"), db.write() as tx:
        tx.execute("DELETE FROM cases")
