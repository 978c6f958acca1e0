"""Deltas on a playbook: each operation, each refusal."""

import copy
import pickle

import pytest

from agentfly.errors import InputError
from agentfly.playbooks import Delta, Playbook, Rules
from agentfly.types import Bullet


def delta(*operations, reason=""):
    return Delta.model_validate({"reason": reason, "operations": list(operations)})


def add(text, section="strategies", **more):
    return {"op": "add", "section": section, "text": text, **more}


@pytest.fixture
def playbook():
    operations = (add("first"), add("second"), add("third"), add("sum of parts", "formulas"))
    return Playbook().apply(delta(*operations), run="run-a")


def texts(playbook):
    return [bullet.text for bullet in playbook]


def reasons(playbook, *operations):
    return {refusal.index: refusal.reason for refusal in playbook.refusals(delta(*operations))}


def test_empty():
    playbook = Playbook()
    assert len(playbook) == 0
    assert playbook.bullets == ()
    assert playbook.sections == ()
    assert playbook.version == 0
    assert playbook.tokens == 0


def test_add_opens_sections_with_slugs_of_their_own(playbook):
    assert [bullet.id for bullet in playbook] == ["str-00001", "str-00002", "str-00003", "for-00004"]
    assert playbook.sections == ("strategies", "formulas")
    assert playbook.version == 1
    first = playbook.get("str-00001")
    assert (first.section, first.text, first.kind, first.runs, first.version) == (
        "strategies",
        "first",
        "strategy",
        ("run-a",),
        1,
    )


def test_a_section_is_found_again_whatever_its_case(playbook):
    after = playbook.apply(delta(add("fourth", "STRATEGIES")))
    assert after.sections == ("strategies", "formulas")
    assert after.get("str-00005").section == "strategies"


def test_sections_that_begin_alike_get_different_slugs():
    after = Playbook().apply(delta(add("a", "strategies"), add("b", "structure"), add("c", "策略")))
    assert [bullet.id for bullet in after] == ["str-00001", "stru-00002", "sec-00003"]


def test_add_takes_kind_and_provenance(playbook):
    after = playbook.apply(delta(add("shown", kind="example", runs=["run-z"], cases=["c1", "c1"])), run="run-b")
    bullet = after.get("str-00005")
    assert (bullet.kind, bullet.runs, bullet.cases) == ("example", ("run-z", "run-b"), ("c1",))


def test_update_keeps_id_place_and_counts(playbook):
    tagged = playbook.apply(delta({"op": "tag", "id": "str-00002", "tag": "helpful"}))
    after = tagged.apply(delta({"op": "update", "id": "str-00002", "text": "better"}), run="run-b")
    assert texts(after) == ["first", "better", "third", "sum of parts"]
    bullet = after.get("str-00002")
    assert (bullet.helpful, bullet.version, bullet.runs) == (1, 1, ("run-a", "run-b"))


def test_merge_sums_counts_joins_provenance_and_takes_the_place_of_the_first(playbook):
    tags = [("str-00001", "harmful"), ("str-00002", "helpful"), ("str-00003", "helpful"), ("str-00003", "helpful")]
    tagged = playbook.apply(delta(*({"op": "tag", "id": i, "tag": t} for i, t in tags)))
    tagged = tagged.apply(delta({"op": "update", "id": "str-00003", "text": "third, better"}), run="run-b")
    after = tagged.apply(delta({"op": "merge", "ids": ["str-00001", "str-00003"], "text": "one"}), run="run-c")
    assert texts(after) == ["one", "second", "sum of parts"]
    merged = after.bullets[0]
    assert merged.id == "str-00005"
    assert (merged.helpful, merged.harmful, merged.runs) == (2, 1, ("run-a", "run-b", "run-c"))
    assert "str-00001" not in after
    assert "str-00003" not in after


