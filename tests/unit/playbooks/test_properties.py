"""What holds for every delta, whatever a model writes."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentfly.errors import InputError
from agentfly.playbooks import Delta, Playbook, PlaybookLedger
from agentfly.playbooks.changes import invert
from agentfly.playbooks.draft import assemble
from agentfly.playbooks.exchange import FORMATS, export_json, held, import_json, recognised, write
from agentfly.playbooks.operations import carry_out
from agentfly.playbooks.playbook import content
from agentfly.playbooks.render import to_markdown
from agentfly.playbooks.sequence import BLOCK, walk
from agentfly.playbooks.tokens import estimate_tokens
from agentfly.store.home import Home

NASTY = st.sampled_from(
    [
        "\n",
        "\r",
        "\u2028",
        "\x00",
        "\x1b[2J",
        "\u202e",
        "\u200b",
        "## ",
        "# ",
        "[str-00001] ",
        "- ",
        "::",
        "\n## STRATEGIES\n",
        "<!--",
        "`",
        "   ",
    ]
)
TEXT = st.one_of(
    st.text(max_size=30),
    st.lists(st.one_of(NASTY, st.text(alphabet="abc ", min_size=1, max_size=8)), max_size=8).map("".join),
    st.integers(0, 60).map(lambda n: f"rule {n}"),
)
LINES = st.lists(TEXT, min_size=2, max_size=4).map("\n".join)
CHECK = st.one_of(
    st.integers(1, 40).map(lambda n: f"len(answer) < {n}"),
    st.integers(1, 9).map(lambda n: f'matches(question, answer, r"\\d{{{n}}}", "Give a number of {n} digits.")'),
    st.integers(1, 9).map(lambda n: f"lines = answer.splitlines()\nlen(lines) <= {n}  # ## lines"),
)
SECTION = st.one_of(st.sampled_from(["strategies", "Strategies", "structure", "formulas", "策略"]), TEXT)
ID = st.one_of(
    st.builds("{}-{:05d}".format, st.sampled_from(["str", "str", "stru", "for", "sec"]), st.integers(1, 12)), TEXT
)
OPERATION = st.one_of(
    st.fixed_dictionaries(
        {"op": st.just("add"), "section": SECTION, "text": TEXT},
        optional={"kind": st.sampled_from(["strategy", "example", "check"]), "cases": st.lists(TEXT, max_size=2)},
    ),
    st.fixed_dictionaries({"op": st.just("add"), "section": SECTION, "text": LINES, "kind": st.just("example")}),
    st.fixed_dictionaries({"op": st.just("add"), "section": SECTION, "text": CHECK, "kind": st.just("check")}),
    st.fixed_dictionaries({"op": st.just("update"), "id": ID, "text": st.one_of(TEXT, LINES, CHECK)}),
    st.fixed_dictionaries({"op": st.just("merge"), "ids": st.lists(ID, max_size=4), "text": TEXT}),
    st.fixed_dictionaries({"op": st.just("remove"), "id": ID}),
    st.fixed_dictionaries({"op": st.just("tag"), "id": ID, "tag": st.sampled_from(["helpful", "harmful", "neutral"])}),
)
DELTA = st.lists(OPERATION, max_size=12).map(lambda operations: Delta.model_validate({"operations": operations}))
SEED = Playbook().apply(
    Delta.model_validate(
        {
            "operations": [
                {"op": "add", "section": section, "text": f"{section} rule {n}"}
                for n in range(4)
                for section in ("strategies", "formulas")
            ]
            + [
                {"op": "add", "section": "checks", "text": "len(answer) < 99", "kind": "check"},
                {"op": "add", "section": "strategies", "text": "Sum it:\n    total = sum(x)", "kind": "example"},
            ]
        }
    )
)
PLAYBOOK = st.lists(DELTA, max_size=3).map(lambda deltas: _grown(SEED, deltas))


def _grown(playbook, deltas):
    for delta in deltas:
        playbook = playbook.apply(delta, run="run-1")
    return playbook


def _named(delta):
    return {i for op in delta.operations for i in (getattr(op, "ids", None) or (getattr(op, "id", ""),))}


@given(PLAYBOOK, DELTA)
@settings(max_examples=200)
def test_apply_is_total_deterministic_and_loses_nothing_unnamed(playbook, delta):
    after = playbook.apply(delta, run="r")
    assert after == playbook.apply(delta, run="r")
    named = _named(delta)
    for bullet in playbook:
        if bullet.id not in named:
            assert after.get(bullet.id) == bullet
    refused = {refusal.index for refusal in playbook.refusals(delta)}
    added = sum(op.op in {"add", "merge"} for i, op in enumerate(delta.operations) if i not in refused)
    gone = sum(
        1 if op.op == "remove" else len(op.ids) if op.op == "merge" else 0
        for i, op in enumerate(delta.operations)
        if i not in refused
    )
    assert len(after) == len(playbook) + added - gone
    fresh = [bullet for bullet in after if bullet.id not in playbook]
    assert all(int(bullet.id.rsplit("-")[1]) >= playbook.next_number for bullet in fresh)


@given(PLAYBOOK, DELTA)
@settings(max_examples=100)
def test_strict_raises_exactly_when_something_is_refused(playbook, delta):
    refusals = playbook.refusals(delta)
    if not refusals:
        assert playbook.apply(delta, strict=True) == playbook.apply(delta)
        return
    with pytest.raises(InputError) as caught:
        playbook.apply(delta, strict=True)
    assert all(str(refusal) in str(caught.value) for refusal in refusals)


@given(PLAYBOOK, DELTA)
@settings(max_examples=150)
def test_changes_lead_forth_and_back_bit_for_bit(playbook, delta):
    outcome = carry_out(playbook, delta)
    forth = playbook.with_changes(outcome.changes, outcome.playbook.version)
    assert forth.bullets == outcome.playbook.bullets
    back = outcome.playbook.with_changes(invert(outcome.changes), playbook.version)
    assert back.bullets == playbook.bullets
    assert back.tokens == playbook.tokens
    assert back.next_number >= outcome.playbook.next_number


@given(PLAYBOOK, DELTA)
@settings(max_examples=100)
def test_only_merges_and_tags_move_counts(playbook, delta):
    tagged = Delta(operations=tuple(op for op in delta.operations if op.op in {"add", "update", "merge"}))
    after = playbook.apply(tagged)
    assert sum(b.helpful for b in after) == sum(b.helpful for b in playbook)
    assert sum(b.harmful for b in after) == sum(b.harmful for b in playbook)
    assert {run for b in playbook for run in b.runs} == {run for b in after for run in b.runs}


@given(PLAYBOOK)
@settings(max_examples=150)
def test_no_text_breaks_lines_sections_or_ids(playbook):
    section, seen = "", []
    for line in playbook.render().split("\n"):
        if line.startswith("## "):
            section = line[3:]
        elif line and not line.startswith("    "):
            label = re.match(r"\[([a-z]+-\d{5})\] ", line)
            assert label, line
            bullet = playbook.get(label[1])
            assert bullet.section == section
            assert bullet.text.split("\n")[0] == line[label.end() :]
            seen.append(bullet.id)
    assert seen == [bullet.id for bullet in playbook if bullet.kind != "check"]
    items = [line for line in to_markdown(playbook).splitlines() if line.startswith("- ")]
    assert len(items) == len(playbook)
    headings = [line[3:] for line in to_markdown(playbook).split("\n") if line.startswith("## ")]
    assert len(headings) == len(playbook.sections)
    assert to_markdown(playbook).count("<!--") == 1


@given(PLAYBOOK, st.integers(0, 200), st.booleans())
@settings(max_examples=150)
def test_render_never_exceeds_its_budget(playbook, budget, ids):
    text = playbook.render(budget=budget, ids=ids)
    assert estimate_tokens(text) <= budget
    if playbook.tokens <= budget:
        assert text == playbook.render(ids=ids)


@given(PLAYBOOK, st.integers(0, 200))
@settings(max_examples=100)
def test_the_stored_budget_is_enforced_and_makes_the_rendering_fit(playbook, budget):
    fitting, retired = playbook.enforce_budget(budget)
    assert fitting.tokens <= budget
    assert estimate_tokens(fitting.render()) <= budget
    assert {b.id for b in fitting} | {b.id for b in retired} == {b.id for b in playbook}
    assert len(fitting) + len(retired) == len(playbook)


@given(PLAYBOOK)
@settings(max_examples=100)
def test_export_and_import_round_trip(playbook):
    again = import_json(export_json(playbook))
    assert again.bullets == playbook.bullets
    assert again.version == playbook.version
    assert again.tokens == playbook.tokens
    for form in FORMATS:
        data = write(playbook, form).encode()
        kept = [(b.section, b.text if "\n" in b.text else " ".join(b.text.split())) for b in held(playbook, form)]
        found, read = recognised(data)
        assert (found, [(b.section, b.text) for b in read]) == (form, kept if form != "json" else _said(playbook))
        if form != "agents":
            assert [(b.id, b.helpful, b.harmful) for b in read] == [
                (b.id, b.helpful, b.harmful) for b in held(playbook, form)
            ]


def _said(playbook):
    return [(bullet.section, bullet.text) for bullet in playbook]


@given(st.lists(st.one_of(DELTA, DELTA, PLAYBOOK, st.integers(0, 99)), max_size=8), st.sampled_from([None, 90]))
@settings(max_examples=60)
def test_every_version_of_every_history_can_be_had_again_bit_for_bit(tmp_path_factory, steps, budget):
    with Home.open(tmp_path_factory.mktemp("home") / "h") as home:
        ledger = PlaybookLedger(home.db, None, budget=budget)
        versions, ids = {0: []}, {}
        for step in steps:
            match step:
                case Delta():
                    done = ledger.commit(step, author="run", run="r")
                case Playbook():
                    done = ledger.replace(step, author="human", reason="as given")
                case number:
                    back = number % (ledger.current().version + 1)
                    done = ledger.rollback(back)
                    assert list(map(content, done.playbook)) == versions[back]
            versions.setdefault(done.version, list(map(content, done.playbook)))
            assert list(map(content, done.playbook)) == versions[done.version]
            assert budget is None or done.playbook.tokens <= budget
            for bullet in done.playbook:
                assert ids.setdefault(bullet.id, (bullet.section, bullet.kind)) == (bullet.section, bullet.kind)
        reopened = PlaybookLedger(home.db, None)
        assert reopened.current().bullets == ledger.current().bullets
        assert reopened.current().tokens == ledger.current().tokens
        assert sorted(versions) == list(range(len(versions)))
        for version, bullets in versions.items():
            assert list(map(content, reopened.at(version))) == bullets
            forth = reopened.at(version).with_changes(reopened.diff(version, len(versions) - 1), 0)
            assert forth.bullets == reopened.current().bullets


@given(PLAYBOOK, DELTA)
@settings(max_examples=100)
def test_what_is_kept_up_to_date_equals_what_is_counted_afresh(playbook, delta):
    after = playbook.apply(delta)
    placed = [(entry.bullet, entry.order[1]) for entry in walk(after.blocks)]
    fresh = assemble([(s.name, s.slug) for s in after.parts.sections], placed, after.next_number)
    assert fresh.tokens == after.tokens
    assert fresh.sizes == after.parts.sizes
    assert fresh.prompted == after.parts.prompted
    assert [e.order for e in walk(after.blocks)] == sorted(e.order for e in walk(after.blocks))


def test_many_bullets_stay_in_order():
    playbook = Playbook()
    for start in range(0, 1000, 100):
        operations = [
            {"op": "add", "section": ["one", "two", "three"][n % 3], "text": f"rule {n}"}
            for n in range(start, start + 100)
        ]
        playbook = playbook.apply(Delta.model_validate({"operations": operations}))
    removed = [{"op": "remove", "id": bullet.id} for bullet in playbook.bullets[::2]]
    playbook = playbook.apply(Delta.model_validate({"operations": removed}), strict=True)
    assert len(playbook) == 500
    assert all(len(block.entries) <= BLOCK for block in playbook.blocks)
    for section in playbook.sections:
        numbers = [int(b.text.split()[1]) for b in playbook if b.section == section]
        assert numbers == sorted(numbers)
