"""Text that is not ours is shown, never obeyed."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from agentfly.cli.text import clip_lines, count, money, one_line, plain, seconds, shorten
from agentfly.cli.views import blocks
from agentfly.types import Step


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("over\rwrite", "over\\x0dwrite"),
        ("dos\r\nline", "dos\nline"),
        ("a\tb\nc", "a\tb\nc"),
        ("\u202egnp", "\\u202egnp"),
        ("lone \ud800", "lone \\ud800"),
        ("naïve 日本 👍🏽 é", "naïve 日本 👍🏽 é"),
    ],
)
def test_plain(given: str, shown: str) -> None:
    assert plain(given) == shown


@given(st.text())
def test_nothing_in_a_plain_text_can_steer_a_terminal(text: str) -> None:
    shown = plain(text)
    assert not any((ord(c) < 32 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0 for c in shown)
    shown.encode()
    assert plain(shown) == shown


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_shorten_keeps_to_its_width(text: str, width: int) -> None:
    assert len(shorten(text, width)) <= width
    assert "\n" not in shorten(text, width)


def test_numbers_for_people() -> None:
    assert [seconds(s) for s in (0.04, 9.94, 12.4, 59.6, 185.2, 3600)] == [
        "0.0 s", "9.9 s", "12 s", "60 s", "3 min 05 s", "60 min 00 s",
    ]  # fmt: skip
    assert [money(v) for v in (0, 0.00123, 0.5, 12)] == ["-", "$0.0012", "$0.5000", "$12.00"]
    assert [count(n, "case") for n in (0, 1, 1204)] == ["0 cases", "1 case", "1,204 cases"]
    assert one_line(" a\n b\t") == "a b"
    assert clip_lines("1\n2\n3\n", 2) == ("1\n2", 1)


@pytest.mark.parametrize("width", [20, 60, 120])
def test_a_step_on_a_real_terminal_passes_no_code_through(width: int) -> None:
    evil = "[link=file:///x]x[/link] \x1b]8;;http://x\x07click\x1b]8;;\x07 :smile: \x1b[2J"
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, markup=False, emoji=False, highlight=False)
    step = Step(index=0, thought=evil, action=f"x = '''{evil}'''", observation=evil * 30, error=True)
    for part in blocks.step(step):
        console.print(part)
    drawn = file.getvalue()
    assert "\x1b[2J" not in drawn
    assert "\x1b]" not in drawn
    assert "\x07" not in drawn
    assert ":smile:" in drawn or width == 20
