"""Processes that are killed while they commit, and processes that commit at once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agentfly.playbooks import Playbook, PlaybookLedger
from agentfly.playbooks.playbook import content
from agentfly.playbooks.render import to_markdown
from agentfly.store.home import Home
from agentfly.testing import HashEmbedder

KILLS = 20
# Imports once and forks for each line of its input: a start takes milliseconds. What a child was told is kept, it says
# in a file of its own, which outlives a kill.
NURSERY = """
import itertools, os, signal, sys
import numpy
from agentfly.errors import InputError
from agentfly.playbooks import Delta, PlaybookLedger
from agentfly.playbooks.meaning import Meaning
from agentfly.store.home import Home
from agentfly.testing import HashEmbedder

def operations(name, n, book):
    mine = [b for b in book if b.text.startswith(name + " ")]
    last = [b for b in mine if b.text.startswith(f"{name} last")]
    rules = [b for b in mine if b not in last]
    yield {"op": "add", "section": "strategies", "text": f"{name} rule {n} about the columns of table {n}"}
    yield {"op": "add", "section": f"part {name}", "text": f"{name} last {n}"}
    yield from ({"op": "remove", "id": b.id} for b in last)
    if len(rules) > 2:
        yield {"op": "tag", "id": rules[-1].id, "tag": "helpful"}
        yield {"op": "merge", "ids": [b.id for b in rules[:2]], "text": f"{name} rule {n}, merged"}

def work(home, name, count, expecting):
    acks = os.open(f"{home}/{name}.acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    opened = Home.open(home)
    ledger = PlaybookLedger(opened.db, opened.playbook, embedder=HashEmbedder(), similar=0.95)
    for n in range(count):
        while True:
            book = ledger.current()
            delta = Delta.model_validate({"reason": f"{name} {n}", "operations": list(operations(name, n, book))})
            try:
                done = ledger.commit(
                    delta, author="run", run=name, strict=True, expected_version=book.version if expecting else None
                )
                break
            except InputError as problem:
                assert "look at it and try again" in str(problem), problem
                os.write(acks, b"conflict\\n")
        os.write(acks, f"{n} {done.version}\\n".encode())

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    home, name, count, expecting = line.rstrip("\\n").split("\\t")
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        status = 1
        try:
            work(home, name, int(count), expecting == "1")
            status = 0
        finally:
            if status:
                import traceback
                traceback.print_exc()
                sys.stderr.flush()
            os._exit(status)
    print(pid, flush=True)
"""


class Nursery:
    """Starts workers on one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._process = subprocess.Popen(
            [sys.executable, "-c", NURSERY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def start(self, name: str, count: int = 10_000, *, expecting: bool = False) -> int:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{self.home}\t{name}\t{count}\t{int(expecting)}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def acks(self, name: str) -> list[str]:
        path = self.home / f"{name}.acks"
        return path.read_text().splitlines() if path.exists() else []

    def close(self) -> str:
        return self._process.communicate(timeout=30)[1]


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    (tmp_path / "home").mkdir()
    opened = Nursery(tmp_path / "home")
    yield opened
    assert opened.close() == "", "no worker failed"


def until(true: object, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.001)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def check(nursery: Nursery, names: list[str]) -> Playbook:
    """Every delta that was acknowledged is in, whole; the playbook is what its history says; the file follows."""
    with Home.open(nursery.home) as home:
        ledger = PlaybookLedger(home.db, home.playbook)
        current = ledger.current()
        history = ledger.history(limit=None)
        by_version = {revision.version: revision for revision in history}
        assert [revision.version for revision in history] == list(range(current.version, 0, -1))
        assert [revision.parent for revision in history] == list(range(current.version - 1, -1, -1))
        for name in names:
            acked = [line.split() for line in nursery.acks(name) if line != "conflict"]
            for n, version in acked:
                assert by_version[int(version)].reason == f"{name} {n}"
            assert [n for n, _ in acked] == [str(n) for n in range(len(acked))]
            kept = sum(revision.run == name for revision in history)
            assert kept - len(acked) in {0, 1}, "the last one may have been kept without a word getting out"
            if kept:
                assert [b.text for b in current if b.text.startswith(f"{name} last")] == [f"{name} last {kept - 1}"]
        replayed = Playbook()
        for revision in reversed(history):
            replayed = replayed.with_changes(revision.changes, revision.version or 0)
        assert list(map(content, current)) == list(map(content, replayed))
        assert ledger.at(0).bullets == ()
        assert home.playbook.read_text() == to_markdown(current)
        stored = home.db.read("SELECT text, embedding FROM bullets WHERE embedding IS NOT NULL")
        made = HashEmbedder().embed([row[0] for row in stored])
        kept_vectors = np.array([np.frombuffer(row[1], dtype="<f4") for row in stored])
        assert np.allclose(made, kept_vectors, atol=1e-6), "each embedding is that of its text"
    return current


def test_killed_at_random_moments(nursery: Nursery) -> None:
    rng = random.Random(11)
    names: list[str] = []
    for kill in range(KILLS):
        both = [f"left{kill}", f"right{kill}"]
        pids = [nursery.start(name) for name in both]
        first = rng.choice(both)
        until(lambda first=first: nursery.acks(first))
        time.sleep(rng.uniform(0.0, 0.05))
        for pid in rng.sample(pids, 2):
            os.kill(pid, signal.SIGKILL)
            time.sleep(rng.choice([0.0, 0.003]))
        until(lambda pids=pids: all(map(gone, pids)))
        names += both
        if kill % 3:  # else the next workers are the first to find what is left
            check(nursery, names)
    assert check(nursery, names).version > 3 * KILLS
    last = nursery.start("after", 3)
    until(lambda: gone(last))
    check(nursery, [*names, "after"])
    assert len(nursery.acks("after")) == 3


def test_a_file_that_a_kill_left_behind_is_mended(nursery: Nursery) -> None:
    pid = nursery.start("one", 3)
    until(lambda: gone(pid))
    whole = (nursery.home / "playbook.md").read_bytes()
    for left in (None, b"", whole[:40], whole.replace(b"Version 3", b"Version 2"), b"\xff\xfe"):
        path = nursery.home / "playbook.md"
        path.unlink() if left is None else path.write_bytes(left)
        check(nursery, ["one"])
        assert path.read_bytes() == whole


@pytest.mark.parametrize("expecting", [False, True])
def test_two_commit_at_once(nursery: Nursery, expecting: bool) -> None:
    """Both deltas are there; one that expected another version is refused with one line, and goes in when tried again."""
    pids = [nursery.start(name, 12, expecting=expecting) for name in ("left", "right")]
    until(lambda: all(map(gone, pids)))
    current = check(nursery, ["left", "right"])
    assert current.version == 24
    lines = [line for name in ("left", "right") for line in nursery.acks(name)]
    assert len([line for line in lines if line != "conflict"]) == 24
    if not expecting:
        assert "conflict" not in lines
