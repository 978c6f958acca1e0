"""What each format holds comes back equal, whatever a bullet says; what is nonsense is refused with its line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentfly.errors import InputError
from agentfly.playbooks import Delta, Playbook
from agentfly.playbooks.exchange import FORMATS, agents, as_delta, detect, held, matched, read, write
from agentfly.types import Bullet

T = TypeVar("T")
PIECES = st.sampled_from(
    [
        "\n", "\n    ", "::", " :: ", "##", "# ", "### x", "[str-00001]", "[x] helpful=1 harmful=2 :: ", "[new] ", "- ", "* ",
        "helpful=3", "<!--", "-->", "&lt;!--", "&amp;lt;!--", agents.BEGIN, agents.END, "`", "```", '"', "\\", "\\n", "{", "}",
        "é", "e\u0301", "数", "👩\u200d🔬", "\u2028", "\u00a0", "\t", "\r\n", "a", "rule", " 1", "|",
    ]
)  # fmt: skip
TEXT = st.one_of(st.text(max_size=25), st.lists(PIECES, min_size=1, max_size=8).map("".join))
SECTION = st.sampled_from(["strategies", "STRATEGIES & INSIGHTS", "formulas", "策略", "a_b", "problem-solving"])
ADVICE = st.builds(
    lambda section, text, kind: {"op": "add", "section": section, "text": text, "kind": kind},
    SECTION,
    TEXT,
    st.sampled_from(["strategy", "strategy", "example"]),
)
CHECK = st.builds(
    lambda text: {"op": "add", "section": "checks", "text": text, "kind": "check"},
    st.sampled_from(
        ["len(answer) < 10", r'matches(question, answer, r"\d+", "Give a number.")', "a = answer\n'#' not in a"]
    ),
)
ADD = st.one_of(ADVICE, ADVICE, CHECK)
TAG = st.builds(
    lambda number, tag: {"op": "tag", "id": f"str-{number:05d}", "tag": tag},
    st.integers(1, 4),
    st.sampled_from(["helpful", "harmful"]),
)


def grown(adds: list[dict[str, str]], tags: list[dict[str, str]]) -> Playbook:
    """Whatever of this a playbook takes, and one bullet that it does."""
    sure = {"op": "add", "section": "strategies", "text": "Round at the end."}
    book = Playbook().apply(Delta.model_validate({"operations": [sure, *adds]}))
    return book.apply(Delta.model_validate({"operations": tags}))


BOOK = st.builds(grown, st.lists(ADD, max_size=8), st.lists(TAG, max_size=8))
laws = settings(max_examples=60)


def result(call: Callable[[], T]) -> T | str:
    """What a reading gives, or why it is refused; any other error is one of ours."""
    try:
        return call()
    except InputError as problem:
        return str(problem)


def spaced(text: str) -> str:
    """What has one line is read as a strategy, where runs of spaces become one."""
    return text if "\n" in text else " ".join(text.split())


def advice(book: Playbook) -> list[Bullet]:
    return [bullet for bullet in book if bullet.kind != "check"]


@given(BOOK)
@laws
def test_ace_holds_id_section_counts_and_text(book: Playbook) -> None:
    again = read(write(book, "ace").encode())
    assert detect(write(book, "ace")) == "ace"
    assert [(b.id, b.section, b.helpful, b.harmful, b.text) for b in again] == [
        (b.id, b.section, b.helpful, b.harmful, spaced(b.text)) for b in advice(book)
    ]


@given(BOOK)
@laws
def test_kayba_holds_id_section_counts_and_text(book: Playbook) -> None:
    again = read(write(book, "kayba").encode())
    want = [(b.id, b.helpful, b.harmful, spaced(b.text)) for b in advice(book)]
    assert [(b.id, b.helpful, b.harmful, b.text) for b in again] == want
    assert [b.section for b in again] == [b.section for b in advice(book)]


@given(BOOK)
@laws
def test_agents_holds_section_and_text(book: Playbook) -> None:
    again = read(write(book, "agents").encode())
    assert [(b.section, b.text) for b in again] == [(b.section, spaced(b.text)) for b in advice(book)]


@given(BOOK)
@laws
def test_our_json_holds_all(book: Playbook) -> None:
    again = read(write(book, "json").encode())
    assert again.bullets == book.bullets
    assert again.version == book.version


@given(BOOK, st.sampled_from(FORMATS))
@laws
def test_as_a_delta_every_text_is_stored_the_same(book: Playbook, form: str) -> None:
    wanted = read(write(book, form).encode())  # type: ignore[arg-type]
    after = Playbook().apply(as_delta(wanted), strict=True)
    assert [(b.section, b.text, b.kind) for b in after] == [(b.section, b.text, b.kind) for b in wanted]


@given(BOOK, st.sampled_from(FORMATS))
@laws
def test_a_file_means_what_is_there_where_nothing_was_changed(book: Playbook, form: str) -> None:
    again = matched(book, read(write(book, form).encode()), form)  # type: ignore[arg-type]
    assert again.bullets == tuple(b for b in book if form == "json" or b.kind != "check")


@given(BOOK, BOOK, st.sampled_from(["ace", "kayba", "agents"]))
@laws
def test_what_a_file_says_counts_and_the_rest_stays(base: Playbook, other: Playbook, form: str) -> None:
    wanted = read(write(other, form).encode())  # type: ignore[arg-type]
    meant = matched(base, wanted, form)
    assert [(b.section, spaced(b.text)) for b in meant] == [(b.section, spaced(b.text)) for b in wanted]
    for bullet, said in zip(meant, wanted, strict=True):
        before = base.get(bullet.id)
        if form == "agents":
            assert (before is None) == all(
                spaced(b.text) != spaced(said.text) or b.section != said.section for b in base
            )
            assert bullet.helpful == (before.helpful if before else 0)
        else:
            assert (bullet.id, bullet.helpful, bullet.harmful) == (said.id, said.helpful, said.harmful)
        if before and before.section == bullet.section and before.kind == bullet.kind:
            assert (bullet.shown, bullet.version, bullet.runs) == (before.shown, before.version, before.runs)


@given(st.binary(max_size=300), BOOK)
@laws
def test_a_persons_file_keeps_every_byte(own: bytes, book: Playbook) -> None:
    own = own.replace(b"\x00", b"")
    once = agents.placed(write(book, "agents"), own)
    assert once.startswith(own)
    other = Playbook().apply(Delta.model_validate({"operations": [{"op": "add", "section": "s s", "text": "Other."}]}))
    twice = agents.placed(write(other, "agents"), once + b"after\xff\r\n")
    assert twice.startswith(own)
    assert twice.endswith(b"after\xff\r\n")
    assert agents.placed(write(book, "agents"), twice) == once + b"after\xff\r\n"


ACE = """\
## STRATEGIES & INSIGHTS
[str-00001] helpful=5 harmful=0 :: Read the :: question.

