"""The cache by content."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.tools.caching import ContentCache, content_key


def test_what_was_put_is_got_also_by_another_instance(tmp_path: Path) -> None:
    key = content_key(b"page", "page=1")
    ContentCache(tmp_path / "c").put(key, "täxt\n\ud800")
    assert ContentCache(tmp_path / "c").get(key) == "täxt\n\ud800"
    assert ContentCache(tmp_path / "c").get(content_key(b"page", "page=2")) is None
    assert ContentCache(tmp_path / "none").get(key) is None


def test_put_replaces(tmp_path: Path) -> None:
    cache, key = ContentCache(tmp_path), content_key("a")
    cache.put(key, "old")
    cache.put(key, "new")
    assert cache.get(key) == "new"
    assert len(list(tmp_path.iterdir())) == 1


@given(st.lists(st.binary(max_size=4), max_size=3), st.lists(st.binary(max_size=4), max_size=3))
def test_keys_differ_where_the_parts_do(one: list[bytes], other: list[bytes]) -> None:
    assert (content_key(*one) == content_key(*other)) == (one == other)


@pytest.mark.parametrize("damage", [b"", b"short", b"0" * 64 + b"forged"])
def test_a_damaged_entry_counts_as_absent(tmp_path: Path, damage: bytes) -> None:
    cache, key = ContentCache(tmp_path), content_key("a")
    cache.put(key, "good")
    next(tmp_path.iterdir()).write_bytes(damage)
    assert cache.get(key) is None
    cache.put(key, "again")
    assert cache.get(key) == "again"


def test_the_least_recently_used_go(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path, megabytes=0.1)
    keys = [content_key(str(number)) for number in range(12)]
    for age, key in enumerate(keys[:9]):
        cache.put(key, "x" * 10_000)
        past = time.time() - 1000 + age
        os.utime(tmp_path / f"{key}.txt", (past, past))
    assert cache.get(keys[0]) is not None  # used again, so it stays
    for key in keys[9:]:
        cache.put(key, "x" * 10_000)
    held = {key for key in keys if cache.get(key) is not None}
    assert keys[0] in held
    assert keys[11] in held
    assert keys[1] not in held
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 0.1 * 1024 * 1024


def test_entries_of_other_processes_count(tmp_path: Path) -> None:
    ContentCache(tmp_path, megabytes=1).put(content_key("old"), "x" * 200_000)
    ContentCache(tmp_path, megabytes=0.1).put(content_key("new"), "y")
    assert not (tmp_path / f"{content_key('old')}.txt").exists()


def test_an_oversized_text_is_not_kept(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path / "c", megabytes=0.01)
    cache.put(content_key("a"), "x" * 5000)
    assert cache.get(content_key("a")) is None


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    stray = tmp_path / "tmpabc.part"
    stray.write_text("half")
    os.utime(stray, (0, 0))
    ContentCache(tmp_path).put(content_key("a"), "x")
    assert not stray.exists()


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = ContentCache(tmp_path / "file" / "c")
    cache.put(content_key("a"), "x")
    assert cache.get(content_key("a")) is None


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="content_key"):
        ContentCache(tmp_path).get("../../etc/passwd")


def test_processes_side_by_side(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from agentfly.tools.caching import *\n"
        "cache = ContentCache(Path(sys.argv[1]), megabytes=0.2)\n"
        "for n in range(300):\n"
        "    key = content_key(str(n % 40)); text = str(n % 40) * 2000\n"
        "    cache.put(key, text); got = cache.get(key)\n"
        "    assert got is None or got == text, n\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert not list(tmp_path.glob("*.part"))
