"""The embeddings of questions: each made once, by the embedder that made the others in the home."""

from __future__ import annotations

import threading
from collections.abc import Sequence
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
        self._latest: dict[str, Vector] = {}
        self._checked = False

    def of(self, text: str) -> Vector:
        """Embedding of one text, shape (d,); the latest ones are remembered."""
        with self._lock:
            known = self._latest.pop(text, None)
        vector = known if known is not None else embedded(self._embedder, [text])[0]
        with self._lock:
            self._latest[text] = vector
            while len(self._latest) > _REMEMBERED:
                del self._latest[next(iter(self._latest))]
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