## FORMULAS & CALCULATIONS
[calc-00002] helpful=0 harmful=1 :: a / b

## CODE SNIPPETS & TEMPLATES
[code-00003] helpful=2 harmful=0 :: Sum with
    total = sum(x)

## COMMON MISTAKES TO AVOID
[err-00004] helpful=0 harmful=0 :: Off by one.

## PROBLEM-SOLVING HEURISTICS

## CONTEXT CLUES & INDICATORS
[ctx-00005] Look at the unit.

## OTHERS
"""


def test_ace_as_its_own_code_writes_it() -> None:
    book = read(ACE.encode())
    assert [b.id for b in book] == ["str-00001", "calc-00002", "code-00003", "err-00004", "ctx-00005"]
    assert [(b.helpful, b.harmful) for b in book] == [(5, 0), (0, 1), (2, 0), (0, 0), (0, 0)]
    assert book.bullets[0].text == "Read the :: question."
    assert (book.bullets[2].kind, book.bullets[2].text) == ("example", "Sum with\ntotal = sum(x)")
    assert book.sections[1] == "FORMULAS & CALCULATIONS"
    assert read(write(book, "ace").encode()) == book


def skill(**changes: object) -> dict[str, object]:
    return {
        "id": "math-00001",
        "section": "math",
        "content": "Add.",
        "helpful": 2,
        "harmful": 1,
        "neutral": 4,
    } | changes


@pytest.mark.parametrize(
    "data",
    [
        {"skills": {"math-00001": skill(created_at="2025-01-01", embedding=None, status="active")}, "next_id": 1},
        {"bullets": {"math-00001": skill()}, "sections": {"math": ["math-00001"]}, "next_id": 1},
        {"schema_version": "2", "skills": {"math-00001": {
            "id": "math-00001", "section": "context", "keywords": ["math", "sum"], "issue": "Add.", "insight": "Add.",
            "active": True, "helpful_count": 2, "harmful_count": 1}}},
    ],
)  # fmt: skip
def test_every_shape_of_a_skillbook(data: dict[str, object]) -> None:
    (bullet,) = read(json.dumps(data).encode())
    assert (bullet.id, bullet.section, bullet.text, bullet.helpful, bullet.harmful) == (
        "math-00001",
        "math",
        "Add.",
        2,
        1,
    )


FIELDS = {
    "id", "section", "keywords", "issue", "insight", "occurrences", "active", "used_count", "helpful_count",
    "harmful_count", "neutral_count",
}  # fmt: skip


@given(BOOK)
@laws
def test_a_skillbook_is_as_its_own_code_reads_it(book: Playbook) -> None:
    data = json.loads(write(book, "kayba"))
    assert (data["schema_version"], data["similarity_decisions"]) == ("2", {})
    assert data["sections"] == ({"context": list(data["skills"])} if data["skills"] else {})
    for name, skill in data["skills"].items():
        assert set(skill) == FIELDS | {"heading"}, "one key more, which it passes over"
        assert (skill["id"], skill["section"]) == (name, "context")
        assert skill["issue"] == skill["insight"] == skill["issue"].strip() != ""
        (keyword,) = skill["keywords"]
        assert keyword == "_".join(keyword.lower().split())
        assert int(name.split("-")[1]) <= data["next_id"]


def test_a_skillbook_that_its_own_code_wrote_again_has_keywords_alone() -> None:
    data = json.loads(KAYBA)
    for skill in data["skills"].values():
        del skill["heading"]
    sections = read(json.dumps(data).encode()).sections
    assert sections[:2] == ("strategies & insights", "formulas & calculations")


def test_skills_with_ids_that_are_not_ours_get_the_next_numbers_and_inactive_ones_stay_out() -> None:
    listed = {
        "Task_x-1": skill(id="Task_x-1", section="Task: guidance", content="One."),
        "math-00009": skill(content="Two."),
        "gone-00002": skill(content="Three.", status="invalid"),
    }
    book = read(json.dumps({"skills": listed}).encode())
    assert [(b.id, b.section) for b in book] == [("tas-00010", "Task guidance"), ("math-00009", "math")]


LINES = ACE.splitlines(keepends=True)
JSON = write(read(ACE.encode()), "json")
KAYBA = write(read(ACE.encode()), "kayba")
PART = "# Mine\n\n" + write(read(ACE.encode()), "agents")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file is empty"),
        (" \n\t\n", "the file is empty"),
        ("just words\n", "no playbook format is recognised"),
        ("x" * 5_000_000, "5000000"),
        (ACE.replace("a / b", "a \u200b b"), "line 5: the invisible character U\\+200B"),
        (ACE.replace("a / b", "a \U000e0041 b"), "line 5: the invisible character U\\+E0041"),
        (ACE.replace("a / b", "a \x1b[2J b"), "line 5: the invisible character U\\+001B"),
        (ACE.replace("calc-00002", "str-00001"), "line 5: the id str-00001 is used twice, first at line 2"),
        (ACE[: ACE.index("harmful=1")], "line 5: a bullet is written"),
        (ACE[: ACE.index("ful=0 harmful=1")], "line 5: a bullet is written"),
        (ACE[: ACE.index("00002")], "line 5: a bullet is written"),
        (ACE.replace("a / b", ""), "line 5: the text is empty"),
        (ACE.replace("a / b", "x" * 2001), "line 5: the text has 2001"),
        (ACE.replace("## FORMULAS", "# FORMULAS"), "line 4: a heading is written ## SECTION"),
        (ACE.replace("## FORMULAS & CALCULATIONS", "## <b>"), "line 5: the section name"),
        (ACE.replace("harmful=1", "harmful=9999999999999999"), "line 5: a count"),
        ("nonsense\n" + ACE, "line 1: 'nonsense' is neither"),
        ("## A\n\n## B\n[x-1] helpful=1 harmful=1 :: " + "\n", "line 4: the text is empty"),
        (JSON.replace("calc-00002", "str-00001"), "line 4, bullet 2: the id str-00001 is used twice"),
        (JSON.replace("a / b", "a\u200bb"), "line 4: the invisible character U\\+200B"),
        (JSON.replace("a / b", "a\\u200bb"), "line 4, bullet 2 \\(calc-00002\\): the invisible character U\\+200B"),
        (JSON[:150], "line"),
        ("{" * 5_000, "JSON"),
        ("[" * 100_000, "no playbook"),
        ('{"operations": []}', "agentfly playbook apply"),
        ('{"x": 1}', "neither"),
        (KAYBA.replace('"calc-00002": {', '"str-00001": {'), "line 20: the id str-00001 is used twice"),
        (KAYBA.replace("a / b", "a\\u202eb"), "line 20: the invisible character U\\+202E"),
        (KAYBA.replace('"helpful_count": 5', '"helpful_count": -5'), "line 4: helpful_count"),
        (KAYBA[:200], "line 9: this is no JSON"),
        ('{"skills": {}}', "no bullets"),
        ('{"skills": {"a": 7}}', "skill a"),
        (PART.replace(agents.END, ""), "line 3: the markers"),
        (PART + PART, "line 32: the markers"),
        (PART.replace("- a / b", "a / b"), "line 14: 'a / b' is no heading"),
        (PART.replace("a / b", "a \u200b b"), "line 14: the invisible character"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_with_line_and_reason(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        read(text.encode())
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused_with_their_line() -> None:
    with pytest.raises(InputError, match="line 5: byte 0xff"):
        read(ACE.encode().replace(b"a / b", b"a \xff b"))


@given(st.sampled_from([ACE, JSON, KAYBA, PART]), st.integers(0, 900), st.integers(0, 40), st.text(max_size=6))
@laws
def test_any_damage_is_read_or_refused_in_one_line(text: str, start: int, length: int, put: str) -> None:
    damaged = text[:start] + put + text[start + length :]
    book = result(lambda: read(damaged.encode("utf-8", "replace")))
    assert "\n" not in book if isinstance(book, str) else len(book) > 0


def test_windows_line_ends_and_a_byte_order_mark_are_no_fault() -> None:
    for text in (ACE, JSON, KAYBA, PART):
        assert read(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()) == read(text.encode())


def test_checks_are_held_by_our_json_alone() -> None:
    book = Playbook.of([
        Bullet(id="che-00001", section="checks", text="rounded", kind="check"),
        Bullet(id="str-00002", section="strategies", text="Round."),
    ])  # fmt: skip
    assert [len(held(book, form)) for form in FORMATS] == [2, 1, 1, 1]
    assert "rounded" not in write(book, "ace") + write(book, "kayba") + write(book, "agents")


def test_only_the_part_of_a_persons_file_is_looked_at() -> None:
    own = "# Mine \u200b\n- not a bullet\n\n"
    assert len(read((own + write(read(ACE.encode()), "agents") + "\n- nor this\n").encode())) == 5
