"""The Chroma index over the bank's embeddings (sole import of chromadb): an index behind the truth, never the truth.

One process owns it at a time; the others search exactly. Embeddings go in by revision, and everything that comes out
is looked up in SQLite again. On open the files are compared with the stamp of the last finished write; where they
differ, a child process tries the index first, because a damaged one can kill the process that queries it.
"""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentfly.errors import AgentflyError
from agentfly.memory import stamp as stamps
from agentfly.memory.lock import FileLock
from agentfly.memory.probe import locked, probe
from agentfly.memory.stamp import Source, Stamp
from agentfly.store.database import Database

if TYPE_CHECKING:
    from agentfly.protocols import Vector

log = logging.getLogger(__name__)

BATCH = 500
"""Rows of one write to Chroma: 20 rows cost 45 ms, 500 about 150 ms; other threads may search in between."""
_COLLECTION = "cases"
_SAMPLES = 12
# Measured on 20,000 clustered vectors: the 32 nearest found in full; wider graphs cost twice the time to build.
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
        self._client: Any = None
        self._collection: Any = None
        self._stamp: Stamp | None = None
        self.problem = ""

    @property
    def is_open(self) -> bool:
        return self._collection is not None and self._owner.held

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
            self._folder.mkdir(parents=True, exist_ok=True)
            if not self._owner.take():
                self.problem = "another process owns it"
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

    def sync(self, seconds: float | None = None) -> int:
        """Read what changed in the truth, in batches.

        Args:
            seconds: stop after the batch in which this time is up; None goes on to the end.

        Returns:
            How many changes are left to read.
        """
        start = time.monotonic()
        while True:
            with self._lock, self._guarded():
                if not self.is_open or not self._sync_batch():
                    break
            if seconds is not None and time.monotonic() - start > seconds:
                break
        return self.behind()

    def rebuild(self) -> bool:
        """Drop the index and build it from the truth. False where another process owns it."""
        self.close()
        with self._lock:
            if not self._owner.take():
                self.problem = "another process owns it"
                return False
            with self._guarded():
                self._start_anew()
        self.sync()
        return self.is_open

    def inspect(self) -> None:
        """Test the index by use, in a child process, however good it looks; a bad one is dropped. See `problem`."""
        if stamps.read(self._folder) is None:
            return
        self.close()
        with self._lock:
            if not self._owner.take():
                return
            if not self._sound(suspicious=True):
                stamps.remove(self._folder)
            self._stamp = None
            self._owner.release()

    def close(self) -> None:
        """Let go of the index. May be called twice."""
        with self._lock:
            stamp, mine = self._stamp, self.is_open
            self._disconnect()
            if mine and stamp is not None:
                self._put_stamp(stamp)
            self._owner.release()

    # What follows needs the lock, and what touches Chroma stands under `_guarded`.

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
            stamps.remove(self._folder)
            self._owner.release()

    def _sound(self, suspicious: bool = False) -> bool:
        """Whether the index on disk can be trusted; `suspicious` tests it even if its files are as they were."""
        stamp = stamps.read(self._folder)
        if stamp is None or not stamp.folder or not (self._folder / stamp.folder).is_dir():
            self.problem = self.problem or "there is none"
        elif stamp.source != self._source:
            self.problem = "it was built for another home or embedder"
        elif not self._fits_truth(stamp):
            self.problem = "it was built from another state of the database"
        elif (suspicious or stamp.files != stamps.files_of(self._folder / stamp.folder)) and not self._passes(stamp):
            self.problem = "its files are damaged"
        else:
            self._stamp, self.problem = stamp, ""
            return True
        return False

    def _fits_truth(self, stamp: Stamp) -> bool:
        revision = self._db.read("SELECT value FROM case_revision")[0][0]
        if stamp.tip is None or stamp.rev > revision:
            return stamp.tip is None and stamp.rev == 0
        rows = self._db.read("SELECT id FROM cases WHERE seq = ?", (stamp.tip[0],))
        return bool(rows) and rows[0]["id"] == stamp.tip[1]

    def _passes(self, stamp: Stamp) -> bool:
        """Try the index in a child process: a damaged one can bring down or hang whoever queries it."""
        folder = self._folder / stamp.folder
        if locked(folder / "chroma.sqlite3"):
            return False
        must = {
            row["seq"]
            for row in self._db.read("SELECT seq FROM cases WHERE rev <= ? AND status = 'active'", (stamp.rev,))
        }
        chosen = sorted(must)[:: max(1, len(must) // _SAMPLES)]
        rows = self._db.read(
            "SELECT seq, embedding FROM cases WHERE seq IN (SELECT value FROM json_each(?))", (json.dumps(chosen),)
        )
        report = probe(folder, {seq: vector.tolist() for seq, vector in self._searchable(rows).items()})
        if report is None or report["missed"] or report["count"] != len(report["ids"]):
            return False
        missing = json.dumps(sorted(must - set(report["ids"])))
        rows = self._db.read(
            "SELECT seq, embedding FROM cases WHERE seq IN (SELECT value FROM json_each(?))", (missing,)
        )
        return not self._searchable(rows)

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

    def _sync_batch(self) -> bool:
        """Write one batch of changes; False when there was none."""
        assert self._stamp is not None
        rows = self._db.read(
            "SELECT seq, rev, id, status, embedding FROM cases WHERE rev > ? ORDER BY rev LIMIT ?",
            (self._stamp.rev, BATCH),
        )
        if not rows:
            return False
        wanted = self._searchable(row for row in rows if row["status"] == "active")
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

    def _searchable(self, rows: Iterable[sqlite3.Row]) -> dict[str, Vector]:
        """The embeddings that can be searched for, by Chroma id: a zero vector has no direction."""
        import numpy as np

        vectors = {str(row["seq"]): np.frombuffer(row["embedding"], dtype="<f4") for row in rows}
        size = self._source.dimensions
        return {seq: vector for seq, vector in vectors.items() if len(vector) == size and vector.any()}

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
