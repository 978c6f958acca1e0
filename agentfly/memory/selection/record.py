"""The record of judged recalls, read as episodes in the order in which they were judged."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from agentfly.memory.rows import COLUMNS, case_of
from agentfly.protocols import Episode, Shown
from agentfly.store.database import Database
from agentfly.types import Case

if TYPE_CHECKING:
    from agentfly.protocols import Vector


def latest(db: Database) -> int:
    """Number of the latest judgement; 0 where there is none."""
    return int(db.read("SELECT coalesce(max(judged), 0) FROM recalls")[0][0])


def episodes(db: Database, after: int, limit: int | None, embedder: str, dimensions: int) -> list[Episode]:
    """What a `Reader` reads first."""
    return Reader(db, after, embedder, dimensions).read(limit)


class Reader:
    """Reads judged runs in the order of their judgement, oldest first.

    The counters of the shown cases (`shown`, `helped`) are those from before the run was judged. A policy that takes
    them for features would otherwise learn from the very outcome that it is to predict.

    Args:
        db: the home's database.
        after: number after which to begin; 0 begins at the beginning.
        embedder: name of the embedder in use. Recalls and cases that another one embedded are left out, because
            their vectors cannot be compared.
        dimensions: d of its embeddings.
    """

    def __init__(self, db: Database, after: int, embedder: str, dimensions: int) -> None:
        self._db = db
        self._embedder = embedder
        self._shelf = Shelf(db, embedder, dimensions)
        self._counters = _Counters(db, after, embedder)
        self.upto = after
        """Number up to which the record is read; what could not be used on the way is passed over."""

    def read(self, limit: int | None = None) -> list[Episode]:
        """The next episodes, at most `limit`; fewer, or none, also where some could not be used."""
        upto = self._end(limit)
        span = {"after": self.upto, "upto": upto, "embedder": self._embedder}
        showings = _showings(self._db, span)
        self._shelf.fetch(row["case_id"] for rows in showings.values() for row in rows)
        recalls = self._db.read(
            """SELECT judged, id, run_id, state FROM recalls WHERE judged > :after AND judged <= :upto
               AND +embedder = :embedder ORDER BY judged, id""",
            span,
        )
        found = []
        for (number, run), parts in groupby(recalls, key=lambda row: (row["judged"], row["run_id"])):
            judged = [(row["state"], rows) for row in parts if (rows := showings.get(row["id"]))]
            shown = tuple(_recalls(judged, self._shelf, self._counters))
            if shown:
                found.append(Episode(number=number, run=run, recalls=shown, reward=float(judged[0][1][0]["reward"])))
            self._counters.pass_by(row for _, rows in judged for row in rows)
        self.upto = upto
        return found

    def _end(self, limit: int | None) -> int:
        end = max(latest(self._db), self.upto)
        if limit is None:
            return end
        numbers = self._db.read(
            """SELECT DISTINCT judged FROM recalls WHERE judged > ? AND judged <= ? AND +embedder = ?
               ORDER BY judged LIMIT ?""",
            (self.upto, end, self._embedder, limit),
        )
        return int(numbers[-1][0]) if len(numbers) == limit else end


class Shelf:
    """Cases with their embeddings, each read once.

    Args:
        db: the home's database.
        embedder: only cases that it embedded.
        dimensions: d of the embeddings; others are left out.
    """

    def __init__(self, db: Database, embedder: str, dimensions: int) -> None:
        self._db = db
        self._embedder = embedder
        self._dimensions = dimensions
        self._held: dict[str, tuple[Case, Vector] | None] = {}

    def fetch(self, ids: Iterable[str]) -> None:
        """Read those of these cases that are not held yet."""
        import numpy as np

        missing = list(dict.fromkeys(id for id in ids if id not in self._held))
        if not missing:
            return
        self._held.update(dict.fromkeys(missing))
        rows = self._db.read(
            f"""SELECT embedding, {COLUMNS} FROM cases WHERE id IN (SELECT value FROM json_each(?))
                AND +embedder = ? AND length(embedding) = ?""",
            (json.dumps(missing), self._embedder, 4 * self._dimensions),
        )
        for row in rows:
            self._held[row["id"]] = (case_of(row), np.frombuffer(row["embedding"], dtype="<f4"))

    def get(self, id: str) -> tuple[Case, Vector] | None:
        """A case that was fetched, and its embedding of shape (d,); None where it cannot be used."""
        return self._held.get(id)


class _Counters:
    """How often a case had been shown, and with what success, at a place in the record."""

    def __init__(self, db: Database, after: int, embedder: str) -> None:
        rows = db.read(
            """SELECT case_id, count(*), sum(reward) FROM recalls CROSS JOIN interactions ON recall_id = recalls.id
               WHERE judged > ? AND +embedder = ? GROUP BY +case_id""",
            (after, embedder),
        )
        self._to_come = {row[0]: (row[1], row[2]) for row in rows}
        self._values: dict[str, dict[str, Any]] = {}

    def before(self, case: Case) -> Case:
        """The case with the counters of this place."""
        shown, helped = self._to_come.get(case.id, (0, 0.0))
        values = self._values.get(case.id)
        if values is None:
            values = self._values[case.id] = {name: getattr(case, name) for name in Case.__dataclass_fields__}
        # Made by hand: `dataclasses.replace` takes twice as long, and there is one for each showing.
        return Case(**{**values, "shown": max(case.shown - shown, 0), "helped": max(case.helped - helped, 0.0)})

    def pass_by(self, rows: Iterable[Any]) -> None:
        """Go on past these showings."""
        for row in rows:
            shown, helped = self._to_come.get(row["case_id"], (0, 0.0))
            self._to_come[row["case_id"]] = (max(shown - 1, 0), max(helped - row["reward"], 0.0))


def _showings(db: Database, span: Mapping[str, Any]) -> dict[int, list[Any]]:
    """What was shown, by recall, in the order of the choice."""
    rows = db.read(
        """SELECT recall_id, case_id, propensity, reward FROM recalls CROSS JOIN interactions ON recall_id = recalls.id
           WHERE judged > :after AND judged <= :upto AND +embedder = :embedder AND reward IS NOT NULL
           ORDER BY recall_id, rank""",
        span,
    )
    return {recall: list(part) for recall, part in groupby(rows, key=lambda row: int(row["recall_id"]))}


def _recalls(judged: Sequence[tuple[bytes, list[Any]]], shelf: Shelf, counters: _Counters) -> Iterator[Shown]:
    import numpy as np

    for state, rows in judged:
        usable = [(row, held) for row in rows if (held := shelf.get(row["case_id"])) is not None]
        vector = np.frombuffer(state, dtype="<f4")
        if usable and usable[0][1][1].shape == vector.shape:
            yield Shown(
                state=vector,
                cases=tuple([counters.before(case) for _, (case, _) in usable]),
                vectors=np.array([embedding for _, (_, embedding) in usable]),
                propensities=tuple([row["propensity"] for row, _ in usable]),
            )
