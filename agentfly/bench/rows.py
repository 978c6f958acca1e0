"""One row of a dataset as a task. Knows the field names of GAIA and of the usual question and answer files."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from agentfly.errors import InputError
from agentfly.types import Task

_QUESTION = ("Question", "question", "context")
_ANSWER = ("Final answer", "answer", "target", "ground_truth")
_ID = ("task_id", "id")
_LEVEL = ("Level", "level")
_FILES = ("file_name", "files")
_USED = {*_QUESTION, *_ANSWER, *_ID, *_LEVEL, *_FILES, "file_path"}

DUMMY_ID = "0-0-0-0-0"
"""GAIA's test split carries a row of this id that is no task."""
_WITHHELD = "?"
_LONGEST_NAME = 255  # bytes, on every usual file system
_BATCH = 512  # rows of a parquet file that are held at once


def read_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Rows of a parquet or JSON lines file, one after another, each with the words that name its place.

    Raises:
        InputError: the file cannot be read as what its name says.
    """
    return _read_parquet(path) if path.suffix == ".parquet" else read_jsonl(path)


def read_jsonl(path: Path, *, numbers_as_text: bool = False) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Rows of a JSON lines file, each with the words that name its place.

    Args:
        path: the file.
        numbers_as_text: numbers as they are written, instead of what Python makes of them.

    Raises:
        InputError: a line is not a JSON object, or the file cannot be read.
    """
    decode = json.JSONDecoder(parse_int=str, parse_float=str).decode if numbers_as_text else json.loads
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                place = f"{path} line {number}"
                try:
                    row = decode(line)
                except (ValueError, RecursionError) as error:  # also a number of more digits than Python reads
                    raise InputError(f"{place}: not JSON ({error})") from None
                if not isinstance(row, dict):
                    raise InputError(f"{place}: must be a JSON object, not {type(row).__name__}")
                yield place, row
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None


def _read_parquet(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise InputError(f"reading {path} needs pyarrow: pip install 'agentfly-framework[parquet]'") from None
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path} row {number}", row
    except (OSError, ValueError, arrow.ArrowException) as error:
        raise InputError(f"{path} is not a readable parquet file: {' '.join(str(error).split())}") from None


def row_task(row: Mapping[str, Any], place: str, folder: Path, root: Path) -> Task | None:
    """The task in a row; None for GAIA's dummy row.

    Args:
        row: the fields.
        place: names the row in messages.
        folder: where the row's files are.
        root: the dataset's folder, which nothing may lead out of.

    Raises:
        InputError: a field is missing or of the wrong kind, or a file name leads out of the dataset.
    """
    task_id = _text(row, _ID, place) or ""
    if task_id == DUMMY_ID:
        return None
    question = _text(row, _QUESTION, place)
    if not question:
        raise InputError(f"{place}: no question (a field named {', '.join(map(repr, _QUESTION))})")
    return Task(
        question=question,
        files=_files(row, place, folder, root),
        reference=_reference(row, place),
        id=task_id,
        level=_text(row, _LEVEL, place),
        metadata={key: _whole(value) for key, value in row.items() if key not in _USED and value is not None},
    )


def with_unique_id(task: Task, given: bool, seen: dict[str, str], place: str) -> Task:
    """The task under an id that no row before has.

    Rows without an id of their own may repeat a question: the later ones get ``-2``, ``-3`` and so on.

    Raises:
        InputError: a given id is there twice.
    """
    name, count = task.id, 1
    while name in seen:
        if given:
            raise InputError(f"{place}: the id {name!r} is already that of {seen[name]}")
        count += 1
        name = f"{task.id}-{count}"
    seen[name] = place
    return task if name == task.id else replace(task, id=name)


def has_id(row: Mapping[str, Any]) -> bool:
    """Whether the row names itself."""
    return any(row.get(key) not in (None, "") for key in _ID)


def _whole(value: Any) -> Any:
    """A value without the empty fields that parquet gives every record; what JSON has no form for is text."""
    if isinstance(value, Mapping):
        return {key: _whole(one) for key, one in value.items() if one is not None}
    if isinstance(value, list | tuple):
        return [_whole(one) for one in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _reference(row: Mapping[str, Any], place: str) -> str | None:
    """The answer as it stands; an empty one is an answer (no items, say), a withheld one is none."""
    text = _field(row, _ANSWER, place)
    return None if text is not None and text.strip() == _WITHHELD else text


def _text(row: Mapping[str, Any], names: tuple[str, ...], place: str) -> str | None:
    """A field as text without white space around it; None when there is none or it is empty."""
    return (_field(row, names, place) or "").strip() or None


def _field(row: Mapping[str, Any], names: tuple[str, ...], place: str) -> str | None:
    """The first of these fields that has a value, as text."""
    for name in names:
        value = row.get(name)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        if isinstance(value, dict | list | tuple):
            raise InputError(f"{place}: {name!r} must be text or a number, not a {type(value).__name__}")
        if isinstance(value, float) and name in _LEVEL and value.is_integer():
            return str(int(value))  # a column of whole numbers with a gap in it
        return str(value)
    return None


def _files(row: Mapping[str, Any], place: str, folder: Path, root: Path) -> tuple[Path, ...]:
    value = row.get("files") if row.get("files") else row.get("file_name")
    names = [value] if isinstance(value, str) else (value or [])
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{place}: 'files' must be a list of file names")
    paths = [_inside(name, place, folder) for name in names if name.strip()]
    file_path = row.get("file_path")
    if len(paths) <= 1 and isinstance(file_path, str) and file_path.strip() and not file_path.endswith("/"):
        whole = _inside(file_path, place, root)
        if not paths or (not paths[0].exists() and whole.exists()):
            paths = [whole]
    return tuple(paths)


def _inside(name: str, place: str, folder: Path) -> Path:
    """The file of that name; nothing outside the dataset can be named, whoever wrote the dataset."""
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or "\0" in name or (pure.parts and ":" in pure.parts[0]):
        raise InputError(f"{place}: the file name {name!r} leads out of the dataset")
    if any(len(part.encode(errors="surrogatepass")) > _LONGEST_NAME for part in pure.parts):
        raise InputError(f"{place}: the file name {name[:40]!r}… is too long to be one")
    return folder / name
