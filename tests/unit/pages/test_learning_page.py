"""The page on a course of learning: one file, readable, and text that stays text."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.htmlpage import Page
from support.learned import grown, record, sample, stage

from agentfly.errors import ConfigError
from agentfly.learning.report import Report, report
from agentfly.pages.learning import learning_page
from agentfly.types import Usage

EVIL = "</script></td></table><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">{{ 7*7 }} $x$ \x1b[31m \u202ertl"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return report(*grown(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def html(good: Report) -> str:
    return learning_page(good)


def test_the_page_is_one_file_that_fetches_nothing(html: str) -> None:
    page = Page(html)
    assert page.problems == []
    assert page.open == []
    assert page.tags["link"] == page.tags["img"] == page.tags["iframe"] == 0
    assert page.values("src") == []
    assert {value[0] for value in page.values("href")} == {"#"}
    assert not re.search(r"@import|@font-face|url\((?!#)", html)
    (policy,) = [value for value in page.values("content") if "default-src" in value]
    assert policy.startswith("default-src 'none'")
    assert "connect-src" not in policy


def test_ids_are_unique_and_what_refers_to_them_finds_them(html: str) -> None:
    page = Page(html)
    assert {id: times for id, times in page.ids.items() if times > 1} == {}
    referred = {value[1:] for value in page.values("href")} | set(re.findall(r"url\(#([^)]+)\)", html))
    referred |= set(page.values("data-table"))
    assert referred <= set(page.ids)


def test_tables_have_headers_and_plots_say_what_they_show(html: str, good: Report) -> None:
    page = Page(html)
    assert page.tags["svg"] == 5
    assert (
        page.values("role").count("img") == page.tags["svg"] == len([x for x in page.values("aria-label") if "." in x])
    )
    assert page.tags["thead"] == page.tags["table"] > 5
    assert set(page.values("scope")) == {"col", "row"}
    assert all(label for tag, name, label in page.attributes if (tag, name) == ("div", "aria-label"))
    shares = next(label for label in page.values("aria-label") if label.startswith("Accuracy on the test tasks"))
    assert f"learned: {100 * good.test.accuracy:.1f} %" in shares
    assert 'lang="en"' in html
    assert page.tags["h1"] == 1


def test_the_figures_of_the_report_are_on_the_page(html: str, good: Report) -> None:
    found, text = good.comparison, re.sub(r"\s+", " ", Page(html).text)
    assert found is not None
    assert f"{found.before.correct} of {found.tasks}" in text
    assert f"{len(found.gained)} gained, {len(found.lost)} lost" in text
    assert all(flip.task_id in text and flip.after_run in text for flip in (*found.gained, *found.lost))
    assert f"{good.learning.tokens_per_sample:,.0f}" in text
    assert "the one after 160 of 240 samples" in text
    assert "only strategies + checks" in text
    assert "1 hit a limit" in text
    assert Page(html).tags["tr"] > len(good.samples)


def test_without_a_script_all_samples_are_there_and_no_filter_that_would_do_nothing(html: str, good: Report) -> None:
    assert re.search(r'<form class="filter"[^>]* hidden>', html)
    assert html.count("data-verdict=") == len(good.samples)
    assert not re.search(r"<tr[^>]* hidden", html)


def test_light_and_dark_come_from_one_style_sheet_that_the_plots_follow(html: str) -> None:
    assert "prefers-color-scheme: dark" in html
    defined = set(re.findall(r"(--\w+):", html))
    assert set(re.findall(r"var\((--\w+)\)", html)) <= defined
    svg = "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    assert "var(--one)" in svg
    assert re.findall("#[0-9a-fA-F]{6}", svg) == [], "a colour of its own would be lost on one of the backgrounds"


def test_the_same_report_gives_the_same_page(html: str, good: Report) -> None:
    assert learning_page(good) == html


def evil_report(home: Path) -> Report:
    def bad(phase: str, place: int, right: bool) -> object:
        return sample(
            phase, place, right, answer=EVIL, task_id=f"{EVIL}{place}", run_id=f"{phase}{place}{EVIL}", level=EVIL
        )

    samples = [
        bad("base", 0, True),
        bad("base", 1, False),
        bad("test", 0, False),
        bad("test", 1, True),
        bad("learn", 2, True),
    ]
    samples += [bad(f"test:{EVIL}", 0, False), bad(f"test:{EVIL}", 1, True)]
    store, id = record(
        home, samples, [stage(1, cases=1)],  # type: ignore[arg-type]
        outcome={"notices": [EVIL], "reason": EVIL}, model=EVIL, strategy=EVIL, order=EVIL, mode=EVIL,
        settings={"command": EVIL}, tasks={"learn": 1, "validate": 0, "test": 2},
    )  # fmt: skip
    found = report(store, id)
    assert found.comparison is not None
    lost = tuple(replace(flip, question=EVIL, reference=EVIL) for flip in found.comparison.lost)
    return replace(found, comparison=replace(found.comparison, lost=lost))


def test_what_is_not_ours_is_shown_as_text(tmp_path: Path) -> None:
    html = learning_page(evil_report(tmp_path))
    page = Page(html)
    assert page.problems == []
    assert page.tags["script"] == 1
    assert page.tags["img"] == 0
    assert [name for _, name, _ in page.attributes if name.startswith("on")] == []
    assert "taken" not in "".join(page.scripts)
    assert page.text.count("<script>document.title='taken'</script>") > 20
    assert "{{ 7*7 }}" in page.text
    assert "\\u001b[31m \\u202ertl" in page.text
    assert "\x1b" not in html
    assert "\u202e" not in html


def test_what_no_encoding_holds_does_no_harm(tmp_path: Path) -> None:
    samples = [sample("base", 0, level="\ud800"), sample("test", 0, level="\x00\ufffe")]
    found = report(*record(tmp_path, samples, outcome={}, tasks={"learn": 0, "validate": 0, "test": 1}))
    odd = replace(found.samples[0], answer="half \ud83d of a pair, \x00, \ufffe")
    html = learning_page(replace(found, samples=(odd,)))
    assert "half \\ud83d of a pair, \\u0000, \\ufffe" in html
    html.encode()


@pytest.mark.parametrize(
    "samples", [[], [sample("base", 0)], [sample("learn", 0)]], ids=["nothing", "base", "one sample"]
)
def test_a_course_that_has_hardly_begun_has_a_page(tmp_path: Path, samples: list[object]) -> None:
    found = report(*record(tmp_path, samples, tasks={"learn": 9, "validate": 3, "test": 3}))  # type: ignore[arg-type]
    page = Page(learning_page(found))
    assert page.problems == []
    assert "it has not ended" in page.text


def test_online_learning_without_tests_has_a_curve(tmp_path: Path) -> None:
    answers = [sample("learn", place, place % 3 > 0, usage=Usage(prompt_tokens=9)) for place in range(30)]
    found = report(*record(tmp_path, answers, outcome={}, mode="online", tasks={"learn": 30, "validate": 0, "test": 0}))
    page = Page(learning_page(found))
    assert "20 of 30 first answers were right" in page.text
    assert any(label.startswith("Accuracy against samples") for label in page.values("aria-label"))
    assert "Before and after" not in page.text


def test_without_matplotlib_there_is_one_clear_line(good: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"pip install 'agentfly-framework\[report\]'") as said:
        learning_page(good)
    assert "\n" not in str(said.value)
