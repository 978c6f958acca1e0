"""Cases to fill a bank with, for tests and for the processes that they start."""

from __future__ import annotations

from agentfly.types import Case

WORDS = [
    "mean",
    "median",
    "sum",
    "count",
    "close",
    "open",
    "price",
    "volume",
    "date",
    "row",
    "file",
    "sheet",
    "city",
    "country",
    "year",
    "month",
    "ratio",
    "tax",
]


def question(i: int) -> str:
    """A question that shares words with others."""
    return f"{WORDS[i % 18]} of {WORDS[i // 18 % 18]} by {WORDS[i // 7 % 18]} number{i}"


def cases(n: int, start: int = 0) -> list[Case]:
    return [
        Case(question=question(i), solution=f"print({i})", answer=str(i), task_id=f"task-{i}")
        for i in range(start, start + n)
    ]
