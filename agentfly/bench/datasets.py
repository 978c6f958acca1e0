"""Datasets of tasks: GAIA's layout as distributed, or one JSON object a line."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentfly.bench.adapters import Adapter, adapter_for, adapter_named
from agentfly.bench.rows import has_id, read_jsonl, row_task, with_unique_id
from agentfly.errors import InputError
from agentfly.scorers import ReferenceScorer, gaia_match
from agentfly.types import Task

_YEAR = "2023"
_registered: dict[str, Path] = {}


@dataclass(frozen=True, slots=True)
class Dataset:
    """Tasks to run.

    Args:
        name: short name, from the path.
        tasks: the selected tasks, in the dataset's order.
        hash: SHA-256 over all tasks before selection, with references and the content of attachments: two loads with one
            hash hold the same tasks, from whichever file format.
        folder: where it was read from.
        adapter: of the benchmark whose file it is; None for GAIA's layout and plain files of questions.
    """

    name: str
    tasks: tuple[Task, ...]
    hash: str
    folder: Path
    adapter: Adapter | None = None

    @property
    def scorer(self) -> ReferenceScorer:
        """Compares answers by the dataset's own rule; GAIA's where it has none."""
        if self.adapter is None:
            return ReferenceScorer("gaia", gaia_match)
        return ReferenceScorer(self.adapter.name, self.adapter.match)


def register_dataset(name: str, path: str | Path) -> None:
    """Let `load_dataset` know a folder or file by a name, for this process."""
    _registered[name] = Path(path)


def load_dataset(
    path_or_name: str | Path,
    split: str | None = None,
    levels: Iterable[str | int] | None = None,
    limit: int | None = None,
) -> Dataset:
    """Read a dataset.

    Args:
        path_or_name: a folder in GAIA's layout (``2023/<split>/metadata.jsonl`` or ``.parquet``, or a flat
            ``metadata.jsonl``), a ``.jsonl`` file, or a registered name. A file of a benchmark that has an adapter is known by
            its first row; ``NAME:PATH`` forces that adapter.
        split: folder under ``2023/``; by default the only one there is, else ``validation``.
        levels: keep the tasks of these levels.
        limit: keep the first n of them.

    Returns:
        The dataset; GAIA's dummy row is left out, and withheld answers (``?``) are no reference.

    Raises:
        InputError: one line that says what is wrong, with the row where there is one.
    """
    if limit is not None and limit < 1:
        raise InputError(f"the limit must be at least 1, not {limit}")
    path, forced = _named(path_or_name)
    sources, root, name = _locate(path, split)
    tasks, adapter = _read_tasks(sources, root, forced)
    if not tasks:
        raise InputError(f"{sources[0]} holds no tasks")
    selected = _select(tasks, levels)[:limit]
    _require_files(selected, root)
    return Dataset(name=name, tasks=tuple(selected), hash=_hash(tasks), folder=sources[0].parent, adapter=adapter)


def _named(given: str | Path) -> tuple[Path, Adapter | None]:
    """The path meant, and the adapter that it is to be read with, if one is named."""
    if known := _registered.get(str(given)):
        return known, None
    name, colon, rest = str(given).partition(":")
    adapter = adapter_named(name) if colon else None
    return Path(rest if adapter else given).expanduser(), adapter


def _locate(path: Path, split: str | None) -> tuple[list[Path], Path, str]:
    """The files of rows, the folder that holds the dataset, and its name."""
    if path.is_file():
        name = path.parent.name if path.stem == "metadata" else path.stem
        return [path], path.parent, name
    if not path.is_dir():
        known = f"; registered: {', '.join(sorted(_registered))}" if _registered else ""
        raise InputError(f"no dataset at {path}: give a folder in GAIA layout or a .jsonl file{known}")
    name = path.resolve().name
    if split is None and (flat := _sources(path)):
        return flat, path, name
    splits = {folder.name: folder for folder in sorted((path / _YEAR).glob("*/")) if _sources(folder)}
    chosen = split or (next(iter(splits)) if len(splits) == 1 else "validation")
    if chosen not in splits:
        there = f"it has: {', '.join(splits)}" if splits else f"there is no {_YEAR}/<split>/metadata.jsonl in it"
        raise InputError(f"{path} has no split {chosen!r}; {there}")
    return _sources(splits[chosen]), path, name


def _sources(folder: Path) -> list[Path]:
    for name in ("metadata.jsonl", "metadata.parquet"):
        if (folder / name).is_file():
            return [folder / name]
    return sorted(folder.glob("metadata.level*.parquet"))


def _read_tasks(sources: list[Path], root: Path, adapter: Adapter | None) -> tuple[list[Task], Adapter | None]:
    tasks: list[Task] = []
    seen: dict[str, str] = {}
    first = True
    for source in sources:
        for place, row in _rows(source):
            adapter = adapter_for(row) if first and adapter is None else adapter
            first = False
            if adapter is not None:
                made = adapter.tasks(row, place)
            else:
                task = row_task(row, place, source.parent, root)
                made = [] if task is None else [task]
            tasks += [with_unique_id(task, adapter is None and has_id(row), seen, place) for task in made]
    return tasks, adapter


def _rows(source: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return _read_parquet(source) if source.suffix == ".parquet" else read_jsonl(source)


def _read_parquet(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise InputError(f"reading {path} needs pyarrow: pip install 'agentfly-framework[parquet]'") from None
    try:
        rows = parquet.read_table(path, partitioning=None).to_pylist()
    except (OSError, ValueError) as error:  # pyarrow's own errors derive from these
        raise InputError(f"{path} is not a readable parquet file: {' '.join(str(error).split())}") from None
    for number, row in enumerate(rows, start=1):
        yield f"{path} row {number}", row


def _select(tasks: list[Task], levels: Iterable[str | int] | None) -> list[Task]:
    if levels is None:
        return tasks
    wanted = {str(level).strip() for level in levels}
    there = sorted({task.level or "none" for task in tasks})
    unknown = sorted(wanted - set(there))
    if unknown or not wanted:
        raise InputError(f"no task of level {', '.join(unknown) or '(none given)'}; levels here: {', '.join(there)}")
    return [task for task in tasks if (task.level or "none") in wanted]


def _require_files(tasks: list[Task], root: Path) -> None:
    allowed = _allowed_roots(root)
    for task in tasks:
        for file in task.files:
            if not file.is_file():
                raise InputError(f"the attachment {file} of task {task.id} is missing")
            if not any(file.resolve().is_relative_to(place) for place in allowed):
                raise InputError(f"the attachment {file} of task {task.id} is a link that leads out of the dataset")


def _allowed_roots(root: Path) -> list[Path]:
    """The dataset's folder; in the Hugging Face cache also the folder that its links lead to."""
    root = root.absolute()
    caches = [p.parent / "blobs" for p in (root, *root.parents) if p.name == "snapshots"]
    return [root.resolve(), *(cache.resolve() for cache in caches)]


def _hash(tasks: list[Task]) -> str:
    digest = hashlib.sha256()
    for task in tasks:
        files = [(file.name, _file_hash(file)) for file in task.files]
        digest.update(json.dumps([task.id, task.question, task.reference, task.level, files]).encode() + b"\n")
    return digest.hexdigest()


def _file_hash(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
