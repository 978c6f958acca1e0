"""The embeddings of questions: each made once, by the embedder that made the others in the home."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from agentfly.errors import HomeError
from agentfly.memory import health, writing
from agentfly.memory.embedding import embedded
from agentfly.memory.rows import content_hash
from agentfly.protocols import Embedder
from agentfly.store.database import Database
from agentfly.types import Case

if TYPE_CHECKING:
    from agentfly.protocols import Vector

_REMEMBERED = 128  # texts whose embedding is kept: a question is embedded for recall, for credit and for its case
_TOGETHER = 8
"""Texts of one batch. A text takes half as long in a batch of so many as alone; more gain no more, and each waits longer."""


class Vectors:
    """Embeddings for one bank; safe to use from threads.

    Args:
        db: the home's database.
        embedder: makes the embeddings.
        home: the home's folder, for messages.
    """

    def __init__(self, db: Database, embedder: Embedder, home: Path) -> None:
        self._db = db
        self._embedder = embedder
        self._home = home
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._wanted: dict[str, Future[Vector]] = {}
        self._expected: deque[str] = deque()
        self._latest: dict[str, Vector] = {}
        self._checked = False

    def expect(self, texts: Iterable[str]) -> None:
        """Texts that will be asked for soon, in this order: they fill up the batches of those that are wanted now.

        Args:
            texts: instead of those that were expected before.
        """
        with self._lock:
            self._expected = deque(texts)

    def of(self, text: str) -> Vector:
        """Embedding of one text, shape (d,); the latest ones are remembered.

        Threads that ask at the same time are served together: one of them embeds what all have asked for by then.
        """
        with self._lock:
            known = self._latest.pop(text, None)
            if known is not None:
                self._latest[text] = known
                return known
            wanted = self._wanted.setdefault(text, Future())
        while not wanted.done():
            with self._turn:
                if not wanted.done():
                    self._embed_together()
        return wanted.result()

    def _embed_together(self) -> None:
        """Embed what was asked for first. What is cut off stays wanted, and whoever waits for it goes on with it."""
        with self._lock:
            while self._expected and len(self._wanted) < _TOGETHER:
                text = self._expected.popleft()
                if text not in self._latest:
                    self._wanted.setdefault(text, Future())
            batch = list(itertools.islice(self._wanted, _TOGETHER))
        found: list[Vector | Exception]
        try:
            found = [*embedded(self._embedder, batch)]
        except Exception as error:  # noqa: BLE001  whatever an embedder raises is for who asked for that text
            found = [error] if len(batch) == 1 else [self._alone(text) for text in batch]
        with self._lock:
            for text, vector in zip(batch, found, strict=True):
                future = self._wanted.pop(text)
                if isinstance(vector, Exception):
                    future.set_exception(vector)
                    continue
                self._latest[text] = vector
                future.set_result(vector)
            while len(self._latest) > _REMEMBERED:
                del self._latest[next(iter(self._latest))]

    def _alone(self, text: str) -> Vector | Exception:
        try:
            vector: Vector = embedded(self._embedder, [text])[0]
        except Exception as error:  # noqa: BLE001  as above
            return error
        return vector

    def of_new(self, cases: Sequence[Case]) -> list[Vector | None]:
        """Embeddings of the cases that are not stored yet, batched; None for the others."""
        hashes = [content_hash(case) for case in cases]
        known = writing.known(self._db, hashes)
        new = [i for i, digest in enumerate(hashes) if digest not in known]
        vectors: list[Vector | None] = [None] * len(cases)
        if len(new) == 1:
            vectors[new[0]] = self.of(cases[new[0]].question)
        elif new:
            for i, vector in zip(new, embedded(self._embedder, [cases[i].question for i in new]), strict=True):
                vectors[i] = vector
        return vectors

    def check(self) -> None:
        """Make sure that the home's cases were embedded by this embedder: vectors of two cannot be compared.

        Raises:
            HomeError: they were not; says what to do.
        """
        if self._checked:
            return
        held = health.embedder_of(self._db)
        if held is not None and held != self._embedder.name:
            raise HomeError(
                f"the cases in {self._home} were embedded by {held!r}, not by {self._embedder.name!r}; "
                "`agentfly doctor --fix` embeds them anew"
            )
        self._checked = held is not None
