"""The bullets of a home by meaning: embeddings made in small batches, kept beside the bullets, searched in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from agentfly.playbooks import rows
from agentfly.playbooks.delta import Add, Delta, Merge, Update
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.refine import Neighbours, merging, parallel, sense
from agentfly.playbooks.rows import Reader, Writer
from agentfly.playbooks.rules import Refused, Rules
from agentfly.playbooks.similar import BulletIndex
from agentfly.playbooks.text import clean_text
from agentfly.playbooks.utility import IN_PROMPT
from agentfly.protocols import Embedder
from agentfly.types import BulletKind

if TYPE_CHECKING:
    from agentfly.protocols import Vector

BATCH = 64
"""Most texts that are embedded on the way of something else: a third of a second on two cores."""
_REMEMBERED = 256
"""Texts whose embedding is remembered between its making and its use."""


@dataclass(frozen=True, slots=True)
class _Said:
    """An addition whose embedding is known."""

    place: int
    """In its delta."""
    kind: BulletKind
    text: str
    sense: tuple[str, ...]
    vector: Vector


class Neighbourhood:
    """What the ledger knows of meaning. The ledger's lock guards everything but `embed`, which may take long.

    Args:
        embedder: makes the embeddings.
        similar: cosine from which on two bullets say nearly the same; None merges nothing.
    """

    def __init__(self, embedder: Embedder, similar: float | None) -> None:
        self._embedder = embedder
        self._similar = similar
        self._latest: dict[str, Vector] = {}
        self._room = _REMEMBERED
        self._unwritten: set[str] = set()

    @cached_property
    def _index(self) -> BulletIndex:
        """Made when it is first needed: numpy takes a tenth of a second to import."""
        return BulletIndex(self._embedder.dimensions)

    def follow(self, db: Reader, playbook: Playbook) -> None:
        """Hold the bullets of this playbook, with the embeddings that the home has of them."""
        new = self._index.follow(playbook)
        if not new:
            return
        stored = rows.embeddings(db, self._embedder.name, {bullet.id: bullet.text for bullet in new})
        self._index.take({key: vector for key, vector in stored.items() if len(vector) == self._embedder.dimensions})
        self.take({})

    def wanted(self, texts: Iterable[str] = ()) -> list[str]:
        """The next batch of texts to embed: those given, then those of bullets that have no embedding yet."""
        waiting = (bullet.text for bullet in self._index.waiting.values())
        wanted = dict.fromkeys(text for text in (*texts, *waiting) if text not in self._latest)
        return list(wanted)[:BATCH]

    def make_room(self, texts: int) -> None:
        """Remember the embeddings of this many texts, and of a batch beside them."""
        self._room = max(_REMEMBERED, texts + BATCH)

    def embed(self, texts: Collection[str]) -> dict[str, Vector]:
        """Unit vectors of texts, each of shape (d,). Without the lock: others may go on meanwhile.

        Where the embedder gives numbers that are not finite, it is the zero vector, which is near nothing.

        Raises:
            UserError: the embedder's model is not to be had.
        """
        import numpy as np

        if not texts:
            return {}
        vectors = np.asarray(self._embedder.embed(list(texts)), dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        fit = np.isfinite(lengths) & (lengths > 0)
        unit = np.where(fit, vectors, 0.0) / np.where(fit, lengths, 1.0)
        return dict(zip(texts, unit.astype(np.float32), strict=True))

    def take(self, vectors: Mapping[str, Vector]) -> None:
        """Take in embeddings, by text."""
        self._latest.update(vectors)
        waiting = self._index.waiting.items()
        known = {key: self._latest[bullet.text] for key, bullet in waiting if bullet.text in self._latest}
        self._unwritten.update(bullet.id for bullet in self._index.take(known))
        while len(self._latest) > self._room:
            del self._latest[next(iter(self._latest))]

    def of(self, delta: Delta, rules: Rules) -> Neighbours:
        """What says nearly the same as each `add` of a delta: bullets of the playbook that is followed, earlier adds."""
        if self._similar is None:
            return {}
        adds = [
            _Said(place, operation.kind, text, sense(text), self._latest[text])
            for place, operation in enumerate(delta.operations)
            if isinstance(operation, Add) and (text := _text(operation, rules)) in self._latest and text is not None
        ]
        found: dict[int, list[str | int]] = {}
        for add, earlier in zip(adds, _alike(adds, self._similar), strict=True):
            near = self._index.bullets(self._index.near(add.vector, add.text, add.kind, self._similar))
            bullets = [bullet.id for bullet in near if not parallel(bullet.text, add.text)]
            found[add.place] = [*bullets, *(adds[i].place for i in earlier)]
        return found

    def merges(self, playbook: Playbook, limit: int | None = None, *, anew: bool = False) -> Delta:
        """The delta that merges the near-duplicates of the playbook that is followed; see `BulletIndex.clusters`."""
        if self._similar is None:
            return Delta(operations=())
        return merging(playbook, self._index.clusters(self._similar, limit, anew=anew))

    def similarities(self, vector: Vector) -> dict[str, float]:
        """Cosine of every bullet whose embedding is known with a unit vector of shape (d,), by id."""
        return self._index.similarities(vector)

    def write(self, tx: Writer) -> frozenset[str]:
        """Write embeddings that the home does not have yet.

        Returns:
            The bullets, to be given to `written` when the transaction is through.
        """
        vectors = {key: vector for key in self._unwritten if (vector := self._index.vector(key)) is not None}
        texts = {bullet.id: bullet.text for bullet in self._index.bullets(vectors)}
        rows.write_embeddings(tx, self._embedder.name, {key: (texts[key], vectors[key]) for key in sorted(vectors)})
        return frozenset(self._unwritten)

    def written(self, bullet_ids: Collection[str]) -> None:
        """These embeddings are in the home for good."""
        self._unwritten.difference_update(bullet_ids)

    @property
    def unwritten(self) -> bool:
        """Whether there are embeddings that the home does not have."""
        return bool(self._unwritten)


def _alike(adds: Sequence[_Said], threshold: float) -> list[list[int]]:
    """For each of some additions, those before it that say nearly the same."""
    import numpy as np

    if not adds:
        return []
    matrix = np.stack([add.vector for add in adds])

    def nearly_the_same(number: int, add: _Said) -> Iterator[int]:
        for i in map(int, np.flatnonzero(np.vecdot(matrix[:number], add.vector) >= threshold)):
            of_a_sort = (adds[i].kind, adds[i].sense) == (add.kind, add.sense)
            if of_a_sort and add.kind in IN_PROMPT and not parallel(adds[i].text, add.text):
                yield i

    return [list(nearly_the_same(number, add)) for number, add in enumerate(adds)]


def texts_of(delta: Delta, rules: Rules) -> list[str]:
    """What a delta would have bullets say, as it would be stored; texts that will be refused are left out."""
    found = (_text(operation, rules) for operation in delta.operations if isinstance(operation, Add | Update | Merge))
    return [text for text in found if text]


def _text(operation: Add | Update | Merge, rules: Rules) -> str | None:
    """The text as it would be stored; None where it would be refused."""
    try:
        return clean_text(
            operation.text, rules.chars, lines=isinstance(operation, Add) and operation.kind != "strategy"
        )
    except Refused:
        return None
