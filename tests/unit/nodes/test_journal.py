"""The journal of an attempt, and what needs permission."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.errors import ToolError
from agentfly.generators.budget import Budget
from agentfly.nodes import journal as module
from agentfly.nodes.journal import Kept, opened, paid
from agentfly.nodes.permission import Permissions, Waiting, expanded, permissions_of, settle, undecided, want
from agentfly.protocols import Live, Tool
from agentfly.tools.toolbox import FunctionTool
from agentfly.types import Limits, Pending, Reply, Usage


@dataclass(frozen=True)
class Noted:
    attempt: str
    kind: str
    key: str
    payload: Mapping[str, Any]


@dataclass
class Notes:
    """A journal in memory, of one run."""

    kept: list[Noted] = field(default_factory=list)

    def read(self, run_id: str) -> list[Noted]:
        return list(self.kept)

    def add(self, run_id: str, attempt: str, kind: str, key: str, payload: Mapping[str, Any]) -> None:
        self.kept.append(Noted(attempt, kind, key, dict(payload)))

    def forget(self, run_id: str, attempt: str | None = None) -> None:
        self.kept = [entry for entry in self.kept if attempt is not None and entry.attempt != attempt]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "monotonic", made)
    return made


def counting(risk: Any = "read") -> tuple[Tool, list[Any]]:
    calls: list[Any] = []

    def ask(text: str, fails: bool = False) -> list[str]:
        """Ask."""
        calls.append(text)
        if fails:
            raise ToolError(f"no {text}")
        return [text, str(len(calls))]

    return FunctionTool(ask, risk=risk), calls


def begin(notes: Notes, seen: str = "s", permissions: Permissions | None = None, attempt: str = "0") -> Kept:
    return opened(notes, "run", attempt, seen, permissions or Permissions())


async def say(journal: Kept, text: str, asked: list[str] | None = None) -> Reply:
    async def ask() -> Reply:
        if asked is not None:
            asked.append(text)
        return Reply(text=text, usage=Usage(calls=1, prompt_tokens=5))

    return await journal.reply(ask)


async def test_replies_are_given_again_in_their_order_and_then_live() -> None:
    notes, asked = Notes(), list[str]()
    first = begin(notes)
    for text in "ab":
        await say(first, text, asked)
    again = begin(notes)
    assert again.replaying
    replies = [await say(again, text, asked) for text in "xyz"]
    assert ([reply.text for reply in replies], asked) == (["a", "b", "z"], ["a", "b", "z"])
    assert [reply.usage.calls for reply in replies] == [1, 1, 1]
    assert not again.replaying
    assert [(await say(begin(notes), "q")).text for _ in range(2)] == ["a", "a"]


async def test_a_call_is_known_by_its_tool_its_arguments_and_how_often_it_came() -> None:
    notes, (ask, calls) = Notes(), counting()
    first = begin(notes)
    given = [await first.call(ask, {"text": text}) for text in "aba"]
    assert given == [["a", "1"], ["b", "2"], ["a", "3"]]
    again = begin(notes)
    assert [await again.call(ask, {"text": text}) for text in "baa"] == [given[1], given[0], given[2]]
    assert calls == ["a", "b", "a"]
    assert await again.call(ask, {"text": "a"}) == ["a", "4"]
    assert await again.call(ask, {"text": "c"}) == ["c", "5"]


async def test_the_order_of_the_arguments_says_nothing_and_their_values_do() -> None:
    notes, (ask, calls) = Notes(), counting()
    await begin(notes).call(ask, {"text": "a", "fails": False})
    again = begin(notes)
    await again.call(ask, {"fails": False, "text": "a"})
    assert calls == ["a"]
    await again.call(ask, {"text": "a"})
    assert calls == ["a", "a"]


async def test_an_error_is_a_result_too() -> None:
    notes, (ask, calls) = Notes(), counting()
    for _ in range(2):
        with pytest.raises(ToolError, match="no a"):
            await begin(notes).call(ask, {"text": "a", "fails": True})
    assert calls == ["a"]


async def test_a_bug_of_a_tool_is_no_result() -> None:
    class Broken:
        name, description, schema, risk, calls = "broken", "", {"type": "object"}, "read", 0

        async def call(self, arguments: Mapping[str, Any]) -> Any:
            self.calls += 1
            raise ZeroDivisionError

    notes, broken = Notes(), Broken()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await begin(notes).call(broken, {})  # type: ignore[arg-type]
    assert broken.calls == 2


@given(st.lists(st.sampled_from("abc"), max_size=8), st.data())
def test_whatever_was_done_before_the_end_is_not_done_again(texts: list[str], data: st.DataObject) -> None:
    """An attempt that is cut anywhere and begins again comes to the same, and does each thing once."""

    async def act(journal: Kept, ask: Tool, asked: list[str], until: int) -> list[Any]:
        seen: list[Any] = []
        for text in texts[:until]:
            seen += [(await say(journal, text, asked)).text, await journal.call(ask, {"text": text})]
        return seen

    async def whole() -> None:
        notes, (ask, calls), asked = Notes(), counting("write"), list[str]()
        cuts = data.draw(st.lists(st.integers(0, len(texts)), max_size=3))
        for until in [*cuts, len(texts)]:
            seen = await act(begin(notes), ask, asked, until)
        assert (asked, calls) == (texts, texts)
        assert seen == [one for n, text in enumerate(texts, 1) for one in (text, [text, str(n)])]

    asyncio.run(whole())


async def test_an_attempt_that_sees_something_else_begins_afresh_and_others_stay() -> None:
    notes = Notes()
    await say(begin(notes), "a")
    await say(begin(notes, attempt="1"), "b")
    assert (await say(begin(notes, seen="other"), "c")).text == "c"
    assert (await say(begin(notes, seen="other"), "d")).text == "c"
    assert (await say(begin(notes, attempt="1"), "d")).text == "b"


async def test_what_changes_something_and_was_cut_off_is_told_and_not_done() -> None:
    for risk, told in (("write", True), ("network", True), ("read", False)):
        notes, (ask, calls) = Notes(), counting(risk)
        hung = asyncio.create_task(begin(notes).call(_Hanging(ask), {"text": "a"}))
        await asyncio.sleep(0.05)
        hung.cancel()
        await asyncio.wait([hung])
        again = begin(notes)
        if told:
            with pytest.raises(ToolError, match="cut off"):
                await again.call(ask, {"text": "a"})
            with pytest.raises(ToolError, match="cut off"):
                await begin(notes).call(ask, {"text": "a"})
        assert await again.call(ask, {"text": "a"}) == ["a", "1"]
        assert calls == ["a"]


class _Hanging:
    """A tool that never ends."""

    def __init__(self, tool: Tool) -> None:
        self.name, self.description, self.schema, self.risk = tool.name, "", tool.schema, tool.risk

    async def call(self, arguments: Mapping[str, Any]) -> Any:
        await asyncio.sleep(60)


async def test_time_on_record_counts_once_and_time_between_not_at_all(clock: Clock) -> None:
    notes, (ask, _) = Notes(), counting()
    first = begin(notes)
    budget = Budget(Limits(seconds=60), first.clock)
    clock.now += 10
    await say(first, "a")
    clock.now += 5  # a block of code
    await first.call(ask, {"text": "a"})
    assert budget.seconds_left() == pytest.approx(45)
    clock.now += 1000  # a person thinks
    again = begin(notes)
    budget = Budget(Limits(seconds=60), again.clock)
    assert budget.seconds_left() == pytest.approx(60)
    await say(again, "x")
    assert budget.seconds_left() == pytest.approx(50)
    clock.now += 4  # the block runs again
    assert budget.seconds_left() == pytest.approx(46)
    await again.call(ask, {"text": "a"})
    assert budget.seconds_left() == pytest.approx(45), "its time counts once"
    clock.now += 7
    await say(again, "b")
    assert budget.seconds_left() == pytest.approx(38)


async def test_time_on_record_does_not_turn_the_clock_back(clock: Clock) -> None:
    notes = Notes()
    await say(begin(notes), "a")
    again = begin(notes)
    clock.now += 9  # starting the sandbox took longer this time
    await say(again, "x")
    assert again.clock() == clock.now


def test_live_has_a_clock() -> None:
    assert Live().clock() <= Live().clock()


async def test_only_what_no_finished_attempt_counted_is_still_to_be_paid() -> None:
    notes = Notes()
    for attempt in ("0", "1"):
        await say(begin(notes, attempt=attempt), attempt)
    notes.add("run", "curate", "reply", "k", {"reply": {"text": "c"}})
    assert [reply.text for reply in paid(notes, "run", 1)] == ["1", "c"]
    assert [reply.text for reply in paid(notes, "run", 0)] == ["0", "1", "c"]


# Permission


@pytest.mark.parametrize("risk", ["write", "execute", "network"])
async def test_what_needs_permission(risk: str) -> None:
    ask, calls = counting(risk)
    for permissions, error in (
        (Permissions(mode="never"), ToolError),
        (Permissions(mode="ask"), ToolError),
        (Permissions(mode="ask", can_ask=True), Waiting),
    ):
        with pytest.raises(error):
            await begin(Notes(), permissions=permissions).call(ask, {"text": "a"})
    assert calls == []
    for permissions in (Permissions(), Permissions(mode="ask", always=frozenset({"ask"}))):
        await begin(Notes(), permissions=permissions).call(ask, {"text": "a"})
    assert calls == ["a", "a"]


async def test_reading_needs_none() -> None:
    ask, _ = counting()
    assert await begin(Notes(), permissions=Permissions(mode="never")).call(ask, {"text": "a"}) == ["a", "1"]


async def test_a_verdict_is_on_one_call_with_its_arguments() -> None:
    notes, (ask, calls) = Notes(), counting("write")

    async def attempt(*texts: str) -> Permissions:
        permissions = permissions_of(notes, "run", "ask")
        journal = begin(notes, permissions=permissions)
        for text in texts:
            await journal.call(ask, {"text": text})
        return permissions

    permissions = permissions_of(notes, "run", "ask")
    with pytest.raises(Waiting):
        await begin(notes, permissions=permissions).call(ask, {"text": "a"})
    await want(notes, "run", permissions.wanted)
    await want(notes, "run", permissions.wanted)
    (pending,) = undecided(notes, "run")
    assert (pending.id, pending.arguments, pending.tool) == ("call-1", {"text": "a"}, "ask")
    await settle(notes, "run", lambda value: {"call-1": True})
    assert undecided(notes, "run") == ()
    with pytest.raises(Waiting):
        await attempt("a", "a")
    with pytest.raises(Waiting):
        await attempt("b")
    assert calls == ["a"]


class Stop(Exception):
    pass


async def test_a_stop_goes_on_only_with_a_verdict_on_what_it_asks() -> None:
    notes = Notes()
    await want(notes, "run", {"p": Pending(id="", tool="t", risk="write", arguments={})})
    values: list[Any] = [None, True, {"call-7": True}, "yes"]

    def interrupt(value: Any) -> Any:
        assert [call["id"] for call in value["calls"]] == ["call-1"]
        if not values:
            raise Stop
        return values.pop(0)

    with pytest.raises(Stop):
        await settle(notes, "run", interrupt)
    assert len(undecided(notes, "run")) == 1
    values[:] = [{"call-1": "certainly"}]
    await settle(notes, "run", interrupt)
    assert permissions_of(notes, "run", "ask").decided == {"p": False}, "anything but yes is no"


def test_one_verdict_stands_for_all_and_odd_ones_are_refused() -> None:
    calls = [Pending(id=key, tool="t", risk="write", arguments={}) for key in ("call-1", "call-2")]
    assert expanded(True, calls) == {"call-1": True, "call-2": True}
    assert expanded({"call-2": "always"}, calls) == {"call-2": "always"}
    for decisions in ({"call-3": True}, {"call-1": 1}, {"call-1": None}, "yes"):
        with pytest.raises(ValueError, match="call"):
            expanded(decisions, calls)  # type: ignore[arg-type]
