"""The Chroma index over the bank's embeddings (sole import of chromadb): an index behind the truth, never the truth.

One process owns it at a time; the others search exactly. Embeddings go in by revision, and everything that comes out
is looked up in SQLite again. On open the files are compared with the stamp of the last finished write; where they
differ, a child process tries the index first, because a damaged one can kill the process that queries it.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentfly.errors import AgentflyError
from agentfly.memory import stamp as stamps
from agentfly.memory.builder import Builder
from agentfly.memory.lock import FileLock
from agentfly.memory.probe import locked
from agentfly.memory.soundness import doubt, searchable
from agentfly.memory.stamp import Source, Stamp
from agentfly.store.database import Database

if TYPE_CHECKING:
    from agentfly.protocols import Vector

log = logging.getLogger(__name__)

TAIL = 512
"""Changes that the index need not have read yet: they are searched exactly beside it."""
BATCH = 64
"""Rows of one write to Chroma while others wait: 20 rows take 45 ms, 64 about 70 ms, 500 about 350 ms (384 dimensions,
100,000 cases, 2 cores), and no other thread runs meanwhile."""
LARGE_BATCH = 1000
"""Rows of one write where nobody waits; Chroma takes at most 5,461."""
_ASIDE = 2_000  # changes from which on a process of its own is worth the second that it takes to start
_BREATH = 0.001  # seconds between two writes in which a waiting thread gets its turn
_COLLECTION = "cases"
# Measured on 20,000 and 100,000 clustered vectors: at least 99.9 % of the 32 nearest are found; wider graphs take twice
# the time to build.
_CONFIGURATION = {"hnsw": {"space": "cosine", "ef_search": 128, "ef_construction": 100, "max_neighbors": 16}}


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexState:
    """How the index stands."""

    owned: bool
    """Whether this process has it open."""
    count: int
    """Embeddings in it, as of its last finished write."""
    behind: int
    """Changes in the truth that it has not read yet."""
    problem: str = ""
    """Why it was not used, or had to be rebuilt, last time."""


class ChromaIndex:
    """Approximate nearest neighbours of all active cases.

    Args:
        folder: the home's ``index`` folder.
        db: the truth.
        source: what the index must have been built from to be used.
    """

    def __init__(self, folder: Path, db: Database, source: Source) -> None:
        self._folder = folder
        self._db = db
        self._source = source
        self._lock = threading.RLock()
        self._owner = FileLock(folder / "owner.lock")
        self._builder = Builder(folder, db.path, source)
        self._client: Any = None
        self._collection: Any = None
        self._stamp: Stamp | None = None
        self.problem = ""

    @property
    def is_open(self) -> bool:
        return self._collection is not None and self._owner.held

    @property
    def building(self) -> bool:
        """Whether a process of ours builds it at this moment."""
        return self._builder.running

    @property
    def rev(self) -> int:
        """Revision of the truth up to which the index has read."""
        stamp = self._stamp if self.is_open else stamps.read(self._folder)
        return stamp.rev if stamp and stamp.source == self._source else 0

    def state(self) -> IndexState:
        stamp = self._stamp if self.is_open else stamps.read(self._folder)
        ours = stamp is not None and stamp.source == self._source
        count = stamp.count if stamp and ours else 0
        return IndexState(owned=self.is_open, count=count, behind=self.behind(), problem=self.problem)

    def behind(self) -> int:
        """How many changes in the truth the index has not read yet."""
        return int(self._db.read("SELECT count(*) FROM cases WHERE rev > ?", (self.rev,))[0][0])

    def size(self) -> int:
        """Bytes that the index folder takes on disk."""
        return sum(size for size, _ in stamps.files_of(self._folder).values())

    def open(self, build: bool = False) -> bool:
        """Own the index and make sure that it is sound.

        Args:
            build: start an empty one where there is none, or none that is sound.

        Returns:
            Whether it can be used; False where another process owns it or it has to be built first.
        """
        with self._lock:
            if self.is_open:
                return True
            self._client = self._collection = None  # a parent process's, where we were forked off
            if self._builder.running or not self._take():
                return False
            with self._guarded():
                if self._sound():
                    self._connect()
                elif build:
                    self._start_anew()
            if not self.is_open:
                self._owner.release()
            return self.is_open

    def nearest(self, vector: Vector, n: int) -> list[int] | None:
        """Sequence numbers of about `n` nearest cases; None when the index cannot be used after all."""
        with self._lock:
            if not self.is_open:
                return None
            with self._guarded():
                found = self._collection.query(query_embeddings=[vector.tolist()], n_results=n, include=[])
                return [int(seq) for seq in found["ids"][0]]
        return None

    def sync(
        self, seconds: float | None = None, *, batch: int | None = None, stop: Callable[[], bool] = lambda: False
    ) -> int:
        """Read what changed in the truth, in batches, here in this process.

        Args:
            seconds: stop after the batch in which this time is up; None goes on to the end.
            batch: rows of one write; by default `BATCH`.
            stop: asked after each batch.

        Returns:
            How many changes are left to read.
        """
        start = time.monotonic()
        while True:
            with self._lock, self._guarded():
                if not self.is_open or not self._sync_batch(batch or BATCH):
                    break
            if stop() or (seconds is not None and time.monotonic() - start > seconds):
                break
            time.sleep(_BREATH)
        return self.behind()

    def catch_up(self, seconds: float | None = None) -> int:
        """Bring the index up to date, and build it where there is none that is sound; see `sync`.

        What takes long is done by a process of its own, so that the other threads of this one go on.
        """
        if seconds is not None and self._builder.running:
            return self.behind()
        self._builder.wait(lambda: self.rev)
        if seconds is None and self.behind() > _ASIDE and self._hand_over():
            self._builder.wait(lambda: self.rev)
        return self.sync(seconds) if self.open(build=True) else self.behind()

    def follow(self, added: int) -> None:
        """Keep an open index near the truth, after so many cases were added: a little at once, much in a process of
        its own, during which the search is exact."""
        if not self.is_open:
            return
        behind = self.behind()
        if behind > TAIL:
            if not self._builder.failed:
                self._hand_over()
        elif behind >= TAIL // 2 and added <= TAIL // 2:
            self.sync()

    def rebuild(self) -> bool:
        """Drop the index and build it from the truth. False where another process owns it."""
        self.close()
        with self._lock:
            if not self._take():
                return False
            self.problem = ""
            with self._guarded():
                stamps.remove(self._folder)
            self._owner.release()
        self.catch_up()
        return self.is_open

    def inspect(self) -> None:
        """Test the index by use, in a child process, however good it looks; a bad one is dropped. See `problem`."""
        if stamps.read(self._folder) is None:
            return
        self.close()
        with self._lock:
            if not self._take():
                return
            with self._guarded():
                if not self._sound(suspicious=True):
                    stamps.remove(self._folder)
            self._stamp = None
            self._owner.release()

    def close(self) -> None:
        """Let go of the index. May be called twice."""
        self._builder.stop()
        with self._lock:
            stamp, mine = self._stamp, self.is_open
            self._disconnect()
            if mine and stamp is not None:
                with self._guarded():
                    self._put_stamp(stamp)
            self._owner.release()

    # What follows needs the lock, and what touches Chroma stands under `_guarded`.

    def _take(self) -> bool:
        """Own the folder, if nobody else does and it can be written to; `problem` tells."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            taken = self._owner.take()
        except OSError as error:
            self.problem = f"its folder cannot be used: {error.strerror}: {error.filename}"
            return False
        if not taken:
            self.problem = "another process owns it"
        return taken

    def _hand_over(self) -> bool:
        """Let a process of its own build; False where it cannot."""
        self.close()
        with self._lock:
            if not self._take():
                return False
            self._owner.release()
            return self._builder.start()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Whatever Chroma raises, panics of its Rust core included, costs the index and nothing else."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit, GeneratorExit, AgentflyError):
            raise
        except BaseException as error:
            self.problem = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            log.warning("the index failed and will be checked and rebuilt: %s", self.problem, exc_info=True)
            self._disconnect()
            with suppress(OSError):  # a folder that cannot be written to, or is gone
                stamps.remove(self._folder)
            self._owner.release()

    def _sound(self, suspicious: bool = False) -> bool:
        """Whether the index on disk can be trusted; `suspicious` tests it even if its files are as they were."""
        problem = doubt(self._folder, self._db, self._source, suspicious=suspicious)
        if problem:
            self.problem = self.problem or problem if problem == "there is none" else problem
            return False
        self._stamp, self.problem = stamps.read(self._folder), ""
        return self._stamp is not None

    def _connect(self) -> None:
        import chromadb
        from chromadb.config import Settings

        assert self._stamp is not None
        folder = self._folder / self._stamp.folder
        if locked(folder / "chroma.sqlite3"):  # Chroma would wait for minutes
            self.problem = "its database is locked by another process"
            return
        settings = Settings(anonymized_telemetry=False)
        self._client = chromadb.PersistentClient(str(folder), settings=settings)
        self._collection = self._client.get_or_create_collection(
            _COLLECTION, embedding_function=None, configuration=_CONFIGURATION
        )
        self._put_stamp(self._stamp)  # opening alone touches the files

    def _disconnect(self) -> None:
        client, self._client, self._collection, self._stamp = self._client, None, None, None
        if client is not None and self._owner.held:
            try:
                client.close()
            except Exception:
                log.warning("the index did not close cleanly", exc_info=True)

    def _start_anew(self) -> None:
        """An empty index in a fresh folder: Chroma keeps what it knows of a path for as long as the process lives."""
        log.info("building the index: %s", self.problem or "asked for")
        self.problem = ""
        self._disconnect()
        stamps.remove(self._folder)
        old = [path for path in self._folder.glob("chroma-*") if path.is_dir()]
        for path in old:
            shutil.rmtree(path, ignore_errors=True)
        number = max((int(n) for path in old if (n := path.name.removeprefix("chroma-")).isdigit()), default=0) + 1
        folder = self._folder / f"chroma-{number}"
        folder.mkdir()
        self._stamp = Stamp(source=self._source, folder=folder.name)
        self._connect()

    def _sync_batch(self, size: int) -> bool:
        """Write one batch of changes; False when there was none."""
        assert self._stamp is not None
        rows = self._db.read(
            "SELECT seq, rev, id, status, embedding FROM cases WHERE rev > ? ORDER BY rev LIMIT ?",
            (self._stamp.rev, size),
        )
        if not rows:
            return False
        wanted = searchable((row for row in rows if row["status"] == "active"), self._source.dimensions)
        unwanted = [str(row["seq"]) for row in rows if str(row["seq"]) not in wanted]
        if wanted:
            self._collection.upsert(ids=list(wanted), embeddings=list(wanted.values()))
        if unwanted:
            self._collection.delete(ids=unwanted)
        newest = max(rows, key=lambda row: row["seq"])
        tip = max(self._stamp.tip or (0, ""), (newest["seq"], newest["id"]))
        count = self._collection.count()
        self._put_stamp(replace(self._stamp, rev=rows[-1]["rev"], tip=tip, count=count))
        return True

    def _put_stamp(self, stamp: Stamp) -> None:
        files = stamps.files_of(self._folder / stamp.folder)
        self._stamp = replace(stamp, files=files)
        stamps.write(self._folder, self._stamp)


def _probed(folder: str, samples: dict[str, Sequence[float]]) -> dict[str, Any]:
    """What the child does: every sample must find itself, and as many neighbours as there are to find."""
    import chromadb
    from chromadb.config import Settings

    client = chromadb.PersistentClient(folder, settings=Settings(anonymized_telemetry=False))
    collection = client.get_collection(_COLLECTION, embedding_function=None)
    count = collection.count()
    missed = 0
    for vector in samples.values():
        found = collection.query(query_embeddings=[vector], n_results=min(10, count), include=["distances"])
        missed += len(found["ids"][0]) < min(10, count) or found["distances"][0][0] > 1e-3
    return {"count": count, "ids": [int(id) for id in collection.get(include=[])["ids"]], "missed": missed}


if __name__ == "__main__":
    print(json.dumps(_probed(sys.argv[1], json.loads(sys.stdin.read()))))  # noqa: T201
