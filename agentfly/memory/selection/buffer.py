"""The latest recalls that were judged, as arrays: what the policies that learn remember of the record."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agentfly.protocols import Episode, Shown

CAPACITY = 4096
"""Recalls that are remembered; the oldest give way. Bounds both memory and the time that a score takes."""

WIDTH = 8
"""Cases remembered of one recall: the first that were chosen."""


@lru_cache(maxsize=1 << 16)
def key(text: str) -> int:
    """A number for an id of a case or run, never 0, which stands for none."""
    return (
        int.from_bytes(hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest(), "little") >> 1 | 1
    )


class Buffer:
    """A ring of judged recalls. A run that is judged again takes the place of what it said before.

    Every array has one row for each recall; `capacity` rows at most, of which the first `size` have been used.

    Args:
        dimensions: d of the embeddings.
        extras: shapes of further arrays to keep beside each recall, float32.
        capacity: number of rows.
    """

    def __init__(
        self, dimensions: int, extras: Mapping[str, tuple[int, ...]] | None = None, capacity: int = CAPACITY
    ) -> None:
        self.capacity = capacity
        self._shapes: dict[str, tuple[tuple[int, ...], str]] = {
            "states": ((dimensions,), "f4"),  # of half precision, so that it is saved in half the bytes
            "cases": ((WIDTH,), "i8"),
            "shares": ((WIDTH,), "f4"),
            "cosines": ((WIDTH,), "f4"),
            "outcomes": ((WIDTH,), "f4"),  # what the shown cases earned themselves
            "rewards": ((), "f8"),
            "expected": ((), "f8"),  # before the reward was known
            "active": ((), "f4"),
            "runs": ((), "i8"),
            "numbers": ((), "i8"),
            "following": ((), "i8"),  # row of the next recall of the same run, -1 for the last one
            **{name: (shape, "f4") for name, shape in (extras or {}).items()},
        }
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        import numpy as np

        rows = min(self.capacity, 64)
        self.arrays: dict[str, NDArray[Any]] = {
            name: np.zeros((rows, *shape), dtype=kind) for name, (shape, kind) in self._shapes.items()
        }
        self.size = 0  # rows that have been used
        self.next = 0  # the row that is written next
        self.width = 1  # the most cases of one recall so far

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The used rows of an array: a view."""
        return self.arrays[name][: self.size]

    def known(self, run: str) -> tuple[NDArray[Any], int]:
        """Rows of a run, and the highest number that it was judged under (-1 for none)."""
        import numpy as np

        rows = np.flatnonzero((self["runs"] == key(run)) & (self["active"] > 0))
        return rows, int(self["numbers"][rows].max()) if rows.size else -1

    def drop(self, rows: NDArray[Any]) -> None:
        """Take recalls out of account."""
        self.arrays["active"][rows] = 0.0

    def place(self) -> int:
        """The row for the next recall; what was in it is forgotten."""
        row = self.next
        if row >= len(self.arrays["active"]):
            self._grow()
        self.size = max(self.size, row + 1)
        self.next = (row + 1) % self.capacity
        return row

    def write(self, row: int, shown: Shown, episode: Episode, active: float) -> None:
        """Fill a row with one recall.

        Args:
            row: as `place` gave it.
            shown: the recall.
            episode: the run that it was part of.
            active: its weight.
        """
        import numpy as np

        n, arrays = min(WIDTH, len(shown.cases)), self.arrays
        self.width = max(self.width, n)
        state = np.asarray(shown.state, dtype=np.float32)
        arrays["states"][row] = state.astype(np.float16)
        for name, values in (
            ("cases", [key(case.id) for case in shown.cases[:n]]),
            ("shares", [1.0 / n] * n),
            ("cosines", np.vecdot(np.asarray(shown.vectors, dtype=np.float32)[:n], state)),
            ("outcomes", [case.reward for case in shown.cases[:n]]),
        ):
            arrays[name][row, :n] = values
            arrays[name][row, n:] = 0
        arrays["rewards"][row], arrays["active"][row] = episode.reward, active
        arrays["runs"][row], arrays["numbers"][row], arrays["following"][row] = key(episode.run), episode.number, -1

    def dump(self) -> dict[str, NDArray[Any]]:
        """The used rows and the place of the next, as arrays to be saved."""
        import numpy as np

        saved = {name: self[name] for name in self._shapes}
        saved["states"] = saved["states"].astype(np.float16)
        return {**saved, "next": np.array([self.next, self.width], dtype=np.int64)}

    def load(self, saved: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `dump` gave.

        Raises:
            ValueError, KeyError: it does not fit; nothing has changed then.
        """
        import numpy as np

        size, (next_, width) = len(saved["active"]), (int(n) for n in saved["next"])
        if size > self.capacity or next_ != (size if size < self.capacity else min(max(next_, 0), size - 1)):
            raise ValueError("more rows than are kept")
        if not 1 <= width <= WIDTH:
            raise ValueError("recalls wider than are kept")
        arrays = {}
        for name, (shape, kind) in self._shapes.items():
            if saved[name].shape != (size, *shape):
                raise ValueError(f"{name} has the shape {saved[name].shape}")
            if not np.isfinite(saved[name]).all():
                raise ValueError(f"{name} is not finite")
            arrays[name] = saved[name].astype(kind)
        self.arrays, self.size, self.next = arrays, size, next_
        self.width = width

    def _grow(self) -> None:
        import numpy as np

        rows = min(self.capacity, 2 * max(32, len(self.arrays["active"])))
        for name, old in self.arrays.items():
            fresh = np.zeros((rows, *old.shape[1:]), dtype=old.dtype)
            fresh[: len(old)] = old
            self.arrays[name] = fresh


def active_part(episode: Episode) -> float:
    """Weight of each recall of a run: those of one run share its one reward."""
    return 1.0 / max(1, sum(bool(shown.cases) for shown in episode.recalls))


def kept(episodes: Sequence[Episode], capacity: int = CAPACITY) -> Sequence[Episode]:
    """The episodes of a long list that the ring can hold in the end: the last word of each run, the latest ones."""
    if len(episodes) < 2:
        return episodes
    last: dict[str, Episode] = {}
    for episode in episodes:
        last.pop(episode.run, None)
        last[episode.run] = episode
    chosen: list[Episode] = []
    room = capacity
    for episode in reversed(last.values()):
        room -= len(episode.recalls)
        if room < 0 and chosen:
            break
        chosen.append(episode)
    return chosen[::-1]
