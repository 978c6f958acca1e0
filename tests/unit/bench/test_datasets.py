from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentfly.bench.datasets import Dataset, load_dataset, register_dataset
from agentfly.errors import InputError

ROW: dict[str, Any] = {
    "task_id": "a-1",
    "Question": "How many?",
    "Level": 1,
    "Final answer": "3",
    "file_name": "a.csv",
    "Annotator Metadata": {"Steps": "count them"},
}
DUMMY: dict[str, Any] = {**ROW, "task_id": "0-0-0-0-0", "file_name": ""}
WITHHELD: dict[str, Any] = {**ROW, "task_id": "b-2", "Level": "2", "Final answer": "?", "file_name": ""}


def write(folder: Path, rows: list[Any], name: str = "metadata.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    return folder


def write_parquet(folder: Path, rows: list[dict[str, Any]], name: str = "metadata.parquet") -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{**row, "Level": str(row["Level"])} for row in rows]
    parquet.write_table(pa.Table.from_pylist(rows), folder / name)


@pytest.fixture
def gaia(tmp_path: Path) -> Path:
    folder = write(tmp_path / "suite" / "2023" / "validation", [ROW, DUMMY, WITHHELD])
    (folder / "a.csv").write_text("x\n1\n")
    return tmp_path / "suite"


def ids(dataset: Dataset) -> list[str]:
    return [task.id for task in dataset.tasks]


def test_gaia_layout(gaia: Path) -> None:
    dataset = load_dataset(gaia)
    first, second = dataset.tasks
    assert (dataset.name, dataset.folder) == ("suite", gaia / "2023" / "validation")
    assert (first.id, first.question, first.reference, first.level) == ("a-1", "How many?", "3", "1")
    assert first.files == (gaia / "2023" / "validation" / "a.csv",)
    assert (second.id, second.reference, second.level, second.files) == ("b-2", None, "2", ())


def test_notes_and_answers_are_not_in_what_a_generator_sees(gaia: Path) -> None:
    task = load_dataset(gaia).tasks[0]
    assert task.metadata == {"Annotator Metadata": {"Steps": "count them"}}
    assert "count them" not in repr(task)
    seen = task.without_reference()
    assert (seen.reference, seen.metadata) == (None, {})


def test_flat_folder_and_the_file_itself(gaia: Path) -> None:
    folder = gaia / "2023" / "validation"
    assert load_dataset(folder).tasks == load_dataset(folder / "metadata.jsonl").tasks == load_dataset(gaia).tasks


def test_splits(gaia: Path) -> None:
    write(gaia / "2023" / "test", [WITHHELD])
    assert ids(load_dataset(gaia)) == ["a-1", "b-2"]
    assert ids(load_dataset(gaia, split="test")) == ["b-2"]
    with pytest.raises(InputError, match="no split 'train'; it has: test, validation"):
        load_dataset(gaia, split="train")


def test_the_only_split_is_taken(tmp_path: Path) -> None:
    write(tmp_path / "2023" / "test", [WITHHELD])
    assert ids(load_dataset(tmp_path)) == ["b-2"]


def test_levels_and_limit(gaia: Path) -> None:
    assert ids(load_dataset(gaia, levels=[2])) == ["b-2"]
    assert ids(load_dataset(gaia, levels=["1", 2], limit=1)) == ["a-1"]
    with pytest.raises(InputError, match=r"no task of level 9; levels here: 1, 2"):
        load_dataset(gaia, levels=[9])
    with pytest.raises(InputError, match="at least 1"):
        load_dataset(gaia, limit=0)


def test_parquet_gives_the_same_tasks(gaia: Path) -> None:
    expected = load_dataset(gaia)
    folder = gaia / "2023" / "validation"
    (folder / "metadata.jsonl").unlink()
    write_parquet(folder, [ROW, DUMMY, WITHHELD])
    assert load_dataset(gaia) == expected
    (folder / "metadata.parquet").unlink()
    write_parquet(folder, [ROW, DUMMY], "metadata.level1.parquet")
    write_parquet(folder, [WITHHELD], "metadata.level2.parquet")
    assert load_dataset(gaia) == expected


