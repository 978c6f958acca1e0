"""Which past successes are tried again, and when an attempt is the same again."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from agentfly.nodes.replays import ranked
from agentfly.protocols import Solved
from agentfly.types import Task


def solved(name: str, shown: tuple[str, ...] = (), cited: tuple[str, ...] = ()) -> Solved:
    return Solved(run=f"run-{name}", task=Task("q", id=name), reward=1.0, shown=shown, cited=cited)


def order(found: list[Solved]) -> list[str]:
    return [one.task.id for one in found]


def test_citing_and_near_ones_take_turns_then_come_those_that_were_shown_the_bullet() -> None:
    past = [
        solved("other"),
        solved("shown", shown=("str-00001",)),
        solved("near"),
        solved("cited", cited=("str-00001",)),
    ]
    found = ranked(past, [["gone", "near"]], frozenset({"str-00001"}), random.Random(0))
    assert order(found) == ["cited", "near", "shown", "other"]


def test_each_rule_of_a_delta_gets_its_turn() -> None:
    past = [solved(name) for name in "abcdef"]
    found = ranked(past, [["a", "b", "c"], ["d", "a"], ["e"]], frozenset(), random.Random(0))
    assert order(found)[:5] == ["a", "d", "e", "b", "c"]


names = st.lists(st.sampled_from("abcdefghij"), max_size=10)


@given(past=st.sets(st.sampled_from("abcdefghij")), near=st.lists(names, max_size=4), seed=st.integers(0, 99))
def test_every_past_success_stands_once_in_the_order_and_a_seed_fixes_it(
    past: set[str], near: list[list[str]], seed: int
) -> None:
    items = [solved(name) for name in sorted(past)]
    found = ranked(items, near, frozenset(), random.Random(seed))
    assert sorted(order(found)) == sorted(past)
    assert order(ranked(items, near, frozenset(), random.Random(seed))) == order(found)
