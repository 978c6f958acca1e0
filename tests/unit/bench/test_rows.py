from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentfly.bench.rows import read_jsonl, read_rows, row_task
from agentfly.types import Task

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def task(**row: Any) -> Task | None:
    return row_task({"question": "q", **row}, "here", Path("/d"), Path("/d"))


@pytest.mark.parametrize("dummy", ["0-0-0-0-0", " 0-0-0-0-0 "])
def test_the_dummy_row_is_no_task(dummy: str) -> None:
    assert task(task_id=dummy) is None
    assert task(task_id="0-0-0-0-1") is not None


@pytest.mark.parametrize(("answer", "reference"), [("?", None), (" ? ", None), ("??", "??"), ("", ""), (None, None)])
def test_a_withheld_answer_is_no_reference(answer: str | None, reference: str | None) -> None:
    made = task(**{"Final answer": answer})
    assert made is not None
    assert made.reference == reference


@pytest.mark.parametrize(
    ("level", "kept"),
    [(2, "2"), (2.0, "2"), ("2", "2"), (2.5, "2.5"), (float("nan"), None), ("", None), ("hard", "hard")],
)
def test_levels(level: Any, kept: str | None) -> None:
    made = task(Level=level)
    assert made is not None
    assert made.level == kept


def test_notes_without_empty_fields() -> None:
    made = task(**{"Annotator Metadata": {"Steps": "s", "Tools": None, "More": [{"a": None, "b": 1}]}, "extra": None})
    assert made is not None
    assert made.metadata == {"Annotator Metadata": {"Steps": "s", "More": [{"b": 1}]}}


def test_numbers_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1.10, "b": 007}\n'.replace("007", "1e3") + '{"a": ' + "9" * 5000 + "}\n")
    rows = [row for _, row in read_jsonl(path, numbers_as_text=True)]
    assert rows == [{"a": "1.10", "b": "1e3"}, {"a": "9" * 5000}]


@settings(deadline=None, max_examples=30)  # the first one imports pyarrow
@given(st.lists(st.tuples(TEXT, st.none() | TEXT), min_size=1, max_size=20))
def test_parquet_and_lines_hold_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, Any]]
) -> None:
    import json

    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [{"question": question, "answer": answer} for question, answer in pairs]
    folder = tmp_path_factory.mktemp("rows")
    schema = pa.schema([("question", pa.string()), ("answer", pa.string())])
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "a.parquet")
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines, records = ([dict(row) for _, row in read_rows(folder / name)] for name in ("a.jsonl", "a.parquet"))
    assert lines == records == rows
