"""What an attempt's folder holds, and under which names."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentfly.errors import InputError
from agentfly.nodes.workspace import prepare, tidy
from agentfly.types import Task

ID = "32102e3e-d12a-4209-9163-7b3a104efe5d"


def names(task_id: str, *files: str, question: str = "What is in the attached file?") -> tuple[str, ...]:
    return Task(question, files=tuple(Path("/gaia/2023/test") / file for file in files), id=task_id).file_names


@pytest.mark.parametrize(
    ("files", "seen"),
    [
        ([f"{ID}.xlsx"], ("attachment.xlsx",)),
        ([f"{ID}.tar.gz"], ("attachment.tar.gz",)),
        ([ID], ("attachment",)),
        (["prices.csv"], ("prices.csv",)),
        ([f"{ID}-notes.txt"], (f"{ID}-notes.txt",)),
        ([f"{ID}.xlsx", "prices.csv", f"{ID}.png"], ("attachment.xlsx", "prices.csv", "attachment.png")),
        (["attachment.csv", f"{ID}.csv"], ("attachment.csv", "attachment-2.csv")),
        ([f"{ID}.csv", "attachment.csv"], ("attachment-2.csv", "attachment.csv")),
        ([], ()),
    ],
)
def test_a_name_that_is_the_tasks_id_is_neutral(files: list[str], seen: tuple[str, ...]) -> None:
    assert names(ID, *files) == seen


def test_a_name_that_the_question_says_is_kept() -> None:
    assert names("prices", "prices.csv", question="What is the mean of prices.csv?") == ("prices.csv",)
    assert names("prices", "prices.csv", question="What is the mean?") == ("attachment.csv",)


def test_a_task_without_an_id_of_its_own_keeps_its_names() -> None:
    assert Task("q", files=(Path("a.csv"), Path("b.csv"))).file_names == ("a.csv", "b.csv")


def test_copies_under_these_names_and_gone_afterwards(tmp_path: Path) -> None:
    source = tmp_path / "data"
    source.mkdir()
    for name in (f"{ID}.csv", "attachment.csv"):
        (source / name).write_text(name)
    task = Task("q", files=(source / f"{ID}.csv", source / "attachment.csv"), id=ID)
    folder = prepare(tmp_path / "work", "run-1", 0, task)
    assert {file.name: file.read_text() for file in folder.iterdir()} == {
        "attachment-2.csv": f"{ID}.csv",
        "attachment.csv": "attachment.csv",
    }
    assert ID not in str(folder)
    assert not any(file.is_symlink() for file in folder.iterdir())
    (folder / "made.txt").write_text("stays")
    tidy(tmp_path / "work", "run-1", task)
    assert [file.name for file in folder.iterdir()] == ["made.txt"]


def test_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.csv").write_text("x")
    task = Task("q", files=(tmp_path / "one" / "a.csv", tmp_path / "other" / "a.csv"), id=ID)
    with pytest.raises(InputError, match=r"two attached files are named 'a\.csv'"):
        prepare(tmp_path / "work", "run-1", 0, task)
