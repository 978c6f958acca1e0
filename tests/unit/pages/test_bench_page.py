"""The pages on benchmark runs: whole files with what reports say, and text that is not ours as text."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from support import benched
from support.htmlpage import Page

from agentfly.bench.comparisons import compared
from agentfly.bench.recorded import all_recorded, recorded
from agentfly.bench.reporting import report
from agentfly.errors import ConfigError
from agentfly.pages import traces
from agentfly.pages.bench import bench_page
from agentfly.pages.comparison import comparison_page

EVIL = "</script></td></table><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">{{ 7*7 }} $x$ \x1b[31m \u202ertl"


def told(folder: Path, *against: Path, **wanted: Any) -> str:
    run, *earlier = all_recorded([folder, *against])
    return bench_page(report(run, earlier), traces.Wanted(**wanted))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    home = tmp_path_factory.mktemp("runs")
    return [
        benched.write(home / name, benched.varied(seed, attempts), attempts=attempts, mode=mode)
        for seed, (name, attempts, mode) in enumerate(
            [("one", 1, "online"), ("three", 3, "frozen"), ("other", 1, "frozen")]
        )
    ]


@pytest.fixture(scope="module", params=["alone", "several", "against", "compared"])
def html(request: pytest.FixtureRequest, runs: list[Path]) -> str:
    one, three, other = runs
    if request.param == "compared":
        found = all_recorded([one, three, other])
        return comparison_page(found, compared(found))
    return told(*{"alone": [one], "several": [three], "against": [three, one, other]}[request.param])


def test_a_page_is_one_file_that_fetches_nothing(html: str) -> None:
    page = Page(html)
    assert page.problems == []
    assert page.open == []
    assert page.tags["link"] == page.tags["img"] == page.tags["iframe"] == 0
    assert page.values("src") == []
    assert {value[0] for value in page.values("href")} == {"#"}
    assert not re.search(r"@import|@font-face|url\((?!#)", html)
    (policy,) = [value for value in page.values("content") if "default-src" in value]
    assert policy.startswith("default-src 'none'")


def test_ids_are_unique_and_links_lead_somewhere(html: str) -> None:
    page = Page(html)
    assert {id: times for id, times in page.ids.items() if times > 1} == {}
    referred = {value[1:] for value in page.values("href")} | set(re.findall(r"url\(#([^)]+)\)", html))
    referred |= set(page.values("data-table")) | set(page.values("aria-labelledby"))
    assert referred <= set(page.ids)


def test_tables_have_heads_and_plots_say_what_they_show(html: str) -> None:
    page = Page(html)
    assert page.values("role").count("img") == page.tags["svg"] >= 2
    assert page.tags["thead"] == page.tags["table"] >= 2
    assert page.tags["h1"] == 1
    assert all(page.values("aria-label"))


def test_figures_tasks_and_record_are_on_the_page(runs: list[Path]) -> None:
    found = report(recorded(runs[1]))
    page = Page(bench_page(found))
    overall = found.metrics.overall
    assert overall.accuracy is not None
    assert (
        f"{overall.right} of 36 attempts right (12 tasks, 3 attempts at each): accuracy {100 * overall.accuracy.value:.1f} %"
        in page.text
    )
    for name in (
        "pass@k",
        "pass^k",
        "majority@k",
        "best-of-k by confidence",
        "edit similarity",
        "0123456789ab",
        "bubblewrap",
    ):
        assert name in page.text
    assert sorted(page.values("data-level")) == sorted(one.task.level or "" for one in found.tasks)
    assert "Learning between tasks" not in page.text
    assert "Learning between tasks" in Page(told(runs[0])).text


def test_each_task_has_a_page_with_its_steps(runs: list[Path]) -> None:
    page = Page(told(runs[1]))
    assert len([id for id in page.ids if re.fullmatch(r"task-\d+", id)]) == 12
    assert page.values("href").count("#task-3") == 1
    assert page.text.count("print(3 * 7)") == page.text.count("cases showncase-0007") == 36
    assert "of 12 tasks are in this page" not in page.text


def parts(html: str) -> list[int]:
    return sorted(int(number) for number in re.findall(r'<section class="page" id="task-(\d+)"', html))


def test_so_many_steps_as_are_wanted_those_that_were_not_right_first(runs: list[Path]) -> None:
    found = report(recorded(runs[0]))
    wrong = [number for number, one in enumerate(found.tasks) if not one.right]
    assert 2 < len(wrong) < 12
    assert parts(told(runs[0], wrong=True)) == wrong
    assert parts(told(runs[0], most=2)) == wrong[:2]
    assert parts(told(runs[0], most=0)) == []
    assert "--traces none" in told(runs[0], most=0)
    small = told(runs[0], budget=300)
    assert parts(small) == wrong[: len(parts(small))]
    assert 0 < len(parts(small)) < 12
    assert f"The steps of {len(parts(small))} of 12 tasks are in this page" in Page(small).text
    assert all(f">t{n}<" in small for n in range(12)), "the table has every task all the same"


def test_a_text_that_is_too_long_is_cut_and_says_so(tmp_path: Path) -> None:
    html = told(benched.write(tmp_path, [benched.result("t0")], text="x" * 50_000))
    assert len(html) < 400_000
    assert "more characters are on record" in html


def test_what_is_not_ours_is_shown_as_text(tmp_path: Path) -> None:
    tasks = [{"task_id": EVIL, "level": EVIL}, {"task_id": "plain"}]
    evil = benched.result(
        EVIL, 0, "wrong", answer=EVIL, error=EVIL, run_id=EVIL, level=EVIL, calls={EVIL: 1}, scores={EVIL: 0.5}
    )
    good = benched.result(EVIL, answer=EVIL, run_id=EVIL, level=EVIL)
    about: dict[str, Any] = {"tasks": tasks, "model": EVIL, "strategy": EVIL, "settings": {EVIL: EVIL}}
    one = benched.write(tmp_path / "o<b>", [evil, benched.result("plain")], text=EVIL, **about)
    two = benched.write(tmp_path / "two", [good, benched.result("plain")], text=EVIL, **about)
    found = all_recorded([one, two])
    for html in (told(one, two), told(two), comparison_page(found, compared(found))):
        page = Page(html)
        assert page.problems == []
        assert page.tags["script"] == 1
        assert page.tags["img"] == page.tags["b"] == 0
        assert page.text.count("document.title='taken'") > 5
        assert "\x1b" not in html
        assert "\u202e" not in html
        assert "{{ 7*7 }}" in page.text


@pytest.mark.parametrize("verdict", [None, "unjudged"])
def test_a_run_that_has_hardly_begun_or_cannot_be_judged_has_a_page(tmp_path: Path, verdict: str | None) -> None:
    tasks = [{"task_id": "a", "judged": verdict is None}]
    results = [benched.result("a", 0, verdict, reward=None)] if verdict else []
    page = Page(told(benched.write(tmp_path, results, tasks=tasks, finish=False, mode="online")))
    assert page.problems == []
    said = "withholds the answers of all 1 task" if verdict else "Not finished, 0 of 1 done."
    assert said in page.text


def test_a_page_is_made_though_the_records_are_gone(tmp_path: Path) -> None:
    folder = benched.write(tmp_path, [benched.result("t0")])
    (folder / "traces.db").unlink()
    assert "traces.db cannot be used" in Page(told(folder)).text


def test_flipped_tasks_stand_with_both_records(runs: list[Path]) -> None:
    found = all_recorded([runs[0], runs[2]])
    (one,) = compared(found)
    page = Page(comparison_page(found, [one]))
    assert page.values("data-kind") == ["lost"] * len(one.lost) + ["gained"] * len(one.gained)
    assert page.text.count("one, attempt 0: correct") == len(one.lost) > 0
    assert page.text.count("other, attempt 0: correct") == len(one.gained) > 0
    assert page.text.count("print(3 * 7)") == 2 * len(one.lost + one.gained)


def test_the_same_report_gives_the_same_page(runs: list[Path]) -> None:
    assert told(runs[0], runs[2]) == told(runs[0], runs[2])


def test_without_matplotlib_there_is_one_clear_line(runs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    importlib.invalidate_caches()
    with pytest.raises(ConfigError, match=r"pip install 'agentfly-framework\[report\]'"):
        told(runs[0])


def test_a_plot_and_its_table_have_the_same_median() -> None:
    spreads, plots = (importlib.import_module(f"agentfly.pages.{name}") for name in ("spreads", "plots"))
    drawn = spreads.histogram(
        plots.Plot(name="spread", alt=""), {"right": [1.0, 3.0], "not right": [4.0, 10.0]}, "seconds"
    )
    assert "median 3.5" in drawn, "the mean of the two in the middle"
