"""The form for a person's editor: what an edit changes, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.errors import InputError
from agentfly.playbooks import Playbook
from agentfly.playbooks.exchange import form
from agentfly.types import Bullet
from tests.unit.playbooks.test_exchange_formats import BOOK, laws, result

BASE = Playbook.of(
    [
        Bullet(id="str-00001", section="strategies", text="Round at the end.", helpful=3),
        Bullet(id="str-00002", section="strategies", text="Read all sheets.\ndef f():\n    pass", kind="example"),
        Bullet(id="for-00003", section="formats", text="Bare value."),
    ],
    version=7,
)
TEXT = form.write(BASE)
LAST = len(TEXT.splitlines())


def at(part: str) -> int:
    return next(number for number, line in enumerate(TEXT.splitlines(), 1) if part in line)


def edited(old: str, new: str) -> form.Edit:
    assert old in TEXT
    return form.read(TEXT.replace(old, new).encode(), BASE)


@given(BOOK)
@laws
def test_what_is_left_alone_changes_nothing(book: Playbook) -> None:
    text = form.write(book).encode()
    assert form.read(text, book).delta.operations == ()
    assert form.version_of(text) == book.version


@given(BOOK, st.data())
@laws
def test_deleted_lines_are_removals_and_nothing_else(book: Playbook, data: st.DataObject) -> None:
    gone = set(data.draw(st.lists(st.sampled_from([b.id for b in book]), max_size=len(book) - 1, unique=True)))
    lines, skip = list[str](), False
    for line in form.write(book).split("\n"):
        skip = any(line.startswith(f"[{name}") for name in gone) if line[:1] != " " else skip
        lines += [] if skip else [line]
    if len(gone) < len(book):
        after = book.apply(form.read("\n".join(lines).encode(), book).delta, strict=True)
        assert [b for b in book if b.id not in gone] == list(after)


def test_a_changed_text_keeps_id_counts_and_place() -> None:
    after = BASE.apply(edited("Round at the end.", "Round once, at the end.").delta, strict=True)
    assert (after.bullets[0].id, after.bullets[0].helpful) == ("str-00001", 3)
    assert after.bullets[0].text == "Round once, at the end."
    assert after.bullets[1:] == BASE.bullets[1:]


def test_new_lines_sections_and_examples() -> None:
    edit = edited(
        form.END, "- Go on\n    with this.\n[new example] One.\n    x = 1\n## New things\n- First.\n" + form.END
    )
    after = BASE.apply(edit.delta, strict=True)
    assert [(b.section, b.kind, b.text) for b in after.bullets[3:]] == [
        ("formats", "strategy", "Go on with this."),
        ("formats", "example", "One.\nx = 1"),
        ("New things", "strategy", "First."),
    ]


def test_moved_lines_are_ignored_and_counted() -> None:
    line = "[for-00003] Bare value.\n"
    edit = form.read(TEXT.replace(line, "").replace("## strategies\n\n", "## strategies\n\n" + line).encode(), BASE)
    assert (edit.delta.operations, edit.moved) == ((), 1)


def test_two_texts_that_swap() -> None:
    swapped = (
        TEXT.replace("Round at the end.", "@").replace("Bare value.", "Round at the end.").replace("@", "Bare value.")
    )
    with pytest.raises(InputError, match="says the same already"):
        form.read(swapped.encode(), BASE)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (TEXT, "", "the file is empty|no bullet is left"),
        (TEXT, "\n\n", "no bullet is left.*rollback 0"),
        (TEXT, form.END, "no bullet is left.*rollback 0"),
        (TEXT[200:], "", "cut off"),
        (form.END, "", f"line {LAST - 1}: the file was cut off|cut off"),
        (TEXT[-80:], "", "cut off"),
        ("[for-00003]", "[str-00001]", f"line {at('for-00003')}: the id str-00001 is used twice, first at line {at('str-00001')}"),
        ("[for-00003]", "[for-00099]", f"line {at('for-00003')}: there is no bullet 'for-00099'"),
        ("[for-00003]", "[nonsense]", "there is no bullet 'nonsense'"),
        ("[for-00003]", "for-00003", f"line {at('for-00003')}: .* is no bullet"),
        ("Bare value", "Bare\u200b value", f"line {at('for-00003')}: the invisible character U\\+200B"),
        ("Bare value", "Bare \u202evalue", f"line {at('for-00003')}: the invisible character U\\+202E"),
        ("Bare value.", "", f"line {at('for-00003')}: the text is empty"),
        ("Bare value.", "Round at the end", f"line {at('for-00003')}: str-00001 says the same already"),
        ("Bare value.", "## x", f"line {at('for-00003')}: the text holds a heading"),
        ("Bare value.", "x" * 2001, f"line {at('for-00003')}: the text has 2001"),
        ("Bare value.", "x" * 5_000_000, "5000000"),
        ("[str-00002 example]", "[str-00002]", f"line {at('str-00002')}: str-00002 is of kind example"),
        ("## formats", "## <b c>\n- new", "the section name"),
        ("## strategies", "", f"line {at('str-00001')}: a bullet needs a section"),
        ("    def f():", "def f():", "indent a line that goes on"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_with_line_and_reason(old: str, new: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        edited(old, new)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(InputError, match=f"line {at('for-00003')}: byte 0xff"):
        form.read(TEXT.encode().replace(b"Bare", b"\xff"), BASE)


def test_an_empty_playbook_may_stay_empty_or_be_filled() -> None:
    empty = form.write(Playbook())
    assert form.read(empty.encode(), Playbook()).delta.operations == ()
    filled = empty.replace(form.END, "## a b\n- First.\n" + form.END)
    assert [b.text for b in Playbook().apply(form.read(filled.encode(), Playbook()).delta)] == ["First."]


@given(st.integers(0, len(TEXT)), st.integers(0, 60), st.text(max_size=6))
@laws
def test_any_damage_is_an_edit_or_refused_in_one_line(start: int, length: int, put: str) -> None:
    damaged = (TEXT[:start] + put + TEXT[start + length :]).encode("utf-8", "replace")
    edit = result(lambda: form.read(damaged, BASE))
    if isinstance(edit, str):
        assert "\n" not in edit
    else:
        BASE.apply(edit.delta, strict=True)


def test_a_bullet_that_is_older_than_the_limits_may_stay() -> None:
    book = Playbook.of([Bullet(id="str-00001", section="strategies", text="x" * 3000)])
    assert form.read(form.write(book).encode(), book).delta.operations == ()


def test_collisions_are_the_bullets_that_both_touched() -> None:
    edit = edited("Bare value.", "A bare value.")
    newest = BASE.apply(edited("Bare value.", "The value.").delta)
    assert form.collisions(edit, BASE, newest) == ("for-00003",)
    assert form.collisions(edit, BASE, BASE.apply(edited("Round at", "Always round at").delta)) == ()


def test_a_label_that_was_copied_into_a_text_is_refused_and_not_cut_off() -> None:
    line = at("Round at the end.")
    with pytest.raises(InputError, match=f"line {line}: the text holds the label of a bullet"):
        edited("Round at the end.", "[str-00004] Round at the end.")