def test_a_damaged_parquet_file(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "metadata.parquet").write_bytes(b"not parquet")
    with pytest.raises(InputError, match="not a readable parquet file") as error:
        load_dataset(tmp_path)
    assert "\n" not in str(error.value)


def test_parquet_without_the_library_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "metadata.parquet").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(InputError, match="needs pyarrow: pip install"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("row", "question", "reference"),
    [
        ({"question": "q", "answer": "a"}, "q", "a"),
        ({"context": "c", "target": "t"}, "c", "t"),
        ({"question": "q", "ground_truth": 2.5}, "q", "2.5"),
        ({"question": "q", "answer": 0}, "q", "0"),
        ({"question": " q "}, "q", None),
        ({"question": "q", "answer": None}, "q", None),
        ({"question": "q", "answer": ""}, "q", ""),  # no items, say
        ({"question": "q", "answer": "?"}, "q", None),
    ],
)
def test_plain_rows(row: dict[str, Any], question: str, reference: str | None, tmp_path: Path) -> None:
    write(tmp_path, [row], "mine.jsonl")
    dataset = load_dataset(tmp_path / "mine.jsonl")
    assert dataset.name == "mine"
    assert (dataset.tasks[0].question, dataset.tasks[0].reference) == (question, reference)


def test_plain_rows_with_everything(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("a.txt", "data/b.txt"):
        (tmp_path / name).write_text("x")
    row = {"question": "q", "id": 7, "level": "hard", "files": ["a.txt", "data/b.txt"], "topic": "t"}
    write(tmp_path, ["", row, "  "], "mine.jsonl")
    (task,) = load_dataset(tmp_path / "mine.jsonl").tasks
    assert (task.id, task.level, task.metadata) == ("7", "hard", {"topic": "t"})
    assert task.files == (tmp_path / "a.txt", tmp_path / "data" / "b.txt")


def test_rows_without_ids_get_stable_ones_and_may_repeat(tmp_path: Path) -> None:
    write(tmp_path, [{"question": "q"}, {"question": "r"}, {"question": "q"}], "mine.jsonl")
    first, other, again = ids(load_dataset(tmp_path / "mine.jsonl"))
    assert again == f"{first}-2"
    assert other != first
    assert ids(load_dataset(tmp_path / "mine.jsonl")) == [first, other, again]


def test_the_hash_is_of_content(gaia: Path) -> None:
    before = load_dataset(gaia).hash
    assert load_dataset(gaia, limit=1).hash == before
    attachment = gaia / "2023" / "validation" / "a.csv"
    attachment.write_text("x\n2\n")
    changed = load_dataset(gaia).hash
    assert changed != before
    attachment.write_text("x\n1\n")
    assert load_dataset(gaia).hash == before
    write(gaia / "2023" / "validation", [{**ROW, "Final answer": "4"}, DUMMY, WITHHELD])
    assert load_dataset(gaia).hash != before


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "holds no tasks"),
        ([DUMMY], "holds no tasks"),
        ([WITHHELD, "{"], "line 2: not JSON"),
        (["[1]"], "line 1: must be a JSON object, not list"),
        ([{"task_id": "x"}], "line 1: no question"),
        ([{"question": "  "}], "line 1: no question"),
        ([{"question": ["q"]}], "line 1: 'question' must be text"),
        ([{"question": "q", "answer": {"a": 1}}], "line 1: 'answer' must be text"),
        ([{"question": "q", "files": 3}], "line 1: 'files' must be a list"),
        ([WITHHELD, "", WITHHELD], "line 3: the id 'b-2' is already that of"),
        ([{**ROW, "file_name": "gone.csv"}], "gone.csv of task a-1 is missing"),
        ([{**ROW, "file_name": "../secret.txt"}], "leads out of the dataset"),
        ([{**ROW, "file_name": "/etc/hostname"}], "leads out of the dataset"),
        ([{**ROW, "file_name": "..\\secret.txt"}], "leads out of the dataset"),
        ([{**ROW, "file_name": "C:/secret.txt"}], "leads out of the dataset"),
        ([{**ROW, "file_name": "gone.csv", "file_path": "../secret.txt"}], "leads out of the dataset"),
        ([{"question": "q", "files": ["link.txt"]}], "is a link that leads out"),
        ([{"question": "q", "files": ["x" * 300]}], "line 1: the file name 'xxx"),
        ([{"question": "q", "files": ["\ud800"]}], "is missing"),
        (["[" * 100_000], "line 1: not JSON"),
    ],
)
def test_what_is_wrong_is_one_line(rows: list[Any], message: str, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("x")
    folder = write(tmp_path / "data", rows)
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(InputError) as error:
        load_dataset(folder)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"\xff\xfe{", b'{"question": "\xe9"}'])
