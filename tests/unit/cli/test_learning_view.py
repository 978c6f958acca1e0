"""The report on learning in a terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console
from support.learned import grown, record, sample, stage

from agentfly.cli.views.console import make_console
from agentfly.cli.views.learning import MOST_FLIPS, MOST_STAGES, learning_view
from agentfly.learning.report import Report, report
from agentfly.store.runs import RunStore
from agentfly.types import Task, Usage

EVIL = "[red]x[/red] \x1b[31m \u202ertl"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return report(*grown(tmp_path_factory.mktemp("home")))


def draw(found: Report, width: int = 80, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="replace", newline="\n")
    console = Console(file=stream, width=width, markup=False, emoji=False, highlight=False, no_color=True)
    console.print(learning_view(found))
    stream.flush()
    return raw.getvalue().decode(encoding)


def row(drawn: str, start: str) -> str:
    return next(line for line in drawn.splitlines() if line.startswith(start))


def test_the_figures_are_there_at_80_columns_and_nothing_is_cut(good: Report) -> None:
    drawn = draw(good)
    assert max(cell_len(line) for line in drawn.splitlines()) <= 80
    assert "…" not in drawn
    found = good.comparison
    assert found is not None
    assert re.sub(r"\s+", " ", row(drawn, "learned ")).startswith(
        f"learned {found.after.correct}/{found.tasks} {100 * found.after.accuracy:.1f}"
    )
    assert row(drawn, "base ").split()[1] == f"{found.before.correct}/{found.tasks}"
    assert row(drawn, "only cases ").split()[-2:] == [
        str(len(good.ablations[0].gained)),
        str(len(good.ablations[0].lost)),
    ]
    assert "The agent is better than before it learned." in re.sub(r"\s+", " ", drawn)
    assert row(drawn, "160 ").rstrip().endswith("kept")
    assert "base: 1 hit a limit" in drawn
    assert "the one after 160 of 240 samples" in drawn


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_it_fits_where_it_is_drawn(good: Report, width: int) -> None:
    drawn = draw(good, width)
    assert max(cell_len(line) for line in drawn.splitlines()) <= width
    assert ("tokens in all" in drawn) == (width >= 96)


def test_large_figures_fit_at_80_columns(tmp_path: Path) -> None:
    much = Usage(calls=12, prompt_tokens=1_234_567, completion_tokens=98_765, cost_usd=12.5)
    samples = [
        sample(phase, 0, usage=much, seconds=1234.5)
        for phase in ("base", "learn", "test", "test:strategies+examples+checks")
    ]
    found = report(*record(tmp_path, samples, outcome={}, tasks={"learn": 1, "validate": 0, "test": 1}))
    drawn = draw(found)
    assert max(cell_len(line) for line in drawn.splitlines()) <= 80
    assert drawn.count("1,333,332 (1,333,332)") == 4
    assert "in all 5,333,328 tokens, 48 calls, $50.00" in drawn


def test_flips_are_listed_with_their_ids_and_capped(good: Report) -> None:
    found = good.comparison
    assert found is not None
    drawn = draw(good)
    assert f"Gained: right after, not before ({len(found.gained)})" in drawn
    assert f"and {len(found.gained) - MOST_FLIPS} more" in drawn
    for flip in found.gained[:MOST_FLIPS]:
        assert f"  {flip.task_id}  " in drawn
        assert f"run {flip.after_run}" in drawn
    assert found.gained[MOST_FLIPS].after_run not in drawn
    assert "Lost" not in drawn


def test_what_was_lost_stands_first_with_answers_question_and_right_answer(tmp_path: Path) -> None:
    samples = [
        sample("base", 0, answer="7"), sample("test", 0, False, answer="8"),
        sample("base", 1, False, verdict="limit", answer=None), sample("test", 1, answer="9"),
    ]  # fmt: skip
    store, id = record(tmp_path, samples, outcome={}, tasks={"learn": 0, "validate": 0, "test": 2})
    runs = RunStore(store._db)
    runs.start("L-test-0-0", Task("How much is it?", reference="7", id="test-0"), "m", "codeact", {}, learn=False)
    drawn = draw(report(store, id, runs))
    assert "  test-0  7 → 8  (right: 7)  run L-test-0-0\n    How much is it?" in drawn
    assert "  test-1  limit → 9  run L-test-0-1" in drawn
    assert drawn.index("Lost: right before, not after (1)") < drawn.index("Gained: right after, not before (1)")


def test_growth_is_thinned_and_loses_no_change(good: Report) -> None:
    lines = draw(good).split("What the home held")[1].splitlines()
    rows = [line.split() for line in lines if re.match(r"\d+ +\d+ +\d+ +\d+ +\d+ +\d+ +\d+ *$", line)]
    assert len(rows) == MOST_STAGES
    assert (rows[0][0], rows[-1][0]) == ("0", "240")
    assert sum(int(cells[5]) for cells in rows) == good.learning.kept
    assert sum(int(cells[6]) for cells in rows) == good.learning.dropped


def test_of_many_validations_the_first_the_last_and_the_kept_one_are_shown(tmp_path: Path) -> None:
    samples = [sample("validate", 0, epoch=number, run_id=f"v{number}") for number in range(0, 700, 7)]
    found = report(*record(tmp_path, [*samples, sample("learn", 0)], outcome={"kept": 336}))
    lines = draw(found).split("Validation, by samples learned from")[1].split("First answers")[0].splitlines()[3:-1]
    shown = [line.split()[0] for line in lines]
    assert (shown[0], shown[-1], len(shown)) == ("0", "693", 21)
    assert [line.split()[0] for line in lines if line.rstrip().endswith("kept")] == ["336"]


def test_a_course_that_goes_on_says_how_far_it_is(tmp_path: Path) -> None:
    samples = [*(sample("base", place) for place in range(3)), *(sample("learn", place) for place in range(4))]
    found = report(*record(tmp_path, samples, [stage(4, cases=4)], tasks={"learn": 8, "validate": 0, "test": 3}))
    drawn = draw(found)
    assert "it has not ended: the same command goes on with it" in drawn
    assert "4/8" in row(drawn, "learning ")
    assert draw(report(*record(tmp_path / "new", []))).startswith("Learning learn-")


def test_where_there_are_no_block_characters_bars_are_plain(good: Report) -> None:
    drawn = draw(good, encoding="ascii")
    assert "####" in drawn
    assert "█" not in drawn


def test_what_is_not_ours_is_taken_literally(tmp_path: Path) -> None:
    samples = [
        sample("base", 0, answer=EVIL, task_id=EVIL),
        sample("test", 0, False, answer=EVIL, task_id=EVIL, run_id=EVIL),
    ]
    samples.append(sample(f"test:{EVIL}", 0, task_id=EVIL))
    store, id = record(
        tmp_path, samples, outcome={"notices": [EVIL]}, model=EVIL, strategy=EVIL, order=EVIL,
        settings={"command": EVIL}, tasks={"learn": 0, "validate": 0, "test": 1},
    )  # fmt: skip
    drawn = draw(report(store, id), 140)
    assert "\x1b" not in drawn
    assert "\u202e" not in drawn
    assert drawn.count("[red]x[/red] \\x1b[31m") >= 7


def test_a_pipe_gets_no_colour_and_no_more_than_100_columns(good: Report) -> None:
    stream = io.StringIO()
    make_console(stream).print(learning_view(good))
    assert "\x1b" not in stream.getvalue()
    assert "only strategies + checks  " in stream.getvalue()
