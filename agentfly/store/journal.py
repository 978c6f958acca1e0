"""The journal of open runs: what came to their attempts from outside, so that one that begins again pays for nothing twice."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentfly.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that came to an attempt."""

    seq: int
    """Rises within the home."""
    attempt: str
    """Which attempt of the run, or which other work on it."""
    kind: str
    """What it is; the journal's reader gives the meaning."""
    key: str
    payload: Mapping[str, Any]


class JournalStore:
    """Entries in a home's database, kept as long as their run is open. Every method commits before it returns."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def read(self, run_id: str) -> list[Entry]:
        """The entries of a run, oldest first."""
        rows = self._db.read(
            "SELECT seq, attempt, kind, key, payload FROM journal WHERE run_id = ? ORDER BY seq", (run_id,)
        )
        return [
            Entry(seq=seq, attempt=attempt, kind=kind, key=key, payload=json.loads(payload))
            for seq, attempt, kind, key, payload in map(tuple, rows)
        ]

    def add(self, run_id: str, attempt: str, kind: str, key: str, payload: Mapping[str, Any]) -> None:
        """Write one entry of a run that is on record.

        Args:
            run_id: of the run.
            attempt: which attempt.
            kind: what it is.
            key: what finds it again.
            payload: plain JSON data.
        """
        # Half a surrogate pair, which a model can write and SQLite cannot hold, becomes a question mark.
        values = [run_id, attempt, kind, key, json.dumps(payload, ensure_ascii=False)]
        row = (*(value.encode("utf-8", "replace").decode() for value in values), time.time())
        with self._db.write(
            synced=bool(payload)
        ) as tx:  # a mere note that something begins is written again by who begins again
            tx.execute(
                "INSERT INTO journal (run_id, attempt, kind, key, payload, created) VALUES (?, ?, ?, ?, ?, ?)", row
            )

    def forget(self, run_id: str, attempt: str | None = None) -> None:
        """Remove the entries of a run, or of one of its attempts."""
        with self._db.write(synced=False) as tx:  # what is there again after a power cut is forgotten again
            if attempt is None:
                tx.execute("DELETE FROM journal WHERE run_id = ?", (run_id,))
            else:
                tx.execute("DELETE FROM journal WHERE run_id = ? AND attempt = ?", (run_id, attempt))