def test_not_utf8(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_bytes(content)
    with pytest.raises(InputError, match="not UTF-8"):
        load_dataset(tmp_path / "mine.jsonl")


def test_no_such_dataset(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no dataset at"):
        load_dataset(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"there is no 2023/<split>/metadata\.jsonl in it"):
        load_dataset(tmp_path)


def test_a_missing_attachment_of_a_task_not_selected_does_no_harm(gaia: Path) -> None:
    (gaia / "2023" / "validation" / "a.csv").unlink()
    assert ids(load_dataset(gaia, levels=[2])) == ["b-2"]


def test_file_path_where_the_name_alone_is_not_enough(gaia: Path) -> None:
    (gaia / "files").mkdir()
    (gaia / "files" / "far.csv").write_text("x")
    write(gaia / "2023" / "validation", [{**ROW, "file_name": "far.csv", "file_path": "files/far.csv"}])
    assert load_dataset(gaia).tasks[0].files == (gaia / "files" / "far.csv",)


def test_the_links_of_the_hugging_face_cache(tmp_path: Path) -> None:
    folder = write(tmp_path / "snapshots" / "abc" / "2023" / "validation", [ROW])
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "123").write_text("x")
    (folder / "a.csv").symlink_to(tmp_path / "blobs" / "123")
    assert ids(load_dataset(tmp_path / "snapshots" / "abc")) == ["a-1"]


def test_a_registered_name(gaia: Path) -> None:
    register_dataset("my-suite", gaia)
    assert ids(load_dataset("my-suite")) == ["a-1", "b-2"]
    with pytest.raises(InputError, match="registered: my-suite"):
        load_dataset("my-sweet")


def test_the_hash_is_of_the_tasks_whatever_the_order_and_the_format(tmp_path: Path) -> None:
    rows = [{**ROW, "task_id": f"t-{number}", "file_name": "", "Level": number % 3 + 1} for number in range(9)]
    lines = load_dataset(write(tmp_path / "lines", rows))
    for level in (1, 2, 3):
        mine = [row for row in rows if row["Level"] == level]
        write_parquet(tmp_path / "levels", mine, f"metadata.level{level}.parquet")
    levels = load_dataset(tmp_path / "levels")
    assert ids(levels) != ids(lines)
    assert levels.hash == lines.hash
    assert sorted(levels.tasks, key=lambda task: task.id) == list(lines.tasks)
    assert load_dataset(write(tmp_path / "fewer", rows[1:])).hash != lines.hash


def test_instructions_are_part_of_the_hash(tmp_path: Path) -> None:
    from agentfly.bench import adapters
    from agentfly.types import Task

    told = ["one", "other"]
    adapter = adapters.Adapter(
        "told", lambda row: False, lambda row, place: [Task("q", instructions=told[0])], str.__eq__
    )
    adapters.register_adapter(adapter)
    path = write(tmp_path, [{"a": 1}], "mine.jsonl") / "mine.jsonl"
    before = load_dataset(f"told:{path}").hash
    told.reverse()
    assert load_dataset(f"told:{path}").hash != before


@pytest.mark.parametrize("level", [1, "1", 1.0])
def test_a_level_is_a_number_or_text(level: Any, tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    row = {**ROW, "Level": level, "file_name": ""}
    parquet.write_table(pa.Table.from_pylist([row]), tmp_path / "metadata.parquet")
    assert load_dataset(tmp_path, levels=[1]).tasks[0].level == "1"


def test_fields_that_parquet_fills_up_are_left_out(tmp_path: Path) -> None:
    other = {**WITHHELD, "task_id": "c-3", "Annotator Metadata": {"Tools": "none"}}
    rows = [WITHHELD, other]
    write_parquet(tmp_path / "p", rows)
    assert load_dataset(tmp_path / "p").tasks == load_dataset(write(tmp_path / "j", rows)).tasks


def test_the_columns_of_october_2025(tmp_path: Path) -> None:
    """`file_path` is relative to the repository; a row without file has both names empty."""
    folder = tmp_path / "2023" / "test"
    with_file = {**ROW, "file_path": "2023/test/a.csv"}
    without = {**WITHHELD, "file_path": ""}
    write_parquet(folder, [with_file, {**DUMMY, "file_path": ""}, without], "metadata.level1.parquet")
    (folder / "a.csv").write_text("x")
    first, second = load_dataset(tmp_path).tasks
    assert (first.files, second.files) == ((folder / "a.csv",), ())
    assert "file_path" not in first.metadata
    write_parquet(folder, [{**with_file, "file_name": None}], "metadata.level1.parquet")
    assert load_dataset(tmp_path).tasks[0].files == (tmp_path / "2023/test/a.csv",)


def test_a_row_that_names_the_folder_has_no_file(tmp_path: Path) -> None:
    write(tmp_path, [{**WITHHELD, "file_path": "2023/test/"}])
    assert load_dataset(tmp_path).tasks[0].files == ()


def test_rows_are_not_held_beyond_the_selected(tmp_path: Path) -> None:
    import tracemalloc

    rows = [{"question": f"{number} " + "x" * 1000, "id": f"t-{number}"} for number in range(4000)]
    path = write(tmp_path, rows, "many.jsonl") / "many.jsonl"
    tracemalloc.start()
    dataset = load_dataset(path, limit=5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(dataset.tasks), len(dataset.ids)) == (5, 4000)
    assert peak < 2 * 2**20 < 4000 * 1000


def test_a_number_that_python_does_not_read_is_one_line(tmp_path: Path) -> None:
    write(tmp_path, ['{"question": "q", "answer": ' + "9" * 5000 + "}"], "mine.jsonl")
    with pytest.raises(InputError, match="line 1: not JSON") as error:
        load_dataset(tmp_path / "mine.jsonl")
    assert "\n" not in str(error.value)


def test_a_file_has_no_splits(tmp_path: Path) -> None:
    write(tmp_path, [WITHHELD], "mine.jsonl")
    with pytest.raises(InputError, match="is one file and has no split 'test'"):
        load_dataset(tmp_path / "mine.jsonl", split="test")


def test_nothing_outside_is_read_even_for_the_hash(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("one")
    folder = write(tmp_path / "data", [{"id": "x", "question": "q", "files": ["link.txt"]}, WITHHELD])
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    before = load_dataset(folder, levels=[2]).hash
    (tmp_path / "secret.txt").write_text("other")
    assert load_dataset(folder, levels=[2]).hash == before


@pytest.mark.parametrize(("name", "count"), [("dabench-dev", 75), ("formula/val.jsonl", 300), ("finer/val.jsonl", 600)])
def test_public_data_where_present(name: str, count: int) -> None:
    path = Path(__file__).parents[3].parent / "shared" / "data" / name
    if not path.exists():
        pytest.skip("the data is not here")
    dataset = load_dataset(path)
    assert len(dataset.tasks) == count
    assert all(task.reference is not None for task in dataset.tasks)