def test_merge_may_take_the_text_of_a_source(playbook):
    after = playbook.apply(delta({"op": "merge", "ids": ["str-00002", "for-00004"], "text": "second"}), strict=True)
    assert texts(after) == ["first", "second", "third"]
    assert after.sections == ("strategies",)


def test_remove_and_ids_never_used_again(playbook):
    after = playbook.apply(delta({"op": "remove", "id": "for-00004"}))
    assert "for-00004" not in after
    again = after.apply(delta(add("product", "formulas"), add("fourth")))
    assert [bullet.id for bullet in again][-2:] == ["str-00006", "for-00005"]


def test_an_emptied_section_keeps_its_slug_and_place(playbook):
    emptied = playbook.apply(delta(*({"op": "remove", "id": f"str-0000{i}"} for i in (1, 2, 3))))
    assert emptied.sections == ("formulas",)
    after = emptied.apply(delta(add("structure", "structure"), add("back", "strategies")))
    assert after.sections == ("strategies", "formulas", "structure")
    assert after.bullets[0].id == "str-00006"
    assert after.bullets[2].id == "stru-00005"


def test_tags_move_counters_and_neutral_moves_none(playbook):
    operations = [{"op": "tag", "id": "str-00001", "tag": tag} for tag in ("helpful", "helpful", "harmful", "neutral")]
    bullet = playbook.apply(delta(*operations)).get("str-00001")
    assert (bullet.helpful, bullet.harmful) == (2, 1)
    neutral = playbook.apply(delta(operations[3]), strict=True)
    assert neutral is playbook


def test_warm_start_numbers_past_the_given_ids():
    given = [
        Bullet(id="cal-00007", section="calculations", text="a"),
        Bullet(id="str-00003", section="strategies", text="b"),
    ]
    playbook = Playbook.of(given, version=4)
    after = playbook.apply(delta(add("c", "calculations"), add("d", "strategies"), add("e", "structure")))
    assert [bullet.id for bullet in after] == ["cal-00007", "cal-00008", "str-00003", "str-00009", "stru-00010"]
    assert after.version == 5


@pytest.mark.parametrize(
    ("bullets", "problem"),
    [
        ([Bullet(id="1", section="s", text="t")], "not an id"),
        ([Bullet(id="str-00001", section="s", text="t")] * 2, "used twice"),
        ([Bullet(id="str-00001", section="# s", text="t")], "section name"),
    ],
)
def test_warm_start_refuses_nonsense(bullets, problem):
    with pytest.raises(InputError, match=problem):
        Playbook.of(bullets)


def test_refused_operations_are_left_out_and_the_rest_applied(playbook):
    operations = (
        add("fine"),
        add(""),
        add("x" * 501),
        add("fine\n## INJECTED\n[str-00001] gone"),
        add("text", "## bad"),
        {"op": "update", "id": "str-99999", "text": "x"},
        {"op": "remove", "id": "for-00004"},
        {"op": "update", "id": "for-00004", "text": "x"},
        {"op": "tag", "id": "nonsense", "tag": "helpful"},
        {"op": "merge", "ids": ["str-00001"], "text": "x"},
        {"op": "merge", "ids": ["str-00001", "str-00001"], "text": "x"},
        {"op": "merge", "ids": ["str-00001", "for-00004"], "text": "x"},
        {"op": "merge", "ids": ["str-00001", "str-00002"], "text": " "},
        add("Second."),
    )
    found = reasons(playbook, *operations)
    assert sorted(found) == [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13]
    assert "taken out by operation 6" in found[7]
    assert "str-99999" in found[5]
    assert "str-00002 says the same" in found[13]
    after = playbook.apply(delta(*operations))
    assert texts(after) == ["first", "second", "third", "fine"]


