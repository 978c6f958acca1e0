"""What a checkpoint gives back is what was put into it."""

from __future__ import annotations

from typing import Any

import pytest

from agentfly.checkpoints import RecordSerializer
from agentfly.protocols import Trial
from agentfly.types import Attempt, Feedback, Task, Usage

TRIAL = Trial(attempt=Attempt(task_id="t", left_out=("str-00001",)), feedback=Feedback(reward=1.0))


@pytest.mark.parametrize(
    "value",
    [
        (),
        ("str-00001", "chk-00002"),
        [1, (2, [3, ()])],
        {"trials": (TRIAL,), "task": Task("q"), "usage": Usage(calls=2), "left_out": ()},
        {"learn": True, "run_id": "a", "reflection": None},
    ],
)
def test_values_come_back_with_their_types(value: Any) -> None:
    serializer = RecordSerializer(allowed_msgpack_modules=None)
    assert serializer.loads_typed(serializer.dumps_typed(value)) == value
