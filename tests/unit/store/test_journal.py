"""The journal of open runs in the home's database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from agentfly.store.home import Home
from agentfly.store.journal import JournalStore
from agentfly.store.runs import RunStore
from agentfly.types import Task


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.open(tmp_path)
    for run in ("run-1", "run-2"):
        RunStore(home.db).start(run, Task("q"), "m", "codeact", {})
    return home


def test_entries_come_back_in_their_order_also_in_another_process(home: Home, tmp_path: Path) -> None:
    store = JournalStore(home.db)
    store.add("run-1", "0", "reply", "0", {"reply": {"text": "half a pair: \ud83d, and ünï"}})
    store.add("run-2", "0", "reply", "0", {})
    store.add("run-1", "1", "result", "k", {"value": [1, None, "x"]})
    home.close()
    with Home.open(tmp_path) as again:
        first, second = JournalStore(again.db).read("run-1")
        assert (first.attempt, first.kind, first.key) == ("0", "reply", "0")
        assert first.payload == {"reply": {"text": "half a pair: ?, and ünï"}}
        assert (second.attempt, second.payload) == ("1", {"value": [1, None, "x"]})
        assert first.seq < second.seq


def test_what_is_forgotten_is_one_runs_or_one_attempts(home: Home) -> None:
    store = JournalStore(home.db)
    for run, attempt in (("run-1", "0"), ("run-1", "1"), ("run-2", "0")):
        store.add(run, attempt, "reply", "0", {})
    store.forget("run-1", "0")
    assert [entry.attempt for entry in store.read("run-1")] == ["1"]
    store.forget("run-1")
    assert (len(store.read("run-1")), len(store.read("run-2"))) == (0, 1)


def test_only_a_run_on_record_has_one(home: Home) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        JournalStore(home.db).add("run-9", "0", "reply", "0", {})
