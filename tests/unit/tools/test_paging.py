"""Cutting texts into pages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentfly.tools.paging import pages

texts = st.text(alphabet=st.sampled_from("ab .\n#"), max_size=400)


@given(texts, st.integers(1, 50))
def test_pages_joined_are_the_text_and_none_is_too_long(text: str, chars: int) -> None:
    found = pages(text, chars)
    assert "".join(found) == text
    assert all(0 < len(page) <= chars for page in found) or text == ""
    assert all(len(page) > chars // 2 for page in found[:-1])


def test_breaks_are_natural() -> None:
    assert pages("aaaa bbbb\ncccc dddd", 12) == ("aaaa bbbb\n", "cccc dddd")
    assert pages("one two three four", 10) == ("one two ", "three four")
    assert pages("text of one\n\n## Two\nmore", 14) == ("text of one\n\n", "## Two\nmore")
    assert pages("x" * 25, 10) == ("x" * 10, "x" * 10, "x" * 5)


def test_a_page_ends_with_a_paragraph_where_it_can() -> None:
    text = "one two.\n\nthree four. five six seven"
    assert pages(text, 16) == ("one two.\n\n", "three four. ", "five six seven")
