"""Makes the demo suite: small files of a fictional shop for household goods, and questions about them, in GAIA's layout.

    python examples/make_suite.py [FOLDER]

Each answer is computed from the rows that the file is written from. The same bytes come out each time.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random

from families import deliveries, diary, orders, rota, stock, takings
from families.common import Item

FAMILIES = {
    "takings": takings.items,
    "stock": stock.items,
    "orders": orders.items,
    "rota": rota.items,
    "diary": diary.items,
    "deliveries": deliveries.items,
}
LEARN = 3
"""The first tasks of each family are to learn from, the others to be tested with."""


def make(folder: Path) -> int:
    """Write the suite under ``folder/2023/validation``; returns the number of tasks."""
    target = folder / "2023" / "validation"
    target.mkdir(parents=True, exist_ok=True)
    rows = []
    for family, items in FAMILIES.items():
        for number, item in enumerate(items(Random(f"finch {family}")), start=1):
            (target / item.file_name).write_bytes(item.content)
            rows.append(_row(family, number, item))
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (target / "metadata.jsonl").write_bytes(text.encode())
    return len(rows)


def _row(family: str, number: int, item: Item) -> dict[str, object]:
    return {
        "task_id": f"{family}-{number}",
        "Question": item.question,
        "Level": item.level,
        "Final answer": item.answer,
        "file_name": item.file_name,
        "family": family,
        "part": "learn" if number <= LEARN else "test",
    }


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "household"
    print(f"{make(where)} tasks in {where}")
