"""Cases as files: written out in our own format, read in from ours and from others'. One JSON object a line."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from agentfly.errors import InputError
from agentfly.memory import writing
from agentfly.memory.files import MAX_LINE, STDIO, opened, raw_lines, replaced
from agentfly.memory.formats import Line, read_line, write_line
from agentfly.memory.merging import gist
from agentfly.memory.rows import COLUMNS, case_of, content_hash
from agentfly.memory.status import record
from agentfly.protocols import Embedder
from agentfly.store.database import Database
from agentfly.types import CaseStatus

BATCH = 256
"""Lines that are embedded and committed together."""
BATCH_BYTES = 8 * 2**20
SHOWN_PROBLEMS = 20

_PAGE = 500


# Export


def export_cases(db: Database, path: str | Path, *, everything: bool = False) -> int:
    """Write cases to a file, which is there whole or not at all; or, as it goes, to standard output.

    Args:
        db: the home's database.
        path: the file; ``-`` is standard output.
        everything: cases of every status, not only the active ones.

    Returns:
        How many were written.

    Raises:
        InputError: the file cannot be written.
    """
    if str(path) == STDIO:
        return _write_out(db, everything)
    target = Path(path).expanduser()
    try:
        with replaced(target) as stream:
            written = 0
            for line in _lines_of(db, everything, ascii_only=False):
                stream.write(line.encode())
                written += 1
        return written
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None


def _write_out(db: Database, everything: bool) -> int:
    written = 0
    for line in _lines_of(db, everything, ascii_only=True):
        sys.stdout.write(line)
        written += 1
    return written


def _lines_of(db: Database, everything: bool, *, ascii_only: bool) -> Iterator[str]:
    """Page by page, in the order in which they were stored; to the end, so that a case which is superseded meanwhile is
    left out only where the one that took its place is still to come."""
    last = 0
    while True:
        rows = db.read(
            f"""SELECT seq, superseded_by, {COLUMNS} FROM cases
                WHERE seq > ? AND (? OR status = 'active') ORDER BY seq LIMIT {_PAGE}""",
            (last, everything),
        )
        if not rows:
            return
        for row in rows:
            yield write_line(case_of(row), row["superseded_by"], ascii_only=ascii_only)
        last = rows[-1]["seq"]


# Import


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no case."""

    number: int
    """From 1, blank lines counted."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What came of a file."""

    lines: int
    """Lines that hold something."""
    new: int
    known: int
    """Exact duplicates of a stored case, or of an earlier line; the stored case stays as it is."""
    bad: int
    problems: tuple[BadLine, ...] = ()
    """The first of the bad ones."""
    formats: Mapping[str, int] = field(default_factory=dict)
    """Good lines of each format."""


