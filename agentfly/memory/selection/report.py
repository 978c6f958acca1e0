"""What a selection policy has learned, and the record that it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from agentfly.memory.selection import checkpoint
from agentfly.protocols import Policy
from agentfly.store.database import Database


@runtime_checkable
class Describes(Protocol):
    """A policy that can say in a few numbers what it has learned."""

    def describe(self) -> Mapping[str, float | int | str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyReport:
    """What a policy has learned, and from what."""

    name: str
    version: int
    """Of its saved state; 0 where none was saved."""
    learns: bool
    """Whether it learns at all."""
    episodes: int = 0
    """Judged runs that it has learned from."""
    unread: int = 0
    """Judged runs in the record that it will learn from when it is next used."""
    recalls: int = 0
    """Size of the record: recalls with at least one case shown."""
    judged: int = 0
    """Those whose run was judged."""
    explored: int = 0
    """Judged ones with a choice that was left to chance."""
    mean_reward: float | None = None
    """Mean reward of the judged runs; None where there are none."""
    mean_propensity: float | None = None
    """Mean probability of the judged choices; 1 without exploration."""
    saved_bytes: int = 0
    saved_at: float | None = None
    """Seconds since the epoch; None where nothing was saved."""
    learned: Mapping[str, float | int | str] = field(default_factory=dict)
    """What the policy says of itself."""


def report(db: Database, policy: Policy, *, version: int, read: int, learns: bool, embedder: str) -> PolicyReport:
    """Count the record and describe the policy.

    Args:
        db: the home's database.
        policy: the policy, loaded.
        version: of its saved state.
        read: number up to which it has read the record.
        learns: whether it learns.
        embedder: name of the embedder in use; only its recalls are learned from.
    """
    saved = checkpoint.newest(db, policy.name) if learns else None
    described = policy.describe() if isinstance(policy, Describes) else {}
    return PolicyReport(
        name=policy.name,
        version=version,
        learns=learns,
        episodes=_runs(db, embedder, 0, read) if learns else 0,
        unread=_runs(db, embedder, read, None) if learns else 0,
        saved_bytes=len(saved.state) if saved and isinstance(saved.state, bytes) else 0,
        saved_at=saved.created if saved else None,
        learned=dict(described),
        **_record(db),
    )


def _record(db: Database) -> dict[str, Any]:
    counts = db.read(
        """SELECT count(*) AS recalls, count(judged) AS judged, count(CASE WHEN judged AND least < 1 THEN 1 END) AS explored
           FROM (SELECT judged, min(propensity) AS least FROM recalls JOIN interactions ON recall_id = recalls.id
                 GROUP BY recalls.id)"""
    )[0]
    means = db.read(
        """SELECT avg(reward) AS mean_reward, avg(propensity) AS mean_propensity FROM (
               SELECT avg(reward) AS reward, avg(propensity) AS propensity FROM recalls
               JOIN interactions ON recall_id = recalls.id WHERE judged IS NOT NULL GROUP BY run_id)"""
    )[0]
    return {**dict(counts), **dict(means)}


def _runs(db: Database, embedder: str, after: int, upto: int | None) -> int:
    rows = db.read(
        """SELECT count(DISTINCT run_id) FROM recalls
           WHERE judged > ?1 AND (?2 IS NULL OR judged <= ?2) AND +embedder = ?3""",
        (after, upto, embedder),
    )
    return int(rows[0][0])
