"""Cutting texts into pages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentfly.tools.documents.paging import pages

texts = st.text(alphabet=st.sampled_from("ab .\n#"), max_size=400)


@given(texts, st.integers(1, 50))
def test_pages_joined_are_the_text_and_none_is_too_long(text: str, chars: int) -> None:
    found = pages(text, chars)
    assert "".join(found) == text
    assert all(0 < len(page) <= chars for page in found) or text == ""


def test_breaks_are_natural() -> None:
    assert pages("aaaa bbbb\ncccc dddd", 12) == ["aaaa bbbb\n", "cccc dddd"]
    assert pages("one two three four", 10) == ["one two ", "three four"]
    assert pages("text of one\n\n## Two\nmore", 14) == ["text of one\n\n", "## Two\nmore"]
    assert pages("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]
