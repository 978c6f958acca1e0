"""Answers on their way to a worker for checks: plain data, in batches that its channel takes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from agentfly.protocols import Subject
from agentfly.types import Step

LARGEST = 3_000_000
"""Bytes of a batch as JSON."""
MOST = 500
"""Answers of a batch."""
_BYTES = 12
"""Most bytes that JSON spends on one character."""


def plain_batches(subjects: Sequence[Subject]) -> Iterator[list[dict[str, Any]]]:
    """The answers in their order, as checks see them.

    Args:
        subjects: any number of answers of any size.

    Yields:
        Batches of at most `MOST` answers and about `LARGEST` bytes. The texts of an answer that alone is larger are cut in
        their middle: checks look at beginnings and ends.
    """
    batch: list[dict[str, Any]] = []
    size = 0
    for subject in subjects:
        data, extent = _fitting(subject)
        if batch and (len(batch) == MOST or size + extent > LARGEST):
            yield batch
            batch, size = [], 0
        batch.append(data)
        size += extent
    if batch:
        yield batch


def _fitting(subject: Subject) -> tuple[dict[str, Any], int]:
    data = _plain(subject, LARGEST)
    size = len(json.dumps(data))
    if size > LARGEST:
        texts = 2 + len(subject.files) + 3 * len(subject.steps)
        data = _plain(subject, LARGEST // (_BYTES * texts))
        size = len(json.dumps(data))
    return data, size


def _plain(subject: Subject, longest: int) -> dict[str, Any]:
    return {
        "question": _cut(subject.question, longest),
        "answer": _cut(subject.answer, longest),
        "steps": [_step(step, longest) for step in subject.steps],
        "files": [_cut(name, longest) for name in subject.files],
    }


def _step(step: Step, longest: int) -> dict[str, Any]:
    return {
        "thought": _cut(step.thought, longest),
        "action": _cut(step.action, longest),
        "observation": _cut(step.observation, longest),
        "error": step.error,
        "final": step.final,
    }


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return text[: longest // 2] + "\n... [cut] ...\n" + text[-(longest // 2) :]
