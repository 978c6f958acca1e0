"""Copies of homes: of one moment, with what was learned, and nothing is written to the one that is copied."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from agentfly.bench.running.homes import copied_home, learned_hash
from agentfly.errors import HomeError, HomeTooNewError
from agentfly.memory.bank import CaseBank
from agentfly.store.home import Home
from agentfly.testing import HashEmbedder
from agentfly.types import Case


def home(path: Path, cases: int = 3) -> Path:
    with Home.open(path) as opened:
        bank = CaseBank(opened, embedder=HashEmbedder(16))
        for number in range(cases):
            bank.add(Case(question=f"what is {number}?", solution=str(number)))
        bank.close()
    return path


def count(path: Path) -> int:
    with sqlite3.connect(path / "agentfly.db") as db:
        return int(db.execute("SELECT count(*) FROM cases").fetchone()[0])


def whole(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_copy_holds_what_was_learned_and_the_home_is_as_it_was(tmp_path: Path) -> None:
    source = home(tmp_path / "home")
    (source / "config.yaml").write_text("policy: neural\n")
    before = whole(source)
    told = copied_home(source, tmp_path / "copy")
    assert whole(source) == before
    assert count(tmp_path / "copy") == 3
    assert (tmp_path / "copy" / "config.yaml").read_text() == "policy: neural\n"
    assert told == learned_hash(source) == copied_home(source, tmp_path / "second")


def test_the_hash_follows_what_was_learned(tmp_path: Path) -> None:
    assert learned_hash(home(tmp_path / "one", 1)) != learned_hash(home(tmp_path / "two", 2))


def test_a_home_in_use_is_copied_as_of_one_moment(tmp_path: Path) -> None:
    source, stop = home(tmp_path / "home"), threading.Event()

    def learn() -> None:
        with Home.open(source) as opened:
            bank = CaseBank(opened, embedder=HashEmbedder(16))
            number = 100
            while not stop.is_set() and number < 400:
                bank.add(Case(question=f"what is {number}?", solution=str(number)))
                number += 1
            bank.close()

    writer = threading.Thread(target=learn)
    writer.start()
    try:
        counts = []
        for number in range(3):
            copied_home(source, tmp_path / f"copy-{number}")
            counts.append(count(tmp_path / f"copy-{number}"))
    finally:
        stop.set()
        writer.join()
    assert counts == sorted(counts)
    assert counts[0] >= 3
    for number in range(3):
        with sqlite3.connect(tmp_path / f"copy-{number}" / "agentfly.db") as db:
            assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_an_empty_home_has_no_hash(tmp_path: Path) -> None:
    assert copied_home(None, tmp_path / "new") is None
    assert list((tmp_path / "new").iterdir()) == []


def test_what_is_no_home_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(HomeError, match="not an agentfly home"):
        copied_home(tmp_path / "folder", tmp_path / "copy")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "agentfly.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(HomeError, match="damaged"):
        copied_home(tmp_path / "damaged", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_home_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    source = home(tmp_path / "home")
    with sqlite3.connect(source / "agentfly.db") as db:
        db.execute("PRAGMA user_version = 999")
    with pytest.raises(HomeTooNewError):
        copied_home(source, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
