"""Cases as database rows: checked on the way in, rebuilt on the way out. Pure."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast, get_args

from agentfly.errors import InputError
from agentfly.types import Case, CaseStatus, Provenance

if TYPE_CHECKING:
    from agentfly.protocols import Vector

MAX_CHARS = 1_000_000
"""Longest text of a case: what is longer is no working solution but a dump."""

STATUSES: tuple[str, ...] = get_args(CaseStatus)

COLUMNS = "id, status, question, solution, answer, reward, lesson, task_id, domain, tags, provenance, shown, helped, seen, created"
"""What `case_of` needs."""


def checked(case: Case) -> Case:
    """The case as it can be stored: text that UTF-8 can hold, plain numbers.

    Raises:
        InputError: empty question, reward outside [0, 1], text too long, unknown status.
    """
    clean = replace(
        case,
        question=_text(case.question, "question"),
        solution=_text(case.solution, "solution"),
        answer=None if case.answer is None else _text(case.answer, "answer"),
        reward=_number(case.reward),
        lesson=_text(case.lesson, "lesson"),
        task_id=_text(case.task_id, "task_id"),
        domain=_text(case.domain, "domain"),
        tags=tuple(_text(tag, "tag") for tag in case.tags),
    )
    if not clean.question.strip():
        raise InputError("a case needs a question")
    if not 0.0 <= clean.reward <= 1.0:  # NaN fails too
        raise InputError(f"the reward of a case must be in [0, 1], not {case.reward!r}")
    if clean.status not in STATUSES:
        raise InputError(f"unknown status {case.status!r} of a case; known: {', '.join(STATUSES)}")
    if not math.isfinite(case.created) or not math.isfinite(case.helped) or case.shown < 0 or case.seen < 1:
        raise InputError("the counters and times of a case must be finite and not negative")
    return clean


def checked_all(cases: Sequence[Case]) -> list[Case]:
    """`checked` for many; the error says which one is bad."""
    clean = []
    for i, case in enumerate(cases):
        try:
            clean.append(checked(case))
        except InputError as error:
            raise InputError(f"case {i + 1} of {len(cases)}: {error}" if len(cases) > 1 else str(error)) from None
    return clean


def unit(vectors: Vector, n: int, dimensions: int) -> Vector:
    """Given embeddings, made of unit length.

    Raises:
        InputError: not of shape (n, dimensions), not finite, or zero.
    """
    import numpy as np

    array = np.asarray(vectors, dtype=np.float32)
    if array.shape != (n, dimensions):
        raise InputError(f"embeddings must have the shape {(n, dimensions)}, not {array.shape}")
    lengths = np.linalg.norm(array, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise InputError("embeddings must be finite and not zero")
    scaled: Vector = array / lengths
    return scaled


def content_hash(case: Case) -> str:
    """Two cases with the same question, solution, answer and task are one."""
    key = json.dumps([case.question, case.solution, case.answer, case.task_id])
    return hashlib.sha256(key.encode()).hexdigest()


def case_of(row: sqlite3.Row) -> Case:
    """A stored case."""
    return Case(
        id=row["id"],
        status=cast(CaseStatus, row["status"]),
        question=row["question"],
        solution=row["solution"],
        answer=row["answer"],
        reward=row["reward"],
        lesson=row["lesson"],
        task_id=row["task_id"],
        domain=row["domain"],
        tags=tuple(json.loads(row["tags"])) if row["tags"] != "[]" else (),
        provenance=_provenance(row["provenance"]),
        shown=row["shown"],
        helped=row["helped"],
        seen=row["seen"],
        created=row["created"],
    )


def values(case: Case) -> dict[str, Any]:
    """Named parameters for writing a checked case."""
    return {
        "id": case.id,
        "status": case.status,
        "question": case.question,
        "solution": case.solution,
        "answer": case.answer,
        "reward": case.reward,
        "lesson": case.lesson,
        "task_id": case.task_id,
        "domain": case.domain,
        "tags": json.dumps(case.tags),
        "provenance": json.dumps(asdict(case.provenance)),
        "shown": case.shown,
        "helped": case.helped,
        "seen": case.seen,
        "created": case.created,
    }


@lru_cache(maxsize=4096)  # read at every recall, and frozen
def _provenance(text: str) -> Provenance:
    data = json.loads(text)
    known = {name: data[name] for name in Provenance.__dataclass_fields__ if name in data}
    return Provenance(**{**known, "tools": tuple(known.get("tools", ()))})


def _number(value: object) -> float:
    try:
        return float(cast(Any, value))
    except (TypeError, ValueError):
        raise InputError(f"the reward of a case must be a number, not {value!r}") from None


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"the {what} of a case must be text, not {type(value).__name__}")
    if len(value) > MAX_CHARS:
        raise InputError(f"the {what} of a case is {len(value):,} characters long; at most {MAX_CHARS:,} are kept")
    # Lone surrogates come in with odd file names; SQLite cannot hold them.
    return value.encode("utf-8", "replace").decode()
