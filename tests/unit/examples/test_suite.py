"""The demo suite: committed as it is made, sound as a dataset, and each answer found again by other means."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import zipfile
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from agentfly.bench.datasets import load_dataset
from agentfly.types import Task

ROOT = Path(__file__).parents[3]
SUITE = ROOT / "examples" / "household"
TASKS = load_dataset(SUITE).tasks


def family(task: Task) -> str:
    return str(task.metadata["family"])


def test_making_it_again_gives_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "examples/make_suite.py", str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    made = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    kept = {p.relative_to(SUITE): p.read_bytes() for p in SUITE.rglob("*") if p.is_file()}
    assert sorted(made) == sorted(kept)
    assert [name for name in made if made[name] != kept[name]] == []


def test_size_and_families() -> None:
    families = Counter(map(family, TASKS))
    assert len(TASKS) >= 24
    assert len(families) >= 6
    assert min(families.values()) >= 5
    for name in families:
        parts = Counter(t.metadata["part"] for t in TASKS if family(t) == name)
        assert set(parts) == {"learn", "test"}
        assert min(parts.values()) >= 2
    assert {file.suffix for task in TASKS for file in task.files} >= {".csv", ".xlsx", ".json", ".txt", ".zip"}


def test_it_is_small_and_holds_nothing_else() -> None:
    kept = {p.name for p in SUITE.rglob("*") if p.is_file()}
    assert kept == {file.name for task in TASKS for file in task.files} | {"metadata.jsonl"}
    assert sum(p.stat().st_size for p in SUITE.rglob("*") if p.is_file()) < 300_000


def test_siblings_have_files_and_answers_of_their_own() -> None:
    assert len({task.files for task in TASKS}) == len(TASKS)
    for name in set(map(family, TASKS)):
        answers = [task.reference for task in TASKS if family(task) == name]
        assert len(set(answers)) >= len(answers) - 2, name


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_the_answer_found_from_the_file_alone(task: Task) -> None:
    assert Decimal(SOLVERS[family(task)](task)) == Decimal(task.reference or "nan")


def _takings(task: Task) -> str:
    rows = csv.DictReader(io.StringIO(task.files[0].read_text()), delimiter=";")
    branch = re.findall(r"branch (\w+)", task.question)[0]
    amounts = [Decimal(r["amount"].replace(",", ".")) for r in rows if r["status"] == "ok" and r["branch"] == branch]
    return _two(_sum_or_mean(amounts, "mean" in task.question))


def _stock(task: Task) -> str:
    bay = re.findall(r"bay ([A-Z])", task.question)[0]
    rows = [row for row in _sheet(task.files[0])[1:] if row[1] == bay]
    return _two(sum((Decimal(str(weight)) / (1000 if unit == "g" else 1) for _, _, weight, unit in rows), Decimal()))


def _orders(task: Task) -> str:
    data = json.loads(task.files[0].read_text())
    town = re.findall(r"town is (\w+)", task.question)[0]
    orders = [order for order in data["orders"] if order["town"] == town]
    return _two(Decimal(sum(order["count"] * data["prices_in_cents"][order["item"]] for order in orders)) / 100)


def _rota(task: Task) -> str:
    person = re.findall(r"did (\w+) work", task.question)[0]
    minutes = 0
    for line in task.files[0].read_text().splitlines():
        if match := re.fullmatch(rf"\S+ {person} (\d+):(\d+) (\d+):(\d+)", line):
            h1, m1, h2, m2 = map(int, match.groups())
            minutes += h2 * 60 + m2 - h1 * 60 - m1
    return _two(Decimal(minutes) / 60)


def _diary(task: Task) -> str:
    word = re.findall(r"'(\w+)'", task.question)[0]
    with zipfile.ZipFile(task.files[0]) as archive:
        counts = [len(re.findall(rf"(?i)\b{word}\b", archive.read(name).decode())) for name in archive.namelist()]
    return str(sum(map(bool, counts)) if "how many pages" in task.question else sum(counts))


def _deliveries(task: Task) -> str:
    carrier = re.findall(r"carrier (\w+)", task.question)[0]
    days = [
        Decimal((_day(row["arrived"]) - _day(row["sent"])).days)
        for row in csv.DictReader(io.StringIO(task.files[0].read_text()))
        if row["carrier"] == carrier
    ]
    return str(max(days)) if "largest" in task.question else _two(_sum_or_mean(days, True))


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%d.%m.%Y")


def _sum_or_mean(values: list[Decimal], mean: bool) -> Decimal:
    return sum(values, Decimal()) / (len(values) if mean else 1)


def _two(value: Decimal) -> str:
    return str(round(value, 2))


def _sheet(path: Path) -> list[list[str]]:
    openpyxl = pytest.importorskip("openpyxl")
    return [list(row) for row in openpyxl.load_workbook(path).active.iter_rows(values_only=True)]


SOLVERS = {
    "takings": _takings,
    "stock": _stock,
    "orders": _orders,
    "rota": _rota,
    "diary": _diary,
    "deliveries": _deliveries,
}
