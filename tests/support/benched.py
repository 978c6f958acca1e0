"""Folders of benchmark results, made by hand with the writer that a runner uses."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from agentfly.bench.configuration import configuration
from agentfly.bench.folder import ResultsWriter
from agentfly.bench.results import Result
from agentfly.types import Attempt, Feedback, RunResult, Step, Task, Usage

SELECTED = tuple({"task_id": f"t{n}", "level": str(1 + n % 3), "judged": True} for n in range(12))
DECIDES: Mapping[str, Any] = {
    "dataset": {"name": "twelve", "hash": "d" * 64},
    "mode": "frozen",
    "order": "given",
    "seed": 0,
    "model": "embedded",
    "strategy": "codeact",
    "scorer": "gaia",
    "home": None,
    "prompts": "e" * 64,
    "settings": {"limits": {"steps": 6, "seconds": 300.0, "tokens": None}},
}
ABOUT: Mapping[str, Any] = {
    "sandbox": "bubblewrap",
    "code": {"commit": "0123456789abcdef", "dirty": True},
    "versions": {"agentfly": "0.6.0", "python": "3.11.9"},
    "notes": [],
}


def config(tasks: Iterable[Any] = SELECTED, attempts: int = 1, **decides: Any) -> dict[str, Any]:
    """A configuration of a selection of tasks."""
    return configuration({**DECIDES, "tasks": list(tasks), "attempts": attempts, **decides}, ABOUT)


def result(task: str, attempt: int = 0, verdict: str = "correct", **more: Any) -> Result:
    """A result with 120 tokens in two seconds, unless told otherwise."""
    told: dict[str, Any] = {
        "answer": "21" if verdict == "correct" else None if verdict in ("no_answer", "error") else "22",
        "reward": float(verdict == "correct"),
        "source": "reference",
        "run_id": f"run-{task}-{attempt}",
        "usage": Usage(calls=1, prompt_tokens=100, completion_tokens=20, cost_usd=0.001, seconds=1.5),
        "seconds": 2.0,
        "steps": 1,
        "calls": {"python": 1},
        "started": 1_700_000_000.0 + attempt,
    }
    return Result(task_id=task, attempt=attempt, verdict=verdict, **(told | more))  # type: ignore[arg-type]


def record(one: Result, question: str = "", text: str = "") -> RunResult:
    """The record of the run behind a result."""
    step = Step(
        index=0,
        thought=f"Three sevens are wanted. {text}",
        action=f"print(3 * 7)  # {text}",
        observation=f"21 {text}",
        final=True,
        usage=one.usage,
        seconds=0.25,
    )
    task = Task(
        question or f"What is three times seven? ({one.task_id}) {text}",
        reference="21",
        id=one.task_id,
        level=one.level,
    )
    return RunResult(
        run_id=one.run_id, status="answered", answer=one.answer, reward=one.reward, steps=1, usage=one.usage, task=task,
        attempt=Attempt(task_id=one.task_id, steps=(step,), answer=one.answer, status="answered", shown_cases=("case-0007",)),
        feedback=Feedback(reward=one.reward or 0.0, source="reference"),
    )  # fmt: skip


def write(folder: Path, results: Iterable[Result], *, text: str = "", finish: bool = True, **about: Any) -> Path:
    """A folder with these results, each with its record.

    Args:
        folder: made where it is missing.
        results: at tasks of the selection.
        text: put wherever a model or a dataset could have written it.
        finish: whether the runner got to its end.
        about: see `config`.
    """
    with ResultsWriter(folder, config(**about)) as writer:
        writer.add((one, record(one, text=text)) for one in results)
        if finish:
            writer.finish()
    return folder


def varied(seed: int = 0, attempts: int = 1, tasks: int = 12, skill: float = 0.5, levels: int = 3) -> list[Result]:
    """Results of all kinds at tasks ``t0``, ``t1``, …; the same seed gives the same."""
    draw = random.Random(seed)
    found = []
    for number in range(tasks):
        for attempt in range(attempts):
            verdict = (
                "correct" if draw.random() < skill else draw.choice(["wrong", "wrong", "limit", "error", "no_answer"])
            )
            tokens = int(draw.lognormvariate(7, 0.6))
            usage = Usage(
                calls=2, prompt_tokens=tokens, completion_tokens=tokens // 5, cost_usd=tokens * 2e-6, seconds=3.0
            )
            found.append(
                result(
                    f"t{number}", attempt, verdict, usage=usage, seconds=draw.lognormvariate(2, 0.7), steps=draw.randrange(1, 6),
                    calls={"python": draw.randrange(1, 4), **({"web": 1} if draw.random() < 0.3 else {})},
                    scores={"f1": draw.random(), "edit_similarity": draw.random()}, confidence=draw.random(),
                    level=str(1 + number % levels), started=1_700_000_000.0 + number,
                    error="the limit of steps was reached" if verdict == "limit" else "",
                )
            )  # fmt: skip
    return found
