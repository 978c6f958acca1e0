"""An index of bullet embeddings in memory: which bullets are near a text, and which are near one another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.refine import leading_first, parallel, sense
from agentfly.playbooks.sequence import Blocks
from agentfly.playbooks.utility import IN_PROMPT, worth
from agentfly.types import Bullet, BulletKind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agentfly.protocols import Vector

_ROWS = 256
"""Rows that are compared with all others at a time."""
_DIGITS = 5
"""Digits of a cosine that count: what is left differs from machine to machine."""


class BulletIndex:
    """The embeddings of one playbook's bullets as a matrix, one row each. Not safe for threads.

    It follows a playbook from version to version at a cost in proportion to what changed. Checks are left out: they
    are programs, and two that look alike may test different things.

    Args:
        dimensions: d of the embeddings.
    """

    def __init__(self, dimensions: int) -> None:
        import numpy as np

        self._matrix: Vector = np.zeros((0, dimensions), dtype=np.float32)
        self._groups: NDArray[np.int64] = np.zeros(0, dtype=np.int64)  # bullets of one kind and sense; -1: no bullet
        self._bullets: list[Bullet | None] = []
        self._place: dict[str, int] = {}
        self._free: list[int] = []
        self._codes: dict[tuple[str, tuple[str, ...]], int] = {}
        self._waiting: dict[str, Bullet] = {}
        self._fresh: set[str] = set()
        self._blocks: Blocks = ()

    def __len__(self) -> int:
        return len(self._place)

    @property
    def waiting(self) -> Mapping[str, Bullet]:
        """Bullets whose embedding is not known, by id."""
        return self._waiting

    def follow(self, playbook: Playbook) -> list[Bullet]:
        """Hold the bullets of this playbook. Versions share blocks, and only blocks that are new are looked at.

        Returns:
            Bullets that are new or say something new, and so wait for an embedding.
        """
        blocks = playbook.blocks
        if blocks is self._blocks:
            return []
        held, now = set(map(id, self._blocks)), set(map(id, blocks))
        come = {entry.bullet.id: entry.bullet for block in blocks if id(block) not in held for entry in block.entries}
        for block in self._blocks:
            if id(block) not in now:
                for entry in block.entries:
                    if entry.bullet.id not in come:
                        self._forget(entry.bullet.id)
        self._blocks = blocks
        return [bullet for bullet in come.values() if bullet.kind in IN_PROMPT and self._is_new(bullet)]

    def take(self, vectors: Mapping[str, Vector]) -> list[Bullet]:
        """Take in embeddings, by bullet id, of bullets that wait for one.

        A vector that has no direction, or numbers that are not finite, is passed over for good: nothing is near it.

        Returns:
            The bullets that can be found from now on.
        """
        import numpy as np

        known = []
        self._make_room(len(vectors))
        for bullet_id, vector in vectors.items():
            bullet = self._waiting.pop(bullet_id, None)
            length = float(np.linalg.norm(vector))
            if bullet is None or not 0 < length < float("inf"):
                continue
            place = self._free.pop() if self._free else len(self._bullets)
            if place == len(self._bullets):
                self._bullets.append(None)
            self._bullets[place], self._place[bullet_id] = bullet, place
            self._matrix[place] = vector / length
            self._groups[place] = self._codes.setdefault((bullet.kind, sense(bullet.text)), len(self._codes))
            self._fresh.add(bullet_id)
            known.append(bullet)
        return known

    def vector(self, bullet_id: str) -> Vector | None:
        """The embedding of a bullet, shape (d,)."""
        place = self._place.get(bullet_id)
        return None if place is None else self._matrix[place]

    def bullets(self, bullet_ids: Iterable[str]) -> list[Bullet]:
        """The bullets with these ids whose embeddings are known."""
        places = (self._place.get(bullet_id) for bullet_id in bullet_ids)
        return [bullet for place in places if place is not None and (bullet := self._bullets[place]) is not None]

    def similarities(self, vector: Vector) -> dict[str, float]:
        """Cosine of every bullet with a unit vector of shape (d,), by id."""
        import numpy as np

        places = np.fromiter(self._place.values(), dtype=np.int64, count=len(self._place))
        return dict(zip(self._place, self._cosines(vector)[places].tolist(), strict=True))

    def near(self, vector: Vector, text: str, kind: BulletKind, threshold: float) -> list[str]:
        """Ids of the bullets of a kind that say nearly the same as a text, nearest first, of equals the oldest.

        Args:
            vector: embedding of the text, unit length, shape (d,).
            threshold: least cosine.
        """
        import numpy as np

        size, code = len(self._bullets), self._codes.get((kind, sense(text)))
        if code is None:
            return []
        places = np.flatnonzero(self._groups[:size] == code)
        few = len(places) * 4 < size
        scores = np.vecdot(self._matrix[places], vector) if few else self._cosines(vector)[places]
        found = [
            (-round(float(scores[i]), _DIGITS), *worth(bullet)[1:], bullet.id)
            for i in np.flatnonzero(scores.round(_DIGITS) >= threshold)
            if (bullet := self._bullets[places[i]]) is not None
        ]
        return [row[-1] for row in sorted(found)]

    def clusters(self, threshold: float, limit: int | None = None, *, anew: bool = False) -> list[list[str]]:
        """Bullets that say nearly the same, as stars: each is near the first, which leads it (`leading_first`).

        None is `parallel` to another of its star: two rules that differ in a word both stay.

        Only bullets that came since they were last compared are compared with the others.

        Args:
            threshold: least cosine.
            limit: most bullets to compare with the others; the rest is left for the next time.
            anew: compare all again.
        """
        import numpy as np

        fresh = sorted(self._place if anew else self._fresh)[:limit]
        self._fresh.difference_update(fresh)
        by_group: dict[int, list[Bullet]] = {}
        for bullet_id in fresh:
            place = self._place[bullet_id]
            bullet = self._bullets[place]
            if bullet is not None:
                by_group.setdefault(int(self._groups[place]), []).append(bullet)
        found: list[list[str]] = []
        order = np.argsort(self._groups[: len(self._bullets)], kind="stable")
        groups = self._groups[order]
        for code, bullets in by_group.items():
            places = order[np.searchsorted(groups, code) : np.searchsorted(groups, code, side="right")]
            if len(places) > 1:
                found += self._stars(leading_first(bullets), places, threshold)
        return found

    def _stars(self, fresh: list[Bullet], places: NDArray[np.int64], threshold: float) -> list[list[str]]:
        """Clusters within one group. A fresh bullet joins a better one that it is near, or else leads those near it."""
        import numpy as np

        members = leading_first([bullet for p in places if (bullet := self._bullets[p]) is not None])
        rank = {bullet.id: i for i, bullet in enumerate(members)}
        matrix = self._matrix[[self._place[bullet.id] for bullet in members]]
        taken = np.zeros(len(members), dtype=np.bool_)
        stars: dict[int, list[int]] = {}
        for start in range(0, len(fresh), _ROWS):
            rows = [rank[bullet.id] for bullet in fresh[start : start + _ROWS]]
            near = (matrix[rows] @ matrix.T).round(_DIGITS) >= threshold
            for row, hits in zip(rows, near, strict=True):
                if taken[row]:
                    continue
                others = [int(i) for i in np.flatnonzero(hits & ~taken) if i != row]
                better = next((i for i in others if i < row and _fits(members, [i, *stars.get(i, ())], row)), None)
                lead, joining = (row, [i for i in others if i > row]) if better is None else (better, [row])
                star = stars.setdefault(lead, [])
                for i in joining:
                    if _fits(members, [lead, *star[:_ROWS]], i):  # a larger star is no set of rules for many things
                        star.append(i)
                        taken[i] = True
        return [[members[i].id for i in (lead, *rest)] for lead, rest in sorted(stars.items()) if rest]

    def _cosines(self, vector: Vector) -> Vector:
        import numpy as np

        # One thread: BLAS would wait for its other threads, 20 ms at a time on a busy machine.
        scores: Vector = np.vecdot(self._matrix[: len(self._bullets)], vector)
        return scores

    def _is_new(self, bullet: Bullet) -> bool:
        place = self._place.get(bullet.id)
        held = self._waiting.get(bullet.id) if place is None else self._bullets[place]
        if held is None or held.text != bullet.text:
            self._forget(bullet.id)
            self._waiting[bullet.id] = bullet
            return True
        if place is None:
            self._waiting[bullet.id] = bullet
        else:
            self._bullets[place] = bullet  # its counts may have moved
        return False

    def _forget(self, bullet_id: str) -> None:
        self._waiting.pop(bullet_id, None)
        self._fresh.discard(bullet_id)
        place = self._place.pop(bullet_id, None)
        if place is not None:
            self._bullets[place] = None
            self._groups[place] = -1
            self._matrix[place] = 0.0
            self._free.append(place)

    def _make_room(self, more: int) -> None:
        import numpy as np

        need, have = len(self._bullets) + more, len(self._groups)
        if need > have:
            grow = max(need, 2 * have) - have
            self._matrix = np.concatenate([self._matrix, np.zeros((grow, self._matrix.shape[1]), dtype=np.float32)])
            self._groups = np.concatenate([self._groups, np.full(grow, -1, dtype=np.int64)])


def _fits(members: Sequence[Bullet], star: Iterable[int], one: int) -> bool:
    """Whether a bullet differs from each of a star in more than a swapped word."""
    return not any(parallel(members[i].text, members[one].text) for i in star)
