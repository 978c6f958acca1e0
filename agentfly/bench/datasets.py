"""Datasets of tasks: GAIA's layout as distributed, or one JSON object a line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agentfly.bench import hub
from agentfly.bench.adapters import Adapter, adapter_for, adapter_named
from agentfly.bench.attachments import Attachments
from agentfly.bench.rows import has_id, read_rows, row_task, with_unique_id
from agentfly.bench.selection import Selection, select
from agentfly.errors import InputError
from agentfly.scorers import ReferenceScorer, gaia_match
from agentfly.types import Task

_YEAR = "2023"
_SPLIT = "validation"
_registered: dict[str, Path] = {}


@dataclass(frozen=True, slots=True)
class Dataset:
    """Tasks to run.

    Args:
        name: short name, from the path.
        tasks: the selected tasks, in the dataset's order.
        hash: SHA-256 over all tasks before selection, with references and the content of attachments: two loads with one
            hash hold the same tasks, from whichever file format and in whichever order.
        folder: where it was read from.
        adapter: of the benchmark whose file it is; None for GAIA's layout and plain files of questions.
        ids: of all tasks, selected or not.
    """

    name: str
    tasks: tuple[Task, ...]
    hash: str
    folder: Path
    adapter: Adapter | None = None
    ids: frozenset[str] = field(default=frozenset(), repr=False)

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
            ``metadata.jsonl``), such a folder in the Hugging Face cache, a ``.jsonl`` file, ``hf:OWNER/NAME``, or a registered
            name. A file of a benchmark that has an adapter is known by its first row; ``NAME:PATH`` forces that adapter.
        split: folder under ``2023/``; by default the only one there is, else ``validation``.
        levels: keep the tasks of these levels.
        limit: keep the first n of them.

    Returns:
        The dataset; GAIA's dummy row is left out, and withheld answers (``?``) are no reference.

    Raises:
        InputError: one line that says what is wrong, with the row where there is one.
    """
    return open_dataset(path_or_name, split, Selection.of(levels=levels, limit=limit))


def open_dataset(
    path_or_name: str | Path, split: str | None = None, wanted: Selection | None = None, *, download: bool = False
) -> Dataset:
    """As `load_dataset`, with every filter there is.

    Args:
        path_or_name: as there.
        split: as there.
        wanted: the tasks to keep; all by default. Tasks that are not kept are not held, and their attachments may be missing.
        download: whether a dataset named ``hf:OWNER/NAME`` may be fetched; otherwise it must be on this machine already.

    Raises:
        InputError: as there.
        ProviderError: the hub cannot be reached.
    """
    path, forced = _named(path_or_name, split, download)
    sources, root, name = _locate(path, split)
    reading = _Reading(root, forced)
    tasks = select(reading.tasks(sources), wanted or Selection())
    if not reading.seen:
        raise InputError(f"{sources[0]} holds no tasks")
    reading.attachments.require(tasks)
    return Dataset(
        name=name,
        tasks=tuple(tasks),
        hash=reading.hash(),
        folder=sources[0].parent,
        adapter=reading.adapter,
        ids=frozenset(reading.seen),
    )


class _Reading:
    """One pass over a dataset's rows: makes tasks of them, and keeps of each what the whole is known by."""

    def __init__(self, root: Path, adapter: Adapter | None) -> None:
        self.adapter = adapter
        self.attachments = Attachments(root)
        self.seen: dict[str, str] = {}
        """The place of each id."""
        self._root = root
        self._digests: list[bytes] = []

    def tasks(self, sources: list[Path]) -> Iterator[Task]:
        """The tasks of all files, one after another."""
        first = True
        for source in sources:
            for place, row in read_rows(source):
                if first and self.adapter is None:
                    self.adapter = adapter_for(row)
                first = False
                if self.adapter is not None:
                    made = list(self.adapter.tasks(row, place))
                else:
                    task = row_task(row, place, source.parent, self._root)
                    made = [] if task is None else [task]
                for one in made:
                    unique = with_unique_id(one, self.adapter is None and has_id(row), self.seen, place)
                    self._digests.append(self._digest(unique))
                    yield unique

    def hash(self) -> str:
        """Over all tasks so far, whatever their order."""
        return hashlib.sha256(b"".join(sorted(self._digests))).hexdigest()

    def _digest(self, task: Task) -> bytes:
        files = [(file.name, self.attachments.digest(file)) for file in task.files]
        told = [task.id, task.question, task.reference, task.level, task.instructions, files]
        return hashlib.sha256(json.dumps(told).encode()).digest()


def _named(given: str | Path, split: str | None, download: bool) -> tuple[Path, Adapter | None]:
    """The path meant, and the adapter that it is to be read with, if one is named."""
    if known := _registered.get(str(given)):
        return known, None
    if isinstance(given, str) and given.startswith(hub.PREFIX):
        return hub.folder_of(given, split, download=download), None
    if download:
        raise InputError(
            f"only a dataset of the Hugging Face hub can be downloaded ({hub.PREFIX}OWNER/NAME), not {given}"
        )
    name, colon, rest = str(given).partition(":")
    adapter = adapter_named(name) if colon else None
    return Path(rest if adapter else given).expanduser(), adapter


def _locate(path: Path, split: str | None) -> tuple[list[Path], Path, str]:
    """The files of rows, the folder that holds the dataset, and its name."""
    if path.is_file():
        if split is not None:
            raise InputError(f"{path} is one file and has no split {split!r}")
        name = path.parent.name if path.stem == "metadata" else path.stem
        return [path], path.parent, name
    if not path.is_dir():
        known = f"; registered: {', '.join(sorted(_registered))}" if _registered else ""
        raise InputError(f"no dataset at {path}: give a folder in GAIA layout or a .jsonl file{known}")
    path = hub.snapshot_in(path)
    name = hub.cached_name(path) or path.resolve().name
    if split is None and (flat := _sources(path)):
        return flat, path, name
    splits = {folder.name: folder for folder in sorted((path / _YEAR).glob("*/")) if _sources(folder)}
    chosen = split or (next(iter(splits)) if len(splits) == 1 else _SPLIT)
    if chosen not in splits:
        there = f"it has: {', '.join(splits)}" if splits else f"there is no {_YEAR}/<split>/metadata.jsonl in it"
        raise InputError(f"{path} has no split {chosen!r}; {there}")
    return _sources(splits[chosen]), path, name


def _sources(folder: Path) -> list[Path]:
    """The files of a split's rows: those of one name for all, else one for each level."""
    for name in ("metadata.jsonl", "metadata.parquet"):
        if (folder / name).is_file():
            return [folder / name]
    return sorted(folder.glob("metadata.level*.parquet"))
