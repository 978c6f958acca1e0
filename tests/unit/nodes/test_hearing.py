from __future__ import annotations

from typing import Any

import pytest

from agentfly.errors import ProviderError
from agentfly.nodes.hearing import Counted
from agentfly.nodes.journal import paid
from agentfly.records import to_data
from agentfly.store.journal import Entry
from agentfly.testing import ScriptedModel
from agentfly.types import Message, Reply, Usage

ASKED = [Message("user", "q")]


async def test_calls_are_counted_failed_ones_too() -> None:
    spent: list[Usage] = []
    failed = ProviderError("503", usage=Usage(calls=2, failed_calls=2))
    model = Counted(ScriptedModel(["yes", failed], name="m"), spent.append)
    assert model.name == "m"
    assert (await model.complete(ASKED)).text == "yes"
    with pytest.raises(ProviderError):
        await model.complete(ASKED)
    assert [usage.calls for usage in spent] == [1, 2]


class Notes:
    """A journal with one reply for each attempt named."""

    def __init__(self, *attempts: str) -> None:
        self.attempts = attempts

    def read(self, run_id: str) -> list[Entry]:
        payload = {"reply": to_data(Reply(text="x"))}
        return [
            Entry(seq=n, attempt=name, kind="reply", key="0", payload=payload) for n, name in enumerate(self.attempts)
        ]

    def add(self, *_: Any) -> None: ...

    def forget(self, *_: Any) -> None: ...


@pytest.mark.parametrize(
    ("finished", "open_"), [(0, ["0", "0.judge", "0.3", "1", "1.judge", "window"]), (1, ["1", "1.judge", "window"]), (2, ["window"])]
)  # fmt: skip
def test_what_judging_a_finished_attempt_cost_is_not_counted_again(finished: int, open_: list[str]) -> None:
    notes = Notes("0", "0.judge", "0.3", "1", "1.judge", "window")
    assert len(paid(notes, "r", finished)) == len(open_)
