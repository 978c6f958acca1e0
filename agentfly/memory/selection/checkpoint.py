"""Learned state of selection policies, where all processes see it: a place to start from, never the truth."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from agentfly.store.database import Database

KEPT = 3
"""Versions of a policy's state that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A saved state."""

    version: int
    judged: int
    """Number up to which the record had been read."""
    embedder: str
    created: float
    """Seconds since the epoch."""
    state: object
    """Bytes, unless the row is damaged."""


def newest(db: Database, name: str) -> Saved | None:
    """The latest saved state of a policy."""
    rows = db.read(
        "SELECT version, judged, embedder, created, state FROM policy_state WHERE name = ? ORDER BY version DESC LIMIT 1",
        (name,),
    )
    return Saved(**dict(rows[0])) if rows else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """How far the record and the saved states of a policy have come; 0 where there is nothing yet."""

    latest: int = 0
    """Number of the latest judgement."""
    judged: int = 0
    """Number up to which the latest saved state had read."""
    version: int = 0
    """Of the latest saved state."""
    retrained: int = 0
    """Version that the policy was last retrained to."""


def marks(db: Database, name: str) -> Marks:
    """Where a policy stands, in microseconds.

    The marks have a row of their own: in the table of states they come behind states of many megabytes.
    """
    latest, text = db.read(
        "SELECT (SELECT max(judged) FROM recalls), (SELECT value FROM meta WHERE key = ?)", (_key(name),)
    )[0]
    return Marks(latest=latest or 0, **json.loads(text or "{}"))


def save(
    db: Database, name: str, state: bytes, *, judged: int, embedder: str, base: int, retrained: bool = False
) -> int | None:
    """Save a state as a new version, unless another process has saved one that has read as far.

    Args:
        db: the home's database.
        name: of the policy.
        state: what it dumped.
        judged: number up to which it has read the record.
        embedder: name of the embedder in use.
        base: version that the state came from. One from before the last retraining is not saved: it would bring back
            what was forgotten.
        retrained: whether the state was learned anew; then it is saved in any case, and others take it over.

    Returns:
        The version, or None where it was not saved.
    """
    with db.write() as tx:
        old = marks(db, name)
        if not retrained and (old.judged >= judged or base < old.retrained):
            return None
        last = tx.read("SELECT coalesce(max(version), 0) FROM policy_state WHERE name = ?", (name,))[0][0]
        version = 1 + max(old.version, int(last))
        tx.execute(
            "INSERT INTO policy_state (name, version, created, state, judged, embedder) VALUES (?, ?, ?, ?, ?, ?)",
            (name, version, time.time(), state, judged, embedder),
        )
        tx.execute("DELETE FROM policy_state WHERE name = ? AND version <= ?", (name, version - KEPT))
        new = {"judged": judged, "version": version, "retrained": version if retrained else old.retrained}
        tx.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_key(name), json.dumps(new)))
        return version


def _key(name: str) -> str:
    return f"policy:{name}"
