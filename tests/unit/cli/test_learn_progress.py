"""The progress of a course: what stays, what moves, and that neither breaks the other."""

from __future__ import annotations

import io
import threading
from typing import Any

import pytest
from rich.console import Console

from agentfly.cli.views import learning_progress
from agentfly.cli.views.learning_progress import CourseView
from agentfly.events import Notice
from agentfly.learning.adaptation.course import Progress
from agentfly.types import Usage

EVIL = "[red]x[/red] \x1b[31mred\x1b[0m\nsecond"


def progress(phase: str, done: int, total: int = 20, **more: Any) -> Progress:
    usage = Usage(calls=done, prompt_tokens=done * 10_000, cost_usd=done * 0.01)
    known: dict[str, Any] = {
        "id": "learn-1",
        "correct": done // 2,
        "usage": usage,
        "left": 65.0 if done else None,
        **more,
    }
    return Progress(phase=phase, done=done, total=total, **known)


def view(*, terminal: bool = False, width: int = 80, **more: Any) -> tuple[CourseView, io.StringIO]:
    out = io.StringIO()
    console = Console(
        file=out, force_terminal=terminal, width=width, height=24, markup=False, highlight=False, color_system=None
    )
    return CourseView(console, **more), out


def region(shown: CourseView, width: int) -> list[str]:
    """The lines that move."""
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False, color_system=None)
    console.print(shown)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_elsewhere_each_phase_is_a_line() -> None:
    shown, out = view()
    with shown:
        for done in range(21):
            shown.progress(progress("base", done))
        shown.progress(progress("learn", 0))
    (line,) = out.getvalue().splitlines()
    assert line == "base                20/20  50.0% right (30% to 70%)  200,000 tokens  $0.2000"


def test_elsewhere_a_long_phase_says_now_and_then_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(learning_progress.time, "monotonic", lambda: clock[0])
    shown, out = view()
    with shown:
        for done in range(11):
            shown.progress(progress("learn", done))
            clock[0] += 10
    told = [line.split()[:2] for line in out.getvalue().splitlines()]
    assert told == [["learning", "3/20"], ["learning", "6/20"], ["learning", "9/20"]]
    assert "65 s left" in out.getvalue()


@pytest.mark.parametrize("width", [30, 44, 80, 200])
@pytest.mark.parametrize("phase", ["base", "learn", "test:strategies+examples+checks"])
def test_the_region_fits(width: int, phase: str) -> None:
    shown, _ = view(terminal=True, width=width)
    for done in (0, 1, 20):
        shown.progress(progress(phase, done))
        lines = region(shown, width)
        assert len(lines) == 2
        assert all(len(line) < width for line in lines), lines


def test_the_region_tells_how_far_how_well_and_how_long() -> None:
    shown, _ = view(terminal=True)
    assert "starting" in region(shown, 80)[0]
    shown.progress(progress("learn", 10))
    first, second = region(shown, 80)
    assert "learning" in first
    assert "10/20" in first
    assert "65 s left" in first
    assert second.strip() == "50.0% right (24% to 76%), 100,000 tokens, $0.1000"


def test_a_notice_stays_once_and_obeys_nothing_in_it() -> None:
    shown, out = view(terminal=True)
    with shown:
        shown.progress(progress("learn", 3))
        for _ in range(3):
            shown.event(Notice(text=EVIL, level="warning"))
        shown.event(Notice(text="loaded", level="info"))
    assert out.getvalue().count("agentfly: [red]x[/red] \\x1b[31mred\\x1b[0m second") == 1
    assert "loaded" not in out.getvalue()


def test_what_is_waited_for_is_in_the_region() -> None:
    shown, _ = view(terminal=True)
    shown.event(Notice(text="downloading the model", progress=(430, 1000)))
    assert "downloading the model 43%" in region(shown, 80)[0]
    shown.progress(progress("base", 2))
    assert "downloading the model 43%" in region(shown, 80)[1]
    shown.event(Notice(text="downloading the model", progress=(1000, 1000)))
    assert "right" in region(shown, 80)[1]


def test_what_is_told_and_what_moves_do_not_wait_for_each_other() -> None:
    shown, out = view(terminal=True)
    over = threading.Event()

    def redraw() -> None:
        while not over.is_set() and shown._live is not None:
            shown._live.refresh()

    def tell() -> None:
        for number in range(300):
            shown.event(Notice(text=f"notice {number}.", level="warning"))
            shown.progress(progress("learn", number % 20))
        over.set()

    shown.__enter__()
    for work in (redraw, tell):
        threading.Thread(target=work, daemon=True).start()
    assert over.wait(30), "they wait for each other"
    shown.stop()
    assert all(f"notice {number}." in out.getvalue() for number in range(300))


def test_a_person_who_is_asked_is_not_disturbed() -> None:
    shown, out = view(terminal=True, still=True)
    with shown:
        shown.progress(progress("learn", 3))
    assert out.getvalue() == ""


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ([], "interrupted before the first sample; the same command begins again"),
        ([("base", 2)], "interrupted: nothing learned yet, base 2/20; what is done is kept"),
        (
            [("learn", 7)],
            "interrupted: 7 of 20 samples learned from; what is done is kept, and the same command goes on there",
        ),
        ([("learn", 7), ("validate", 3)], "interrupted: 7 of 20 samples learned from, validation 3/20; what is done"),
        ([("learn", 20), ("test:cases", 3)], "interrupted: 20 of 20 samples learned from, only cases 3/20; what"),
    ],
)
def test_interrupted_it_says_how_far_it_came(seen: list[tuple[str, int]], said: str) -> None:
    shown, out = view(width=300)
    with shown:
        for phase, done in seen:
            shown.progress(progress(phase, done))
        shown.interrupted()
    (line,) = [line for line in out.getvalue().splitlines() if "interrupted" in line]
    assert line.startswith(f"agentfly: {said}")
    assert ("learn-1" in line) == bool(seen)


def test_going_on_is_said_once_and_what_was_done_is_not_told_again() -> None:
    shown, out = view()
    with shown:
        shown.progress(progress("base", 20, resumed=True, id="learn-7"))
        shown.progress(progress("learn", 5, resumed=True, id="learn-7"))
        shown.progress(progress("learn", 20, resumed=True, id="learn-7"))
    lines = out.getvalue().splitlines()
    assert lines[0] == "agentfly: going on with learn-7"
    assert [line.split()[0] for line in lines[1:]] == ["learning"]
