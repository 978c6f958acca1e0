"""The example that measures checks: its split, and what it says of bad input."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agentfly.errors import InputError
from agentfly.types import Task

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def halves(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from what_checks_pay import halves

    return halves


def test_no_file_is_in_both_halves_and_no_task_is_lost(halves: object) -> None:
    sizes = {"a.csv": 5, "b.csv": 3, "c.csv": 2, "d.csv": 1}
    tasks = tuple(
        Task(f"{name} {n}?", files=(Path(name),), reference="1") for name, count in sizes.items() for n in range(count)
    )
    parts = halves(tasks)  # type: ignore[operator]
    files = [{task.files[0].name for task in part} for part in parts.values()]
    assert not files[0] & files[1]
    assert sorted(task.id for part in parts.values() for task in part) == sorted(task.id for task in tasks)
    assert [len(part) for part in parts.values()] == [6, 5]


@pytest.mark.parametrize(
    "tasks", [(Task("no file", reference="1"),), (Task("one", files=(Path("a"),), reference="1"),)]
)
def test_what_cannot_be_split_is_refused(halves: object, tasks: tuple[Task, ...]) -> None:
    with pytest.raises(InputError):
        halves(tasks)  # type: ignore[operator]


def test_a_dataset_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "what_checks_pay.py"), str(tmp_path / "nowhere")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr + done.stdout
    assert "nowhere" in done.stdout
