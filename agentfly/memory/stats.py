"""Counting what a bank holds, for people to read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentfly.memory.index import ChromaIndex, IndexState
from agentfly.memory.rows import COLUMNS, case_of
from agentfly.types import Case

if TYPE_CHECKING:
    from agentfly.protocols import Embedder
    from agentfly.store.database import Database

DAYS = 30
"""How far back the new cases of each day are counted."""
WEEKS = 12
"""How far back the rewards of each week are averaged."""

_DAY = 86_400.0
_TOP_TAGS = 20
_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """What the showings of one week earned."""

    start: float
    """Seconds since the epoch."""
    judged: int
    mean_reward: float | None
    """None where nothing was judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankStats:
    """What a bank holds."""

    total: int
    by_status: Mapping[str, int]
    by_domain: Mapping[str, int]
    """Active cases of each domain that has a name."""
    successes: int
    """Active cases with a reward of at least 0.5."""
    shown: int
    """How often any case was shown."""
    judged: int
    """Part of `shown` whose run was judged."""
    mean_reward: float | None
    """Mean reward of the judged ones; None where there are none."""
    most_shown: tuple[Case, ...]
    embedder: str
    index: IndexState
    failures: int = 0
    """Active cases with a reward below 0.5."""
    by_tag: Mapping[str, int] = field(default_factory=dict)
    """Active cases that carry each of the most frequent tags."""
    mean_case_reward: float | None = None
    """Mean reward of the active cases; None where there are none."""
    seen: int = 0
    """How many cases the active ones stand for, those that were merged into them counted."""
    per_day: tuple[int, ...] = ()
    """Cases of any status made on each of the last `DAYS` days (24 hours, the last one ends now), oldest first."""
    per_week: tuple[Week, ...] = ()
    """Judged showings of the last `WEEKS` weeks (7 days, the last one ends now), oldest first."""
    database_bytes: int = 0
    """Size of the home's database, its log included."""
    index_bytes: int = 0

    @property
    def success_rate(self) -> float | None:
        """Share of the active cases that are successes."""
        active = self.by_status.get("active", 0)
        return self.successes / active if active else None

    @property
    def quarantined(self) -> int:
        """Cases that wait for a trusted outcome."""
        return self.by_status.get("quarantined", 0)


def stats(db: Database, index: ChromaIndex, embedder: Embedder) -> BankStats:
    """Count what the bank holds, in one pass over the cases and one over the showings."""
    now = time.time()
    by_status = {row[0]: row[1] for row in db.read("SELECT status, count(*) FROM cases GROUP BY status")}
    active, successes, mean_case, seen = db.read(
        "SELECT count(*), coalesce(sum(reward >= 0.5), 0), avg(reward), coalesce(sum(seen), 0) FROM cases "
        "WHERE +status = 'active'"
    )[0]
    shown, judged, mean = db.read("SELECT count(*), count(reward), avg(reward) FROM interactions")[0]
    most = db.read(f"SELECT {COLUMNS} FROM cases WHERE shown > 0 ORDER BY shown DESC, seq LIMIT {_MOST_SHOWN}")
    return BankStats(
        total=sum(by_status.values()),
        by_status=by_status,
        by_domain=_counted(
            db, "SELECT domain, count(*) FROM cases WHERE status = 'active' AND domain <> '' GROUP BY domain"
        ),
        successes=successes,
        shown=shown,
        judged=judged,
        mean_reward=mean,
        most_shown=tuple(case_of(row) for row in most),
        embedder=embedder.name,
        index=index.state(),
        failures=active - successes,
        by_tag=_counted(
            db,
            "SELECT value, count(*) FROM cases, json_each(tags) WHERE +status = 'active' AND tags <> '[]' "
            f"GROUP BY value ORDER BY count(*) DESC, value LIMIT {_TOP_TAGS}",
        ),
        mean_case_reward=mean_case,
        seen=seen,
        per_day=_per_day(db, now),
        per_week=_per_week(db, now),
        database_bytes=_size(db),
        index_bytes=index.size(),
    )


def _counted(db: Database, sql: str) -> dict[str, int]:
    return {str(row[0]): row[1] for row in db.read(sql)}


def _per_day(db: Database, now: float) -> tuple[int, ...]:
    rows = db.read(
        "SELECT CAST((:now - created) / :day AS INTEGER) AS age, count(*) FROM cases "
        "WHERE created > :now - :days * :day AND created <= :now GROUP BY age",
        {"now": now, "day": _DAY, "days": DAYS},
    )
    counts = {row[0]: row[1] for row in rows}
    return tuple(counts.get(age, 0) for age in reversed(range(DAYS)))


def _per_week(db: Database, now: float) -> tuple[Week, ...]:
    week = 7 * _DAY
    rows = db.read(
        "SELECT CAST((:now - created) / :week AS INTEGER) AS age, count(reward), avg(reward) "
        "FROM recalls JOIN interactions ON recall_id = id "
        "WHERE created > :now - :weeks * :week AND created <= :now AND reward IS NOT NULL GROUP BY age",
        {"now": now, "week": week, "weeks": WEEKS},
    )
    found = {row[0]: (row[1], row[2]) for row in rows}
    return tuple(
        Week(
            start=now - (age + 1) * week, judged=found.get(age, (0, None))[0], mean_reward=found.get(age, (0, None))[1]
        )
        for age in reversed(range(WEEKS))
    )


def _size(db: Database) -> int:
    files = (db.path, db.path.with_name(db.path.name + "-wal"))
    return sum(path.stat().st_size for path in files if path.exists())
