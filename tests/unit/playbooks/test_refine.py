"""Near-duplicates: what counts as one, and what becomes of the bullets that are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentfly.playbooks import Delta, Playbook
from agentfly.playbooks.changes import invert
from agentfly.playbooks.operations import carry_out
from agentfly.playbooks.refine import merging, sense
from agentfly.types import Bullet


def delta(*operations):
    return Delta.model_validate({"operations": list(operations)})


def add(text, section="strategies", **more):
    return {"op": "add", "section": section, "text": text, **more}


@pytest.fixture
def playbook():
    book = Playbook().apply(delta(add("Round at the end."), add("Cite the file.", cases=["c1"])), run="run-a")
    return book.apply(delta({"op": "tag", "id": "str-00001", "tag": "helpful"}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Round to 2 places.", "Round to 3 places."),
        ("Round to two places.", "Round to three places."),
        ("Always round the mean.", "Never round the mean."),
        ("Do round the mean.", "Don't round the mean."),
        ("Take the first row.", "Take the last row."),
        ("Use 2, not 3.", "Use 3, not 2."),
        ("Multiply by 1.5 at last.", "Multiply by 15 at last."),
    ],
)
def test_what_must_never_be_merged(one, other):
    assert sense(one) != sense(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Round to two places.", "Please round to 2 places!"),
        ("Do not round early.", "Never round early."),
        ("Don’t guess.", "Do not guess."),
        ("Read the whole table.", "Read the entire table."),
    ],
)
def test_what_may_be_merged(one, other):
    assert sense(one) == sense(other)


def test_an_addition_that_is_nearly_there_becomes_part_of_what_is_there(playbook):
    near = add("Round only at the end", "formats", runs=["run-z"], cases=["c9"])
    outcome = carry_out(playbook, delta(near, add("New.")), run="run-b", neighbours={0: ["str-00001"]})
    assert [bullet.id for bullet in outcome.playbook] == ["str-00001", "str-00002", "str-00003"]
    kept = outcome.playbook.get("str-00001")
    assert (kept.text, kept.section, kept.helpful, kept.version) == ("Round at the end.", "strategies", 1, 1)
    assert (kept.runs, kept.cases) == (("run-a", "run-z", "run-b"), ("c9",))
    assert [str(line) for line in outcome.merged] == [
        "operation 0 (add): nearly the same as str-00001, and merged into it"
    ]
    assert outcome.refusals == ()


def test_the_same_words_join_their_provenance_too(playbook):
    same = delta(add("round at the end"))
    outcome = carry_out(playbook, same, run="run-b", neighbours={})
    assert outcome.playbook.get("str-00001").runs == ("run-a", "run-b")
    assert carry_out(playbook, same, run="run-b").refusals, "by its letter it is refused"


def test_within_one_delta(playbook):
    twice = delta(add("Sort it."), add("Sort them."), add("Sort all of it."))
    outcome = carry_out(playbook, twice, run="run-b", neighbours={1: [0], 2: [1]})
    assert [bullet.text for bullet in outcome.playbook][2:] == ["Sort it."]
    assert [line.reason.split()[4].rstrip(",") for line in outcome.merged] == ["str-00003", "str-00003"]


def test_what_the_delta_itself_changed_is_no_longer_near(playbook):
    gone = delta({"op": "remove", "id": "str-00001"}, add("Round only at the end."))
    assert carry_out(playbook, gone, neighbours={1: ["str-00001"]}).playbook.get("str-00003")
    says_else = delta({"op": "update", "id": "str-00001", "text": "Sort it."}, add("Round only at the end."))
    assert carry_out(playbook, says_else, neighbours={1: ["str-00001"]}).playbook.get("str-00003")
    next_best = carry_out(playbook, gone, neighbours={1: ["str-00001", "str-00002"]})
    assert next_best.merged[0].reason.startswith("nearly the same as str-00002")


def test_kinds_and_texts_that_are_refused_are_not_merged(playbook):
    outcome = carry_out(
        playbook, delta(add("Round.", kind="example"), add("")), neighbours={0: ["str-00001"], 1: ["str-00001"]}
    )
    assert len(outcome.playbook) == 3
    assert [refusal.index for refusal in outcome.refusals] == [1]
    assert outcome.merged == ()


def test_merging_takes_the_best_text_and_the_oldest_place():
    bullets = [
        Bullet(id="str-00001", section="a", text="old", helpful=1, harmful=1, shown=4, runs=("r1",), version=1),
        Bullet(id="str-00002", section="a", text="other", version=1),
        Bullet(id="for-00003", section="b", text="best", helpful=5, shown=9, runs=("r2",), cases=("c",), version=2),
    ]
    book = Playbook.of(bullets, version=2)
    after = book.apply(merging(book, [["for-00003", "str-00001", "gone-00009"], ["str-00002"]]), strict=True)
    assert [bullet.text for bullet in after] == ["best", "other"]
    merged = after.bullets[0]
    assert (merged.section, merged.helpful, merged.harmful, merged.shown) == ("a", 6, 1, 13)
    assert (merged.runs, merged.cases) == (("r1", "r2"), ("c",))


TEXT = st.sampled_from(["a", "b", "c", "d", "e", "f", "", "## x"])
OPERATION = st.one_of(
    st.builds(
        lambda text, kind, run: add(text, kind=kind, runs=[run]), TEXT, st.sampled_from(["strategy", "example"]), TEXT
    ),
    st.builds(lambda n, text: {"op": "update", "id": f"str-{n:05d}", "text": text}, st.integers(1, 6), TEXT),
    st.builds(lambda n: {"op": "remove", "id": f"str-{n:05d}"}, st.integers(1, 6)),
    st.builds(lambda n: {"op": "tag", "id": f"str-{n:05d}", "tag": "helpful"}, st.integers(1, 6)),
)
NEIGHBOURS = st.dictionaries(
    st.integers(0, 9),
    st.lists(st.one_of(st.integers(1, 8).map("str-{:05d}".format), st.integers(0, 9)), max_size=3),
    max_size=8,
)
SEED = Playbook().apply(delta(*(add(f"seed {n}", kind=("strategy", "example")[n % 2]) for n in range(4))), run="r0")


@given(st.lists(OPERATION, max_size=10).map(lambda ops: delta(*ops)), NEIGHBOURS)
@settings(max_examples=250)
def test_refining_loses_nothing(change, neighbours):
    outcome = carry_out(SEED, change, run="r1", neighbours=neighbours)
    assert outcome == carry_out(SEED, change, run="r1", neighbours=neighbours)
    after = outcome.playbook
    named = {operation.id for operation in change.operations if operation.op != "add"}
    for bullet in SEED:
        kept = after.get(bullet.id)
        if bullet.id not in named:
            assert kept is not None
            assert (kept.text, kept.helpful, kept.harmful) == (bullet.text, bullet.helpful, bullet.harmful)
        if kept:
            assert set(bullet.runs) <= set(kept.runs)
    refused, merged = ({line.index for line in lines} for lines in (outcome.refusals, outcome.merged))
    assert not refused & merged
    for place, operation in enumerate(change.operations):
        if place in merged:
            assert operation.op == "add"
    taken_out = {op.id for i, op in enumerate(change.operations) if op.op == "remove" and i not in refused}
    if not taken_out:
        learned = {
            run
            for i, op in enumerate(change.operations)
            if op.op == "add" and i not in refused
            for run in op.runs
            if run
        }
        assert learned <= {run for bullet in after for run in bullet.runs}
    back = after.with_changes(invert(outcome.changes), SEED.version)
    assert back.bullets == SEED.bullets


@given(st.lists(OPERATION, max_size=10).map(lambda ops: delta(*ops)))
@settings(max_examples=150)
def test_without_near_duplicates_it_is_plain_application(change):
    plain, refined = carry_out(SEED, change, run="r1"), carry_out(SEED, change, run="r1", neighbours={})
    same_words = {line.index for line in refined.merged}
    assert {r.index for r in plain.refusals} == {r.index for r in refined.refusals} | same_words
    assert [b.text for b in plain.playbook] == [b.text for b in refined.playbook]
    if not same_words:
        assert plain == refined


CLUSTERS = st.permutations(range(8)).flatmap(
    lambda order: st.lists(st.integers(0, 8), max_size=3).map(
        lambda cuts: [order[a:b] for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), 8], strict=True)]
    )
)


@given(CLUSTERS, st.lists(st.integers(0, 5), min_size=16, max_size=16))
@settings(max_examples=100)
def test_merging_conserves_counts_and_provenance_and_is_done_once(clusters, counts):
    bullets = [
        Bullet(
            id=f"str-{n:05d}", section="s", text=f"text {n}", helpful=counts[n], harmful=counts[-n - 1], runs=(f"r{n}",)
        )
        for n in range(8)
    ]
    book = Playbook.of([*bullets])
    named = [[f"str-{n:05d}" for n in cluster] for cluster in clusters]
    change = merging(book, named)
    after = book.apply(change, strict=True)
    for count in ("helpful", "harmful"):
        assert sum(getattr(b, count) for b in after) == sum(getattr(b, count) for b in book)
    assert {run for b in after for run in b.runs} == {run for b in book for run in b.runs}
    assert len(after) == sum(1 for cluster in clusters if cluster)
    assert change == merging(book, [list(reversed(cluster)) for cluster in named])
    assert merging(after, named).operations == ()
