"""Proposals of several reflections combined: support adds up, conflicts go to the evidence, order makes no difference."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agentfly.playbooks.batch import BatchReply, Combined, Proposal, combine
from agentfly.playbooks.delta import Add, Delta, Merge, Operation, Remove, TagBullet, Update
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.text import fold

IDS = ["str-00001", "str-00002", "str-00003", "str-00004"]
TEXTS = ["Round at the end.", "round at the  end", "Read the file first.", "Check the unit."]

ids = st.sampled_from(IDS)
texts = st.sampled_from(TEXTS)
operations = st.one_of(
    st.builds(Add, section=st.sampled_from(["strategies", "pitfalls"]), text=texts),
    st.builds(Update, id=ids, text=texts),
    st.builds(Merge, ids=st.lists(ids, min_size=2, max_size=3, unique=True).map(tuple), text=texts),
    st.builds(Remove, id=ids),
    st.builds(TagBullet, id=ids, tag=st.sampled_from(["helpful", "harmful", "neutral"])),
)
numbers = st.lists(st.integers(1, 6), min_size=1, max_size=3, unique=True).map(tuple)
proposals = st.lists(
    st.builds(
        Proposal,
        delta=st.lists(operations, max_size=4).map(lambda found: Delta(operations=tuple(found))),
        because=numbers,
    ),
    max_size=8,
)
weights = st.dictionaries(st.integers(1, 6), st.sampled_from([0.0, 0.25, 0.5]), max_size=6)


def one(operation: Operation, *because: int) -> Proposal:
    return Proposal(delta=Delta(operations=(operation,)), because=because)


def add(text: str) -> Add:
    return Add(section="strategies", text=text)


def touched(combined: Combined) -> list[str]:
    found: list[str] = []
    for supported in combined.operations:
        operation = supported.operation
        if isinstance(operation, Merge):
            found += operation.ids
        elif isinstance(operation, Update | Remove):
            found.append(operation.id)
    return found


def test_the_same_rule_said_by_several_is_one_rule_with_their_support() -> None:
    combined = combine([one(add("Round at the end."), 1), one(add("round at  the end"), 3), one(add("Read first."), 2)])
    assert [(said.operation.text, said.because) for said in combined.operations] == [  # type: ignore[union-attr]
        ("Round at the end.", (1, 3)),
        ("Read first.", (2,)),
    ]
    assert combined.lost == ()


def test_one_reflection_counts_once_however_often_it_says_it() -> None:
    combined = combine([one(add("Round."), 1), one(add("Round."), 1), one(add("ROUND"), 1)])
    assert [said.support for said in combined.operations] == [1]


def test_near_duplicates_count_together_and_the_wording_that_lost_is_told() -> None:
    said = [one(add("Round at the end."), 1, 2), one(add("Rounding comes last."), 3), one(add("Read the file."), 4)]

    def alike(a: str, b: str) -> bool:
        return "ound" in a and "ound" in b

    combined = combine(said, alike=alike)
    assert [(s.operation.text, s.support) for s in combined.operations] == [  # type: ignore[union-attr]
        ("Round at the end.", 3),
        ("Read the file.", 1),
    ]
    assert [(lost.operation.text, lost.because) for lost in combined.lost] == [  # type: ignore[union-attr]
        ("Rounding comes last.", (3,))
    ]
    assert "in other words" in combined.lost[0].reason


def test_rules_and_checks_of_one_text_stay_apart() -> None:
    check = Add(section="checks", kind="check", text="is_number(question, answer)")
    rule = Add(section="strategies", text="is_number(question, answer)")
    assert len(combine([one(check, 1), one(rule, 2)]).operations) == 2


def test_conflicts_go_to_support_then_to_evidence_then_to_the_earliest() -> None:
    update, remove = Update(id=IDS[0], text="Better."), Remove(id=IDS[0])
    by_support = combine([one(remove, 1), one(update, 2), one(update, 3)], {1: 0.4})
    assert [said.operation for said in by_support.operations] == [update]
    assert "more support (2 to 1)" in by_support.lost[0].reason
    by_evidence = combine([one(remove, 1), one(update, 2)], {1: 0.1, 2: 0.4})
    assert [said.operation for said in by_evidence.operations] == [update]
    assert "more evidence" in by_evidence.lost[0].reason
    by_age = combine([one(remove, 2), one(update, 1)])
    assert [said.operation for said in by_age.operations] == [update]
    assert "before it" in by_age.lost[0].reason


def test_overlapping_merges_exclude_one_another() -> None:
    a, b = Merge(ids=(IDS[0], IDS[1]), text="One."), Merge(ids=(IDS[1], IDS[2]), text="Two.")
    apart = Merge(ids=(IDS[2], IDS[3]), text="Three.")
    combined = combine([one(a, 1), one(a, 2), one(b, 3), one(apart, 4)])
    assert [said.operation for said in combined.operations] == [a, apart]
    assert [lost.operation for lost in combined.lost] == [b]


def test_tags_come_to_net_counts() -> None:
    said = [one(TagBullet(id=IDS[0], tag="helpful"), n) for n in (1, 2, 3)]
    said += [one(TagBullet(id=IDS[0], tag="harmful"), 4), one(TagBullet(id=IDS[1], tag="harmful"), 1)]
    said += [one(TagBullet(id=IDS[2], tag="helpful"), 1), one(TagBullet(id=IDS[2], tag="harmful"), 2)]
    assert Counter((tag.id, tag.tag) for tag in combine(said).tags) == {(IDS[0], "helpful"): 2, (IDS[1], "harmful"): 1}


@given(proposals, weights, st.integers(0, 2**32))
def test_the_order_of_arrival_makes_no_difference(given: list[Proposal], rewards: dict[int, float], seed: int) -> None:
    shuffled = list(given)
    random.Random(seed).shuffle(shuffled)
    assert combine(shuffled, rewards) == combine(given, rewards)


@given(proposals, weights)
def test_no_bullet_is_changed_twice_and_nothing_vanishes_unsaid(
    given: list[Proposal], rewards: dict[int, float]
) -> None:
    combined = combine(given, rewards)
    assert max(Counter(touched(combined)).values(), default=1) == 1
    told = [*(said.operation for said in combined.operations), *(lost.operation for lost in combined.lost)]

    def meaning(operation: Any) -> tuple[Any, ...]:
        name = frozenset(operation.ids) if isinstance(operation, Merge) else getattr(operation, "id", "")
        return operation.op, name, fold(getattr(operation, "text", ""))

    asked = {
        meaning(operation)
        for proposal in given
        for operation in proposal.delta.operations
        if not isinstance(operation, TagBullet)
    }
    assert {meaning(operation) for operation in told} == asked


@given(proposals, weights)
def test_support_is_that_of_all_who_asked(given: list[Proposal], rewards: dict[int, float]) -> None:
    for said in combine(given, rewards).operations:
        if isinstance(said.operation, Add):
            asked = {
                number
                for proposal in given
                for operation in proposal.delta.operations
                if isinstance(operation, Add) and fold(operation.text) == fold(said.operation.text)
                for number in proposal.because
            }
            assert set(said.because) == asked


@given(proposals)
def test_what_is_left_applies_without_conflicts(given: list[Proposal]) -> None:
    book = Playbook().apply(Delta(operations=tuple(add(f"Rule number {n}.") for n in range(4))))
    found = tuple(said.operation for said in combine(given).operations)
    for refusal in book.refusals(Delta(operations=found)):
        assert "taken out" not in refusal.reason


def test_a_batch_reply_is_read_operation_by_operation() -> None:
    reply = BatchReply.model_validate(
        {
            "reason": "r",
            "operations": [
                {"op": "add", "section": "strategies", "kind": "strategy", "text": "Round.", "because": [1, 2, 9]},
                {"op": "add", "section": "strategies", "text": "Read.", "because": "2"},
                {"op": "dance", "because": [1]},
                {"op": "add", "section": "strategies", "text": "Nobody asked."},
                "add a rule",
                {"op": "add", "section": "s", "text": "Own.", "because": [1], "runs": ["forged"]},
            ],
        }
    )
    found, problems = reply.proposals({1, 2})
    assert [(p.delta.operations[0].text, p.because) for p in found] == [  # type: ignore[union-attr]
        ("Round.", (1, 2)),
        ("Read.", (2,)),
        ("Own.", (1,)),
    ]
    assert found[2].delta.operations[0].runs == (), "provenance is not for a model to say"  # type: ignore[union-attr]
    assert [problem.split(":")[0] for problem in problems] == ["operation 2", "operation 3", "operation 4"]


def test_the_batch_schema_asks_each_operation_what_it_rests_on() -> None:
    variants = BatchReply.model_json_schema()["properties"]["operations"]["items"]["anyOf"]
    assert all("because" in variant["required"] for variant in variants)
    assert all(
        "because" not in v["required"] for v in Delta.model_json_schema()["properties"]["operations"]["items"]["anyOf"]
    )