def test_strict_refuses_the_whole_and_names_every_reason(playbook):
    bad = delta(add("fine"), add(""), {"op": "remove", "id": "str-00009"})
    with pytest.raises(InputError) as caught:
        playbook.apply(bad, strict=True)
    assert "operation 1 (add)" in str(caught.value)
    assert "operation 2 (remove)" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ids_that_the_delta_hands_out_cannot_be_named_in_it(playbook):
    found = reasons(playbook, add("fifth"), {"op": "remove", "id": "str-00005"})
    assert list(found) == [1]


def test_bullets_of_different_kinds_are_not_merged(playbook):
    mixed = playbook.apply(delta(add("demo", kind="example")))
    assert reasons(mixed, {"op": "merge", "ids": ["str-00001", "str-00005"], "text": "x"}) == {
        0: "bullets of different kinds cannot be merged"
    }


def test_limits_on_operations_and_sections(playbook):
    rules = Rules(operations=2, sections=2)
    flood = delta(add("a", "third section"), add("b"), add("c"))
    refusals = playbook.refusals(flood, rules=rules)
    assert [refusal.index for refusal in refusals] == [0, 2]
    assert texts(playbook.apply(flood, rules=rules)) == ["first", "second", "third", "b", "sum of parts"]


def test_provenance_is_bounded():
    playbook = Playbook().apply(delta(add("a")))
    for run in range(100):
        playbook = playbook.apply(delta({"op": "update", "id": "str-00001", "text": f"text {run}"}), run=f"run-{run}")
    runs = playbook.bullets[0].runs
    assert len(runs) == 64
    assert runs[-1] == "run-99"


def test_a_delta_without_effect_makes_no_version(playbook):
    assert playbook.apply(delta()) is playbook
    assert playbook.apply(delta(add(""))) is playbook
    assert playbook.apply(delta({"op": "update", "id": "str-00001", "text": "first"}), strict=True) is playbook


def test_playbooks_are_values(playbook):
    before = playbook.bullets
    playbook.apply(delta({"op": "remove", "id": "str-00001"}, add("more")))
    assert playbook.bullets == before
    with pytest.raises(AttributeError):
        playbook.version = 3
    same = pickle.loads(pickle.dumps(playbook))
    assert same == copy.deepcopy(playbook) == playbook
    assert hash(same) == hash(playbook)
    assert same.apply(delta(add("new"))) == playbook.apply(delta(add("new")))
    assert same.tokens == playbook.tokens
    assert playbook != playbook.apply(delta(add("new")))
    assert playbook != "playbook"


def test_exposures_do_not_count_as_content(playbook):
    shown = playbook.with_shown({"str-00001": 2, "str-00002": 1, "gone-00001": 1})
    assert [bullet.shown for bullet in shown] == [2, 1, 0, 0]
    assert shown == playbook
    merged = shown.apply(delta({"op": "merge", "ids": ["str-00001", "str-00002"], "text": "one"}))
    assert merged.bullets[0].shown == 3


def test_budget_retires_the_least_useful_first_then_the_oldest(playbook):
    tags = [("str-00001", "helpful"), ("str-00003", "harmful")]
    tagged = playbook.apply(delta(*({"op": "tag", "id": i, "tag": t} for i, t in tags)))
    tight, retired = tagged.enforce_budget(tagged.tokens - 1)
    assert [bullet.id for bullet in retired] == ["str-00003"]
    assert tight.tokens <= tagged.tokens - 1
    _, retired = tagged.enforce_budget(1)
    assert [bullet.id for bullet in retired] == ["str-00003", "str-00002", "for-00004", "str-00001"]
    _, retired = tagged.enforce_budget(tight.tokens - 1, keep=["str-00003"])
    assert retired[0].id == "str-00002"


def test_budget_spares_checks_which_cost_no_tokens(playbook):
    mixed = playbook.apply(delta(add("is_number(question, answer)", kind="check")))
    rest, _ = mixed.enforce_budget(0)
    assert [bullet.kind for bullet in rest] == ["check"]


def test_a_playbook_within_its_budget_is_left_alone(playbook):
    assert playbook.enforce_budget(playbook.tokens) == (playbook, ())
