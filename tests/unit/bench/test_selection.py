from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.bench.datasets import open_dataset
from agentfly.bench.selection import Selection, read_ids, select
from agentfly.errors import InputError
from agentfly.types import Task

TASKS = [
    Task("one", id="a", level="1", files=(Path("x.XLSX"),)),
    Task("two", id="b", level="2"),
    Task("three", id="c", level="1", files=(Path("x.pdf"), Path("y.csv"))),
    Task("four", id="d", files=(Path("README"),)),
]


def chosen(**wanted: Any) -> str:
    return "".join(task.id for task in select(iter(TASKS), Selection.of(**wanted)))


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({}, "abcd"),
        ({"levels": [1]}, "ac"),
        ({"levels": ["2", " 1 "]}, "abc"),
        ({"levels": ["none"]}, "d"),
        ({"ids": ["c", "a"]}, "ac"),
        ({"types": ["xlsx"]}, "a"),
        ({"types": [".CSV", "xlsx"]}, "ac"),
        ({"types": ["none"]}, "b"),
        ({"types": ["none", "pdf"], "levels": [1]}, "c"),
        ({"limit": 2}, "ab"),
        ({"limit": 99}, "abcd"),
        ({"levels": [1], "limit": 1}, "a"),
        ({"sample": 4}, "abcd"),
    ],
)
def test_filters(wanted: dict[str, Any], ids: str) -> None:
    assert chosen(**wanted) == ids


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"levels": [7, 8]}, "no task of level 7, 8; levels here: 1, 2, none"),
        ({"types": ["zip"]}, "no task with a file of type zip; types here: csv, none, pdf, xlsx"),
        ({"ids": ["a", "nope"]}, "no task with the id nope; the 4 ids here: a, b, c, d"),
        ({"levels": [2], "types": ["pdf"]}, "none of the 4 tasks passes all filters together"),
        ({"sample": 3, "levels": [1]}, "a sample of 3 was asked for, and there are 2 tasks to draw from"),
        ({"limit": 0}, "the limit must be at least 1, not 0"),
        ({"sample": -1}, "the sample must be at least 1, not -1"),
        ({"levels": []}, "no level was given to select by"),
        ({"ids": [" "]}, "no id was given to select by"),
    ],
)
def test_what_cannot_be_selected_is_one_line_that_says_what_there_is(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        chosen(**wanted)
    assert str(error.value) == message


def test_many_unknown_ids_are_cut_short() -> None:
    with pytest.raises(InputError, match=r"x0, x1, x2, x3, x4 and 5 more; the 4 ids here"):
        chosen(ids=[f"x{number}" for number in range(10)])


def test_ids_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("\ufeff# mine\n c \n\na\n", encoding="utf-8")
    assert read_ids(tmp_path / "ids.txt") == ["c", "a"]
    assert chosen(ids=tmp_path / "ids.txt") == "ac"


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "holds no ids"), (b"\xff\xfe", "not UTF-8"), (None, "cannot be read")]
)
def test_a_file_of_ids_that_is_none(content: bytes | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "ids").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_ids(tmp_path / "ids")


NAMES = st.lists(st.text(min_size=1, max_size=6).filter(str.strip), unique=True, min_size=1, max_size=40)


@given(NAMES, st.integers(0, 2**40), st.data())
def test_a_sample(names: list[str], seed: int, data: st.DataObject) -> None:
    """It keeps the order, depends on ids and seed alone, and a larger one holds the smaller."""
    tasks = [Task("q", id=name) for name in names]
    size = data.draw(st.integers(1, len(names)))
    drawn = select(tasks, Selection(sample=size, seed=seed))
    assert len(drawn) == size
    assert drawn == [task for task in tasks if task in drawn]
    assert {task.id for task in select(reversed(tasks), Selection(sample=size, seed=seed))} == {
        task.id for task in drawn
    }
    larger = data.draw(st.integers(size, len(names)))
    assert {task.id for task in drawn} <= {task.id for task in select(tasks, Selection(sample=larger, seed=seed))}


def test_seeds_differ_and_every_task_gets_its_turn() -> None:
    tasks = [Task("q", id=f"t{number}") for number in range(10)]
    draws = [select(tasks, Selection(sample=3, seed=seed)) for seed in range(400)]
    counts = {task.id: sum(task in drawn for drawn in draws) for task in tasks}
    assert all(80 < count < 160 for count in counts.values())  # 120 expected


def test_the_draw_stays_as_published() -> None:
    tasks = [Task("q", id=f"t{number}") for number in range(10)]
    assert [task.id for task in select(tasks, Selection(sample=3, seed=7))] == ["t2", "t5", "t7"]


def test_a_dataset_with_every_filter(tmp_path: Path) -> None:
    rows = "".join(f'{{"id": "{n}", "question": "q", "answer": "1", "level": {n % 2}}}\n' for n in range(6))
    (tmp_path / "mine.jsonl").write_text(rows)
    dataset = open_dataset(tmp_path / "mine.jsonl", None, Selection.of(levels=[1], ids=["1", "2", "3"]))
    assert [task.id for task in dataset.tasks] == ["1", "3"]
    assert dataset.ids == frozenset("012345")
