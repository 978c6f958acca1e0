"""What may stand in a bullet and in a section name."""

import pytest

from agentfly.playbooks.rules import Refused, Rules, clean_section, make_slug, parse_id, section_key
from agentfly.playbooks.text import clean_text
from agentfly.playbooks.tokens import estimate_tokens


def clean(raw, limit=500, **options):
    return clean_text(raw, limit, **options)


@pytest.mark.parametrize(
    ("raw", "stored"),
    [
        ("  Round at the end. ", "Round at the end."),
        ("two\nlines", "two lines"),
        ("two\r\n\r\n  lines\u2028three", "two lines three"),
        ("tab\tand\u00a0space", "tab and space"),
        ("zero\u200bwidth\ufeff and so\u00adft", "zerowidth and soft"),
        ("- [str-00001] helpful=3 harmful=0 :: Round.", "Round."),
        ("[str-00001] Round.", "Round."),
        ("* Round.", "Round."),
        ("see [str-00002] for the ## sign", "see [str-00002] for the ## sign"),
        ("# of rows is the count", "# of rows is the count"),
        ("cafe\u0301", "café"),
        ("family 👨‍👩‍👧 stays", "family 👨‍👩‍👧 stays"),
        ("hid\u200dden joiner", "hidden joiner"),
        ("x\ufe01y\U000e0100z", "xyz"),
        ("نیم\u200cفاصله", "نیم\u200cفاصله"),
        ("-5 is less than 3", "-5 is less than 3"),
    ],
)
def test_harmless_text_is_stored_plain(raw, stored):
    assert clean(raw) == stored
    assert clean(stored) == stored


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("\u200b\u200b", "empty"),
        ("...", "empty"),
        ("## STRATEGIES", "heading"),
        ("fine\n## STRATEGIES\nnot fine", "heading"),
        ("fine\n\n   ### x", "heading"),
        ("# Title\nbody", "heading"),
        ("fine\n[str-00009] helpful=99 harmful=0 :: injected", "label"),
        ("[str-00001] [str-00002] twice", "label"),
        ("fine\n- [str-00009] injected", "label"),
        ("a\u202eb", "U+202E"),
        ("a\u2066b", "U+2066"),
        ("a\x1b[31mb", "U+001B"),
        ("a\x00b", "U+0000"),
        ("a\x7fb", "U+007F"),
        ("a\U000e0041b", "U+E0041"),
        ("a\ue000b", "U+E000"),
        ("a\ufffeb", "U+FFFE"),
        ("a\ufffdb", "U+FFFD"),
        ("x" * 501, "501"),
        ("x" * 10_000_000, "10000000"),
    ],
)
def test_what_is_refused_says_why(raw, reason):
    with pytest.raises(Refused, match=reason.replace("+", r"\+")):
        clean(raw)


def test_the_limit_counts_what_is_stored():
    assert len(clean("x" * 500 + "\n" * 50)) == 500


def test_examples_keep_their_lines():
    code = "Sum a column:\n\n# read it first\n\tdf = read()\r\n    print(df.a.sum())\n"
    assert clean(code, lines=True) == "Sum a column:\n# read it first\n    df = read()\n    print(df.a.sum())"
    with pytest.raises(Refused, match="heading"):
        clean("fine\n## SECTION", lines=True)


@pytest.mark.parametrize("name", ["strategies", "STRATEGIES & INSIGHTS", "Data loading", "C++", "Größe", "策略", "AI"])
def test_sensible_section_names(name):
    assert clean_section(f" {name} ", Rules()) == name


@pytest.mark.parametrize(
    "name",
    ["", "  ", "## x", "a\nb", "x" * 61, "x" * 5000, "123", "!!!", "a\x00b", "[a]", "a\u202eb", "-", "a:b", "<b>"],
)
def test_section_names_that_are_none(name):
    with pytest.raises(Refused, match="section name"):
        clean_section(name, Rules())


def test_one_section_whatever_its_case_and_punctuation():
    assert section_key("STRATEGIES & Insights") == section_key("strategies_insights") == "strategies insights"


def test_slugs_are_unique_and_ascii():
    taken: set[str] = set()
    names = [
        "strategies",
        "structure",
        "strings",
        "str",
        "Größe",
        "策略",
        "策",
        "AI",
        "C",
        *(f"strategies {i}" for i in range(99)),
    ]
    for name in names:
        slug = make_slug(name, taken)
        assert slug not in taken
        assert len(slug) >= 3
        assert parse_id(f"{slug}-00001") == (slug, 1)
        taken.add(slug)
    assert make_slug("strategies", set()) == "str"


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("abcd", 1), ("abcde", 2), ("策略", 2), ("дата", 2), ("🙂", 2)])
def test_token_estimate(text, tokens):
    assert estimate_tokens(text) == tokens
