"""Near-identical cases: what counts as one, and how two become one with their counts.

Two cases are near-identical when all of this holds:

- they ended alike: both solved, or both failed;
- their questions are the same up to case, white space and the punctuation that ends words (`plain`), and so are their
  answers. How near the embeddings are says nothing here: *column A* and *column B* are neighbours and not the same;
- their solutions are the same up to layout and comments where they are Python, up to white space where they are not;
- they belong to one domain and, where they failed, to one task, since only that task's success may take their place.

`gist` is the hash of question and answer so reduced, stored with the case and indexed: one look-up finds those with which
solutions are compared, of which the newest few are enough. So the cost does not grow with the bank, and code is parsed
only where there is something to compare it with.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sqlite3
import time
import unicodedata
from dataclasses import replace
from functools import lru_cache

from agentfly.parsing import parse
from agentfly.errors import InputError
from agentfly.memory.rows import COLUMNS, case_of, values
from agentfly.memory.status import change, record
from agentfly.store.database import Database, Transaction
from agentfly.types import Case, CaseStatus

_PARSED_CHARS = 50_000  # a longer text is a dump: parsing it would hold up the writer
_FILLED_AT_ONCE = 1000
_COMPARED = 32  # solutions with the same question and answer that a new one is compared with
_ENDS = re.compile(r"(?:(?<=[^\W_])[.,;:?…]+|(?<=[^\W\d_][^\W\d_])!+)$")
_MARKS = frozenset(".,;:?…")
_QUOTES = str.maketrans("“”„‘’", '"""\'\'')
_DOING = (ast.Call, ast.Assign, ast.AugAssign, ast.Import, ast.ImportFrom, ast.FunctionDef, ast.For, ast.With)


def plain(text: str) -> str:
    """A text without what does not change what it says: case, white space, punctuation at the end of words.

    Signs that may carry meaning stay: ``-5``, ``3.5``, ``x < 5``, ``n!``, ``C++`` and ``C#``.
    """
    words = (_ENDS.sub("", word) for word in _normal(text).casefold().translate(_QUOTES).split())
    return " ".join(word for word in words if not _MARKS.issuperset(word))


def bare(solution: str) -> str:
    """A solution without what does not change what it does, hashed: its syntax tree where it is Python, else its words."""
    return _bare(solution) if len(solution) <= _PARSED_CHARS else _hash(" ".join(_normal(solution).split()))


@lru_cache(maxsize=256)  # a task that is tried again and again is compared with the same ones
def _bare(solution: str) -> str:
    try:
        tree = parse(solution)
        # One word or one number is Python too, and in a text a hash sign starts no comment.
        if any(isinstance(node, _DOING) for node in ast.walk(tree)):
            return _hash(ast.dump(tree, annotate_fields=False))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    return _hash(" ".join(_normal(solution).split()))


def gist(case: Case) -> str:
    """What near-identical cases have in common but for the solution, hashed."""
    answer = None if case.answer is None else plain(case.answer)
    return _hash(json.dumps([plain(case.question), answer]))


def alike(one: Case, two: Case) -> bool:
    """Whether two cases are near-identical."""
    return gist(one) == gist(two) and _rest(one) == _rest(two)


def _rest(case: Case) -> tuple[object, ...]:
    """What near-identical cases have in common beside their gist."""
    return case.success, case.domain, "" if case.success else case.task_id, bare(case.solution)


def twin(tx: Transaction, case: Case, key: str, status: CaseStatus) -> Case | None:
    """The stored case of a status that is near-identical to `case`, whose gist is `key`; the oldest where there are more."""
    rows = tx.read(
        f"""SELECT id, solution FROM cases WHERE gist = :gist AND status = :status AND +domain = :domain
            AND (reward >= 0.5) = :success AND (:success OR +task_id = :task) AND id <> :id
            ORDER BY seq DESC LIMIT {_COMPARED}""",
        {
            "gist": key,
            "status": status,
            "domain": case.domain,
            "success": case.success,
            "task": case.task_id,
            "id": case.id,
        },
    )
    found = next((row["id"] for row in reversed(rows) if bare(row["solution"]) == bare(case.solution)), None)
    if found is None:
        return None
    return case_of(tx.read(f"SELECT {COLUMNS} FROM cases WHERE id = ?", (found,))[0])


def later(old: Case, new: Case) -> bool:
    """Whether what `new` says comes after what `old` says; a case without a time is said now."""
    return not new.created or new.created >= old.created


def heard(old: Case, new: Case) -> Case:
    """`old` with the verdict of `new` where that is the later one, and with its lesson where it has one."""
    if not later(old, new):
        return old
    judge = new.provenance.feedback or old.provenance.feedback
    return replace(
        old, reward=new.reward, lesson=new.lesson or old.lesson, provenance=replace(old.provenance, feedback=judge)
    )


