"""Recorded traces from a file or an iterable; what cannot be used is named by its place and costs the others nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError

from agentfly.errors import InputError
from agentfly.learning.traces.formats import Recorded, recorded

Source: TypeAlias = str | Path | Iterable[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One recorded attempt, or several at one task."""

    place: str
    """Such as ``line 3``."""
    key: str
    """A hash of everything it says: the same trace again has the same one."""
    recorded: Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a source holds."""

    traces: tuple[Trace, ...]
    problems: tuple[str, ...] = ()
    """One line for each row that cannot be used, beginning with its place."""


def read_traces(source: Source) -> Reading:
    """All traces of a source.

    Args:
        source: path of a file with one JSON object a line, a JSON list or one JSON object; or the rows themselves.

    Raises:
        InputError: the file cannot be read, or none of its rows can be used.
    """
    path = Path(source).expanduser() if isinstance(source, str | Path) else None
    rows = _rows_of_file(path) if path is not None else _rows(source)  # type: ignore[arg-type]
    traces, problems = list[Trace](), list[str]()
    for place, row in rows:
        found = _trace(place, row, path.parent if path else None)
        if isinstance(found, Trace):
            traces.append(found)
        else:
            problems.append(f"{place}: {found}")
    if not traces:
        name = str(path) if path else "the traces"
        raise InputError(f"{name}: nothing to learn from; " + (problems[0] if problems else "there are no traces"))
    return Reading(traces=tuple(traces), problems=tuple(problems))


def _trace(place: str, row: object, folder: Path | None) -> Trace | str:
    if isinstance(row, _Broken):
        return row.reason
    if not isinstance(row, Mapping):
        return f"must be a JSON object, not {type(row).__name__}"
    try:
        spelled = json.dumps(row, sort_keys=True, ensure_ascii=True, default=str)
        key = hashlib.sha256(spelled.encode()).hexdigest()
        return Trace(place=place, key=key, recorded=recorded(row, folder))
    except ValidationError as error:
        return _first(error)
    except (ValueError, TypeError, RecursionError) as error:
        return " ".join(str(error).split())[:200]


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['msg']}" if place else problem["msg"]


@dataclass(frozen=True, slots=True)
class _Broken:
    """A row that is no JSON."""

    reason: str


def _rows(source: Iterable[object]) -> Iterator[tuple[str, object]]:
    for number, row in enumerate(source, 1):
        yield f"trace {number}", row


def _rows_of_file(path: Path) -> Iterator[tuple[str, object]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    whole = _parsed(text) if text.lstrip()[:1] == "[" or "\n" in text.strip() else _Broken("")
    if isinstance(whole, list):
        return _rows(whole)
    if isinstance(whole, dict):  # one object over several lines, as `runs show --json` may be laid out
        return iter([("trace 1", whole)])
    lines = ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
    return ((f"line {number}", _parsed(line)) for number, line in lines)


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        return _Broken(f"not JSON ({error})")
