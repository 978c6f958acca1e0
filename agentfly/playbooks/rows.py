"""Between the playbook's records and the rows of the home's database."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from agentfly.playbooks.changes import Change
from agentfly.playbooks.draft import assemble
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.rules import parse_id
from agentfly.playbooks.text import fold
from agentfly.records import from_json, to_json
from agentfly.types import Bullet

if TYPE_CHECKING:
    from agentfly.protocols import Vector

_FEW = 500
"""Bullets that are looked up one by one; past that, all are read."""


class Reader(Protocol):
    """The part of a database or transaction that reads."""

    def read(self, sql: str, params: Sequence[Any] = ...) -> list[Any]: ...


class Writer(Reader, Protocol):
    """The part of a transaction that writes."""

    def execute(self, sql: str, params: Sequence[Any] = ...) -> Any: ...
    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One line of history: a delta that was kept (it has a version) or dropped (it has none)."""

    id: int = 0
    version: int | None
    parent: int
    """Version that the delta was applied to, or proposed for."""
    created: float = 0.0
    """Seconds since the epoch."""
    author: str
    """``run``, ``human``, ``import``, ``rollback`` or ``refine``."""
    run: str | None = None
    reason: str = ""
    delta: str = "{}"
    """The delta as JSON."""
    changes: tuple[Change, ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict)
    """What the decision rests on; ``refusals`` lists the operations that were left out."""

    @property
    def accepted(self) -> bool:
        """Whether the delta was kept."""
        return self.version is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What an id stands for that the home has given, whatever became of its bullet."""

    section: str
    kind: str
    texts: frozenset[str]
    """All that the bullet ever said, folded."""


Head = tuple[int, int, float]
"""Id, number and time of the newest version: tells whether a cached playbook is that version."""
NO_HEAD: Head = (0, 0, 0.0)

_BULLET = "id, position, section, text, kind, helpful, harmful, shown, runs, cases, version"
_REVISION = "id, version, parent, created, author, run_id, reason, delta, changes, evidence"


def head(db: Reader) -> Head:
    """The newest version."""
    rows = db.read(
        "SELECT id, version, created FROM playbook_versions WHERE version IS NOT NULL ORDER BY version DESC LIMIT 1"
    )
    return (rows[0][0], rows[0][1], rows[0][2]) if rows else NO_HEAD


def load(db: Reader, version: int) -> Playbook:
    """The active bullets, in one go; `version` is the number to give the playbook."""
    # The active ones first: where another process opens a section between the two readings, the second knows it.
    active = db.read(f"SELECT {_BULLET} FROM bullets WHERE status = 'active'")
    # Sections keep their place and slug for good, and no number is ever given twice: hence all rows, whatever status.
    sections, highest = dict[str, tuple[str, str]](), 0
    for section, bullet_id, position in db.read("SELECT section, id, position FROM bullets ORDER BY rowid"):
        slug, number = parse_id(bullet_id) or ("", 0)
        sections.setdefault(section, (section, slug))
        highest = max(highest, number, position)
    parts = assemble(sections.values(), ((_bullet(row), row[1]) for row in active), highest + 1)
    return Playbook(_parts=parts, _version=version)


def _bullet(row: Sequence[Any]) -> Bullet:
    return Bullet(
        id=row[0],
        section=row[2],
        text=row[3],
        kind=row[4],
        helpful=row[5],
        harmful=row[6],
        shown=row[7],
        runs=_names(row[8]),
        cases=_names(row[9]),
        version=row[10],
    )


def _names(text: str) -> tuple[str, ...]:
    return () if text == "[]" else tuple(json.loads(text))


def exposures(db: Reader, ids: Iterable[str]) -> dict[str, int]:
    """How often bullets were shown, whatever their status."""
    found = {bullet_id: db.read("SELECT shown FROM bullets WHERE id = ?", (bullet_id,)) for bullet_id in ids}
    return {bullet_id: rows[0][0] for bullet_id, rows in found.items() if rows}


def given(db: Reader, ids: Iterable[str]) -> dict[str, Given]:
    """What ids stand for, whatever became of their bullets; ids that were never given are left out."""
    found = {i: rows[0] for i in ids if (rows := db.read("SELECT section, kind, text FROM bullets WHERE id = ?", (i,)))}
    said = {bullet_id: {fold(row[2])} for bullet_id, row in found.items()}
    for _, changes in newer(db, 0) if found else ():
        for change in changes:
            if change.id in said and change.after is not None:
                said[change.id].add(fold(change.after.text))
    return {i: Given(section=row[0], kind=row[1], texts=frozenset(said[i])) for i, row in found.items()}


def newer(db: Reader, version: int, last: int | None = None) -> list[tuple[Head, tuple[Change, ...]]]:
    """The versions after one, up to a last one, with their changes, oldest first."""
    rows = db.read(
        "SELECT id, version, created, changes FROM playbook_versions WHERE version > ? AND version <= ? ORDER BY version",
        (version, 2**62 if last is None else last),
    )
    return [((row[0], row[1], row[2]), from_json(tuple[Change, ...], row[3])) for row in rows]


def write_changes(tx: Writer, changes: Iterable[Change]) -> None:
    """Bring the rows of the changed bullets up to date. How often a bullet was shown stays as the row has it."""
    for change in changes:
        if change.after is None:
            status = "retired" if change.retired else "removed"
            tx.execute("UPDATE bullets SET status = ? WHERE id = ?", (status, change.id))
            continue
        bullet = change.after
        tx.execute(
            f"INSERT INTO bullets ({_BULLET}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
            "status = 'active', position = excluded.position, text = excluded.text, helpful = excluded.helpful, "
            "harmful = excluded.harmful, runs = excluded.runs, cases = excluded.cases, version = excluded.version, "
            "embedding = CASE WHEN text = excluded.text THEN embedding END",  # the text as it was before
            (
                bullet.id,
                change.position,
                bullet.section,
                bullet.text,
                bullet.kind,
                bullet.helpful,
                bullet.harmful,
                bullet.shown,
                json.dumps(bullet.runs),
                json.dumps(bullet.cases),
                bullet.version,
            ),
        )


def embeddings(db: Reader, embedder: str, texts: Mapping[str, str]) -> dict[str, Vector]:
    """The embeddings that the home has of bullets.

    Args:
        embedder: name of the one that must have made them.
        texts: what the bullets must say, by id.

    Returns:
        By id, each of shape (d,); bullets without one are left out.
    """
    import numpy as np

    query = "SELECT id, text, embedding FROM bullets WHERE embedder = ? AND embedding IS NOT NULL"
    if len(texts) > _FEW:
        found = db.read(query, (embedder,))
    else:
        found = [row for bullet_id in texts for row in db.read(f"{query} AND id = ?", (embedder, bullet_id))]
    return {
        row[0]: np.frombuffer(row[2], dtype="<f4")
        for row in found
        if texts.get(row[0]) == row[1] and len(row[2]) % 4 == 0
    }


def write_embeddings(tx: Writer, embedder: str, vectors: Mapping[str, tuple[str, Vector]]) -> None:
    """Keep embeddings beside the bullets, as long as these still say what was embedded: id -> (text, vector)."""
    tx.executemany(
        "UPDATE bullets SET embedder = ?, embedding = ? WHERE id = ? AND text = ?",
        [(embedder, vector.astype("<f4").tobytes(), key, text) for key, (text, vector) in vectors.items()],
    )


def write_revision(tx: Writer, revision: Revision) -> Head:
    """Add a line to history."""
    created = time.time()
    cursor = tx.execute(
        "INSERT INTO playbook_versions (version, parent, created, author, run_id, accepted, reason, delta, changes, "
        "evidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            revision.version,
            revision.parent,
            created,
            revision.author,
            revision.run,
            int(revision.accepted),
            revision.reason,
            revision.delta,
            _changes_json(revision.changes),
            json.dumps(revision.evidence),
        ),
    )
    return int(cursor.lastrowid), revision.version or 0, created


def _changes_json(changes: tuple[Change, ...]) -> str:
    return f"[{','.join(map(to_json, changes))}]"


def read_revisions(db: Reader, *, limit: int | None, before: int | None, dropped: bool) -> list[Revision]:
    """History, newest first.

    Args:
        limit: most lines; None for all.
        before: only lines with an id below this one.
        dropped: whether deltas that were dropped are listed.
    """
    rows = db.read(
        f"SELECT {_REVISION} FROM playbook_versions WHERE id < ? AND (? OR accepted) ORDER BY id DESC LIMIT ?",
        (2**62 if before is None else before, int(dropped), -1 if limit is None else limit),
    )
    return [_revision(row) for row in rows]


def read_ruling(db: Reader, run: str, delta: str) -> Revision | None:
    """The latest line of history about a delta of a run, as JSON; None where there is none."""
    rows = db.read(
        f"SELECT {_REVISION} FROM playbook_versions WHERE run_id = ? AND delta = ? ORDER BY id DESC LIMIT 1", (run, delta)
    )
    return _revision(rows[0]) if rows else None


def _revision(row: Sequence[Any]) -> Revision:
    return Revision(
        id=row[0],
        version=row[1],
        parent=row[2] or 0,
        created=row[3],
        author=row[4],
        run=row[5],
        reason=row[6],
        delta=row[7],
        changes=from_json(tuple[Change, ...], row[8]),
        evidence=json.loads(row[9]),
    )