def take_in(tx: Transaction, old: Case, new: Case, id: str, reason: str) -> Case:
    """Let a stored case stand for one more.

    The stored one keeps its id and its text; the counts add up, tags are united, and the later verdict and lesson count.
    The same case of the same run counts once, so that a run that is resumed changes nothing.

    Args:
        tx: the transaction.
        old: the stored case.
        new: the one that it is to stand for as well.
        id: of `new`, for the record.
        reason: for the record.
    """
    run = new.provenance.run
    met = replace(heard(old, new), tags=tuple(dict.fromkeys((*old.tags, *new.tags))))
    if not counted(tx, old.id, run, id):
        met = replace(met, seen=old.seen + new.seen, shown=old.shown + new.shown, helped=old.helped + new.helped)
        record(tx, old.id, "merged", other=id, run=run, reason=reason)
    update(tx, old, met)
    return met


def counted(tx: Transaction, id: str, run: str, other: str) -> bool:
    """Whether a case of a run was merged into this one already."""
    return bool(
        tx.read(
            "SELECT 1 FROM case_events WHERE case_id = ? AND run_id = ? AND action = 'merged' AND other = ?",
            (id, run, other),
        )
    )


def update(tx: Transaction, old: Case, new: Case) -> None:
    """Write down what changed in a case but for its status and its text."""
    if new == old:
        return
    tx.execute(
        """UPDATE cases SET reward = :reward, lesson = :lesson, tags = :tags, provenance = :provenance,
           shown = :shown, helped = :helped, seen = :seen, updated = :updated WHERE id = :id""",
        {**values(new), "updated": time.time()},
    )


def absorb(tx: Transaction, kept: Case, other: Case, reason: str) -> Case:
    """Merge a stored case into another stored one: `other` is superseded, and `kept` stands for both."""
    change(tx, other.id, "superseded", other=kept.id, reason=reason)
    return take_in(tx, kept, other, other.id, reason)


def merge_existing(db: Database, kept: str, other: str) -> Case:
    """Merge two stored cases that are near-identical.

    Args:
        db: the home's database.
        kept: id of the case that stays; it must be active.
        other: id of the one that is superseded by it.

    Raises:
        InputError: they are not near-identical, or not both active.
    """
    with db.write() as tx:
        rows = tx.read(f"SELECT {COLUMNS} FROM cases WHERE id IN (?, ?) AND status = 'active'", (kept, other))
        found = {row["id"]: case_of(row) for row in rows}
        if len(found) < 2 or not alike(found[kept], found[other]):
            raise InputError(f"{kept} and {other} are not near-identical active cases; `supersede` replaces any other")
        return absorb(tx, found[kept], found[other], "near-identical, merged on demand")


def merge_all(db: Database) -> int:
    """Merge all active cases that are near-identical, each group into its oldest and in a transaction of its own.

    Returns:
        How many were merged into another one.
    """
    while fill(db):
        pass
    keys = db.read("SELECT gist FROM cases WHERE status = 'active' GROUP BY gist HAVING count(*) > 1")
    return sum(_merge_group(db, row["gist"]) for row in keys)


def _merge_group(db: Database, key: str) -> int:
    kept: dict[tuple[object, ...], Case] = {}
    merged = 0
    with db.write() as tx:
        rows = tx.read(f"SELECT {COLUMNS} FROM cases WHERE gist = ? AND status = 'active' ORDER BY seq", (key,))
        for case in map(case_of, rows):
            oldest = kept.get(_rest(case))
            if oldest is not None:
                case = absorb(tx, oldest, case, "near-identical, merged on demand")
                merged += 1
            kept[_rest(case)] = case
    return merged


def fill(db: Database, limit: int = _FILLED_AT_ONCE) -> int:
    """Give a gist to cases that an older version stored without one.

    SQL cannot work it out, and the opening of a large home should not wait for all of them: so some get theirs with each
    writing that merges.

    Returns:
        How many got one.
    """
    if not db.read("SELECT 1 FROM cases WHERE gist IS NULL LIMIT 1"):
        return 0
    with db.write() as tx:
        rows = tx.read(f"SELECT {COLUMNS} FROM cases WHERE gist IS NULL LIMIT ?", (limit,))
        return _give(tx, rows)


def fill_task(tx: Transaction, task: str) -> int:
    """`fill` for the cases of one task, among which a twin is likeliest."""
    if not task:
        return 0
    rows = tx.read(
        f"SELECT {COLUMNS} FROM cases WHERE gist IS NULL AND task_id = ? LIMIT ?",
        (task, _FILLED_AT_ONCE),
    )
    return _give(tx, rows)


def _give(tx: Transaction, rows: list[sqlite3.Row]) -> int:
    tx.executemany("UPDATE cases SET gist = ? WHERE id = ?", [(gist(case_of(row)), row["id"]) for row in rows])
    return len(rows)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
