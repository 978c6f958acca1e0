"""The record as decisions that can be made over again: what was to choose from, how, and what was chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from agentfly.memory.selection.choose import Choice, likelihood
from agentfly.memory.selection.record import Shelf
from agentfly.store.database import Database
from agentfly.types import Recalled

if TYPE_CHECKING:
    from agentfly.protocols import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One recall of a judged run."""

    state: Vector
    """Shape (d,)."""
    candidates: tuple[Recalled, ...]
    """What the policy chose from, n cases without scores."""
    embeddings: tuple[Vector, ...]
    """Theirs, each of shape (d,), shared with other decisions: together they would take 50 kB for each recall."""
    choice: Choice
    order: tuple[int, ...]
    """Places of what was chosen, in the order of the choice."""
    propensity: float
    """Probability of the whole choice when it was made."""

    @property
    def vectors(self) -> Vector:
        """Embeddings of the candidates, shape (n, d)."""
        import numpy as np

        return np.array(self.embeddings)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRun:
    """A judged run with all its decisions."""

    number: int
    run: str
    reward: float
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The part of the record that policies can be compared on."""

    runs: tuple[LoggedRun, ...]
    """Runs whose every choice was left to chance, oldest first."""
    rewards: tuple[float, ...]
    """Of all judged runs that were looked at."""
    fixed: int
    """Those left out because a choice was made without exploration."""
    unusable: int
    """Those left out because a choice cannot be made over again: cases changed since, or embedded by another model."""


def read(db: Database, embedder: str, dimensions: int, limit: int) -> Log:
    """The latest judged runs that can be used.

    Args:
        db: the home's database.
        embedder: name of the embedder in use.
        dimensions: d of its embeddings.
        limit: how many of the judged runs are looked at.
    """
    first = db.read(
        "SELECT min(judged) FROM (SELECT DISTINCT judged FROM recalls WHERE judged > 0 ORDER BY judged DESC LIMIT ?)",
        (limit,),
    )[0][0]
    span = {"first": first or 0}
    recalls = db.read(
        """SELECT judged, run_id, id, embedder, state, candidates, choice FROM recalls
           WHERE judged >= :first AND judged > 0 ORDER BY judged, id""",
        span,
    )
    rows = db.read(
        """SELECT recall_id, case_id, propensity, reward FROM recalls CROSS JOIN interactions ON recall_id = recalls.id
           WHERE judged >= :first AND judged > 0 ORDER BY recall_id, rank""",
        span,
    )
    showings = {recall: list(part) for recall, part in groupby(rows, key=lambda row: row["recall_id"])}
    shelf = Shelf(db, embedder, dimensions)
    shelf.fetch(id for row in recalls for id in json.loads(row["candidates"] or "[]"))
    runs, rewards, fixed, unusable = [], list[float](), 0, 0
    for (number, run), group in groupby(recalls, key=lambda row: (row["judged"], row["run_id"])):
        parts = [(row, showings.get(row["id"], [])) for row in group]
        rewards += [shown[0]["reward"] for _, shown in parts if shown][:1]
        if any(_choice(row["choice"]).temperature <= 0 for row, _ in parts):
            fixed += 1
            continue
        decisions = [_decision(row, shown, shelf) for row, shown in parts if row["embedder"] == embedder]
        whole = [one for one in decisions if one is not None]
        if len(whole) < len(parts):
            unusable += 1
        else:
            runs.append(LoggedRun(number=number, run=run, reward=rewards[-1], decisions=tuple(whole)))
    return Log(runs=tuple(runs), rewards=tuple(rewards), fixed=fixed, unusable=unusable)


def _choice(text: str) -> Choice:
    data: Mapping[str, Any] = json.loads(text or "{}")
    known = {field.name for field in fields(Choice)}
    return Choice(**{name: value for name, value in data.items() if name in known})


def _decision(row: Any, shown: Sequence[Any], shelf: Shelf) -> Decision | None:
    import numpy as np

    ids: list[str] = json.loads(row["candidates"] or "[]")
    held = [one for id in ids if (one := shelf.get(id)) is not None]
    places = {id: i for i, id in enumerate(ids)}
    state = np.frombuffer(row["state"], dtype="<f4")
    if not shown or len(held) < len(ids) or any(one["case_id"] not in places for one in shown):
        return None
    if state.shape != held[0][1].shape:
        return None
    vectors = np.array([vector for _, vector in held])
    cosines = np.vecdot(vectors, state).tolist()
    candidates = tuple(
        Recalled(case=case, similarity=cosine, score=0.0) for (case, _), cosine in zip(held, cosines, strict=True)
    )
    choice, order = _choice(row["choice"]), tuple(places[one["case_id"]] for one in shown)
    # Evenly hot, every sequence that is allowed is likely: one that is not has become so by changes of its cases.
    if 0.0 in likelihood(candidates, vectors, replace(choice, temperature=float("inf")), order):
        return None
    return Decision(
        state=state,
        candidates=candidates,
        embeddings=tuple(vector for _, vector in held),
        choice=choice,
        order=order,
        propensity=float(np.prod([one["propensity"] for one in shown])),
    )
