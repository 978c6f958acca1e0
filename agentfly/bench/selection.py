"""Which tasks of a dataset are run: by level, id and file type, the first of them or a seeded sample."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agentfly.bench.attachments import file_types
from agentfly.errors import InputError
from agentfly.types import Task

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to keep of a dataset; None keeps all. The dataset's order is kept.

    Args:
        levels: of these levels; ``none`` is that of a task without one.
        ids: with these ids.
        file_types: with a file of one of these endings (``xlsx``, with or without the dot); ``none`` is a task without file.
        sample: so many of what is left, drawn by `seed`. The draw depends on the ids alone, not on their order or on the file
            format, and a larger one of the same seed holds the smaller.
        seed: of the sample.
        limit: the first n of what is left.

    Raises:
        InputError: a number below 1, or a filter that names nothing.
    """

    levels: frozenset[str] | None = None
    ids: frozenset[str] | None = None
    file_types: frozenset[str] | None = None
    sample: int | None = None
    seed: int = 0
    limit: int | None = None

    def __post_init__(self) -> None:
        for name, number in (("limit", self.limit), ("sample", self.sample)):
            if number is not None and number < 1:
                raise InputError(f"the {name} must be at least 1, not {number}")
        for name, given in (("level", self.levels), ("id", self.ids), ("file type", self.file_types)):
            if given is not None and not given:
                raise InputError(f"no {name} was given to select by")

    @classmethod
    def of(
        cls,
        *,
        levels: Iterable[str | int] | None = None,
        ids: Iterable[str] | str | Path | None = None,
        types: Iterable[str] | None = None,
        sample: int | None = None,
        seed: int = 0,
        limit: int | None = None,
    ) -> Selection:
        """A selection from what a caller gives.

        Args:
            levels: as text or numbers.
            ids: the ids, or a file with one id a line.
            types: endings, in any case.
            sample: see `Selection`.
            seed: see `Selection`.
            limit: see `Selection`.
        """
        named = read_ids(ids) if isinstance(ids, str | Path) else ids
        return cls(
            levels=_words(levels),
            ids=_words(named),
            file_types=_words(None if types is None else (str(one).strip().lower().removeprefix(".") for one in types)),
            sample=sample,
            seed=seed,
            limit=limit,
        )


def read_ids(path: str | Path) -> list[str]:
    """The ids in a file, one a line; empty lines and those that begin with ``#`` are passed over.

    Raises:
        InputError: there is no such file, it is not text, or it holds no id.
    """
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"the file of ids {path} cannot be read: {reason or error}") from None
    found = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not found:
        raise InputError(f"{path} holds no ids: write one a line")
    return found


@dataclass(slots=True)
class _Seen:
    """What a pass over the tasks met."""

    levels: set[str] = field(default_factory=set)
    types: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    count: int = 0


def select(tasks: Iterable[Task], wanted: Selection) -> list[Task]:
    """The selected tasks, in one pass that holds no others.

    Raises:
        InputError: a level, id or file type that no task has, a sample of more than there are, or filters that leave nothing.
    """
    seen = _Seen()
    passing = _passing(tasks, wanted, seen)
    if wanted.sample is not None:
        chosen = _sampled(passing, wanted.sample, wanted.seed)
    else:
        chosen = [task for number, task in enumerate(passing) if wanted.limit is None or number < wanted.limit]
    if seen.count:
        _refuse_unknown(wanted, seen, len(chosen))
    return chosen[: wanted.limit]


def _passing(tasks: Iterable[Task], wanted: Selection, seen: _Seen) -> Iterator[Task]:
    for task in tasks:
        level, types = task.level or "none", file_types(task)
        seen.count += 1
        seen.levels.add(level)
        seen.types |= types
        seen.ids.add(task.id)
        if (
            (wanted.levels is None or level in wanted.levels)
            and (wanted.ids is None or task.id in wanted.ids)
            and (wanted.file_types is None or types & wanted.file_types)
        ):
            yield task


def _sampled(tasks: Iterable[Task], size: int, seed: int) -> list[Task]:
    """The tasks of the `size` smallest draws, in their order."""
    drawn = ((_draw(seed, task.id), number, task) for number, task in enumerate(tasks))
    chosen = heapq.nsmallest(size, drawn, key=lambda one: one[:2])
    return [task for _, _, task in sorted(chosen, key=lambda one: one[1])]


def _draw(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\x1f{name}".encode(errors="surrogatepass")).digest()


def _refuse_unknown(wanted: Selection, seen: _Seen, left: int) -> None:
    if unknown := sorted((wanted.levels or frozenset()) - seen.levels):
        raise InputError(f"no task of level {', '.join(unknown)}; levels here: {', '.join(sorted(seen.levels))}")
    if unknown := sorted((wanted.file_types or frozenset()) - seen.types):
        raise InputError(
            f"no task with a file of type {', '.join(unknown)}; types here: {', '.join(sorted(seen.types))}"
        )
    if unknown := sorted((wanted.ids or frozenset()) - seen.ids):
        few, like = sorted(seen.ids)[:_SHOWN], "such as " if len(seen.ids) > _SHOWN else ""
        raise InputError(
            f"no task with the id {shorted(unknown)}; the {len(seen.ids):,} ids here: {like}{', '.join(few)}"
        )
    if not left:
        raise InputError(f"none of the {seen.count:,} tasks passes all filters together")
    if wanted.sample is not None and left < wanted.sample:
        raise InputError(f"a sample of {wanted.sample:,} was asked for, and there are {left:,} tasks to draw from")


def shorted(names: list[str]) -> str:
    """The first few of them, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _words(given: Iterable[str | int] | None) -> frozenset[str] | None:
    return None if given is None else frozenset(word for one in given if (word := str(one).strip()))
