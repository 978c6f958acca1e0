"""Options that choose a dataset's tasks, shared by the commands of `agentfly bench`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentfly.errors import InputError

if TYPE_CHECKING:
    from agentfly.bench.datasets import Dataset

DatasetName = Annotated[
    str,
    typer.Argument(
        metavar="DATASET",
        help="A folder in GAIA's layout, a .jsonl of questions and answers, hf:OWNER/NAME, or ADAPTER:PATH.",
    ),
]
Split = Annotated[
    str | None,
    typer.Option("--split", metavar="NAME", help="Split under 2023/. Default: the only one, else validation."),
]
Levels = Annotated[
    str | None, typer.Option("--levels", metavar="L,L", help="Only tasks of these levels; none is those without one.")
]
Ids = Annotated[
    str | None,
    typer.Option("--ids", metavar="IDS", help="Only these tasks: ids with commas, or a file with one a line."),
]
FileTypes = Annotated[
    str | None,
    typer.Option(
        "--file-types", metavar="T,T", help="Only tasks with such a file: xlsx,pdf; none is those without a file."
    ),
]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", help="Only the first N of them.")]
Sample = Annotated[int | None, typer.Option("--sample", metavar="N", help="Only N of them, drawn by --sample-seed.")]
SampleSeed = Annotated[int, typer.Option("--sample-seed", metavar="N", help="Seed of --sample.")]
Download = Annotated[
    bool,
    typer.Option("--download", help="Fetch hf:OWNER/NAME from the Hugging Face hub; nothing is fetched without it."),
]


def read_dataset(
    name: str,
    *,
    split: str | None,
    levels: str | None,
    ids: str | None,
    file_types: str | None,
    limit: int | None,
    sample: int | None,
    sample_seed: int,
    download: bool,
) -> Dataset:
    """The dataset with the tasks that these options choose.

    Raises:
        InputError: one line that says what is wrong.
    """
    from agentfly.bench.datasets import open_dataset
    from agentfly.bench.selection import Selection

    wanted = Selection.of(
        levels=_listed(levels, "--levels"),
        ids=Path(ids) if ids is not None and _is_file(ids) else _listed(ids, "--ids"),
        types=_listed(file_types, "--file-types"),
        sample=sample,
        seed=sample_seed,
        limit=limit,
    )
    return open_dataset(name, split, wanted, download=download)


def _is_file(text: str) -> bool:
    try:
        return Path(text).expanduser().is_file()
    except (OSError, ValueError):  # a list too long for a name
        return False


def _listed(text: str | None, option: str) -> Sequence[str] | None:
    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise InputError(f"{option} names nothing; write it as {option} A,B")
    return words