def import_cases(
    db: Database,
    embedder: Embedder,
    path: str | Path,
    *,
    domain: str = "",
    tags: tuple[str, ...] = (),
    quarantine: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> ImportReport:
    """Read cases from a file into a bank, a batch at a time: what was committed stays, and a second import goes on.

    Args:
        db: the home's database.
        embedder: makes the embeddings, as it made those of the cases that are there.
        path: the file; ``-`` is standard input.
        domain: for cases that bring none.
        tags: further tags for all of them.
        quarantine: keep them out of recall until a trusted outcome confirms them.
        progress: called with the number of lines done.

    Raises:
        InputError: the file cannot be read, or no line of it can.
    """
    importer = _Importer(db, embedder, domain, tags, "quarantined" if quarantine else "active")
    number = 0
    with opened(path) as stream:
        for number, raw in raw_lines(stream):
            importer.take(number, raw)
            if importer.full:
                importer.flush()
                progress(number)
    importer.flush()
    importer.link()
    progress(number)
    report = importer.report()
    if not report.formats:
        raise InputError(_nothing_in(path, report))
    return report


@dataclass(slots=True)
class _Importer:
    """Takes lines, keeps them by the batch, and counts."""

    db: Database
    embedder: Embedder
    domain: str
    tags: tuple[str, ...]
    status: CaseStatus
    """Of cases that come in as active ones."""
    lines: int = 0
    new: int = 0
    known: int = 0
    bad: int = 0
    problems: list[BadLine] = field(default_factory=list)
    formats: Counter[str] = field(default_factory=Counter)
    batch: list[Line] = field(default_factory=list)
    weight: int = 0
    """Bytes of the batch."""
    names: dict[str, str] = field(default_factory=dict)
    """Ids in the file, where they are others here."""
    links: list[tuple[str, str]] = field(default_factory=list)
    """Content hash of a superseded case, and the id, in the file, of the one that took its place."""

    def take(self, number: int, raw: bytes | None) -> None:
        """Read one line; None is one that is too long."""
        if raw is not None and not raw.strip():
            return
        self.lines += 1
        try:
            if raw is None:
                raise InputError(f"longer than {MAX_LINE // 2**20} MiB")
            line = read_line(raw)
            case = replace(
                line.case,
                domain=line.case.domain or self.domain,
                tags=tuple(dict.fromkeys((*line.case.tags, *self.tags))),
                status=self.status if line.case.status == "active" else line.case.status,
            )
        except InputError as problem:
            self.bad += 1
            if len(self.problems) < SHOWN_PROBLEMS:
                self.problems.append(BadLine(number, str(problem)))
            return
        self.formats[line.format] += 1
        self.batch.append(replace(line, case=case))
        self.weight += len(raw)

    @property
    def full(self) -> bool:
        return len(self.batch) >= BATCH or self.weight >= BATCH_BYTES

    def flush(self) -> None:
        """Store what is new of the batch."""
        hashes = [content_hash(line.case) for line in self.batch]
        ids = _stored_ids(self.db, hashes)
        fresh: dict[str, Line] = {}
        for digest, line in zip(hashes, self.batch, strict=True):
            if digest not in ids:
                fresh.setdefault(digest, line)
        before = self.new
        ids |= self._store(fresh)
        self.known += len(self.batch) - (self.new - before)
        for digest, line in zip(hashes, self.batch, strict=True):
            if line.case.id and line.case.id != ids[digest]:
                self.names[line.case.id] = ids[digest]
            if line.superseded_by and line.case.status == "superseded":
                self.links.append((digest, line.superseded_by))
        self.batch, self.weight = [], 0

    def _store(self, fresh: Mapping[str, Line]) -> dict[str, str]:
        """Store cases by content hash, in one transaction, as they are: what a file calls a success takes no place.

        Returns:
            The ids that they have here.
        """
        if not fresh:
            return {}
        vectors = self.embedder.embed([line.case.question for line in fresh.values()])
        now = time.time()
        with self.db.write() as tx:
            ids = _stored_ids(self.db, list(fresh))  # another process may have brought some meanwhile
            new = [
                (digest, line.case, vectors[i]) for i, (digest, line) in enumerate(fresh.items()) if digest not in ids
            ]
            for digest, case, vector in new:
                stored = writing.insert(tx, case, digest, gist(case), vector, self.embedder.name, now)
                ids[digest] = stored.id
                if stored.status in ("superseded", "pruned"):
                    record(tx, stored.id, stored.status, reason="imported as such")
        self.new += len(new)
        return ids

    def link(self) -> None:
        """Note which case took the place of each superseded one, where both are here."""
        if not self.links:
            return
        with self.db.write() as tx:
            tx.executemany(
                """UPDATE cases SET superseded_by = :by WHERE hash = :hash AND status = 'superseded'
                   AND superseded_by IS NULL AND EXISTS (SELECT 1 FROM cases WHERE id = :by)""",
                [{"hash": digest, "by": self.names.get(by, by)} for digest, by in self.links],
            )

    def report(self) -> ImportReport:
        return ImportReport(
            lines=self.lines, new=self.new, known=self.known, bad=self.bad, problems=tuple(self.problems),
            formats=dict(self.formats),
        )  # fmt: skip


def _stored_ids(db: Database, hashes: list[str]) -> dict[str, str]:
    """The ids of those that are stored, by content hash."""
    rows = db.read("SELECT hash, id FROM cases WHERE hash IN (SELECT value FROM json_each(?))", (json.dumps(hashes),))
    return {row["hash"]: row["id"] for row in rows}


def _nothing_in(path: str | Path, report: ImportReport) -> str:
    if not report.lines:
        return f"{path} is empty; give a file with one JSON object a line"
    first = report.problems[0]
    which = "its only line cannot" if report.lines == 1 else f"none of its {report.lines:,} lines can"
    return f"{path} holds no case: {which} be read; line {first.number}: {first.reason}"
