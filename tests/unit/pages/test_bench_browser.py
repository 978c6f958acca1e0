"""The pages on benchmark runs in a real browser: the table is searched and sorted, a task has a page of its own, nothing in data runs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support import benched

from agentfly.bench.comparisons import compared
from agentfly.bench.recorded import all_recorded
from agentfly.bench.reporting import report
from agentfly.pages.bench import bench_page
from agentfly.pages.comparison import comparison_page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium or Chrome on this machine")
EVIL = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
DRIVER = """<script>
const table = document.getElementById("tasks"), form = document.querySelector("form.filter");
const rows = () => [...table.tBodies[0].rows].filter((row) => row.offsetParent !== null);
const column = (name) => [...table.tHead.rows[0].cells].findIndex((head) => head.textContent.trim() === name);
const cells = (name) => rows().map((row) => row.cells[column(name)].textContent.trim()).join(" ");
const press = (name) => table.tHead.rows[0].cells[column(name)].querySelector("button").click();
const set = (name, value) => {
  form.elements[name].value = value;
  form.elements[name].dispatchEvent(new Event("input", {bubbles: true}));
};
const told = {all: rows().length, window: innerWidth, width: document.documentElement.scrollWidth};
told.paper = getComputedStyle(document.body).backgroundColor;
set("level", "2"); told.level = rows().length;
set("verdict", "error"); told.both = rows().length;
set("level", ""); set("verdict", ""); set("words", "T7"); told.words = cells("task");
told.output = form.querySelector("output").textContent; set("words", "");
press("tokens"); told.most = cells("tokens"); told.aria = table.querySelector("[aria-sort]").ariaSort;
press("tokens"); told.least = cells("tokens");
press("task"); told.names = cells("task");
press("right of 3"); told.right = cells("right of 3");
const seen = (selector) => document.querySelector(selector).offsetParent !== null;
told.before = [seen(".overview"), seen("#task-4")];
location.hash = "#task-4";
requestAnimationFrame(() => setTimeout(() => {
  told.after = [seen(".overview"), seen("#task-4"), seen("#task-5")];
  location.hash = "#tasks-head";
  requestAnimationFrame(() => setTimeout(() => {
    told.back = [seen(".overview"), seen("#task-4")];
    document.title = JSON.stringify(told);
  }, 50));
}, 50));
</script>"""


def look(page: Path, profile: Path, *options: str) -> tuple[str, str]:
    """The page as it stands when its scripts have run, and what the browser said meanwhile."""
    assert BROWSER is not None
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        f"--user-data-dir={profile}", "--enable-logging=stderr", "--virtual-time-budget=3000", *options, "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    home = tmp_path_factory.mktemp("runs")
    return [
        benched.write(home / name, benched.varied(seed, 3), attempts=3, text=EVIL, strategy=EVIL)
        for seed, name in enumerate(("one", "two"))
    ]


def title(seen: str) -> str:
    found = re.search("<title>(.*?)</title>", seen)
    assert found is not None
    return found[1]


def test_only_the_script_of_the_pages_runs(folders: list[Path], tmp_path: Path) -> None:
    runs = all_recorded(folders)
    pages = {"report": bench_page(report(runs[0], runs[1:])), "compare": comparison_page(runs, compared(runs))}
    for name, html in pages.items():
        page = tmp_path / f"{name}.html"
        page.write_text(html)
        seen, said = look(page, tmp_path / "profile")
        assert title(seen).startswith(("Benchmark run one", "Comparison of one and two"))
        assert "Content Security Policy" not in said
        assert "<img" not in seen
        assert re.search(r"<output[^>]*>(\d+) of \1 rows</output>", seen), "the filter was not set up"
        assert re.search(r'<th scope="col" class="number"><button type="button">', seen), "sorting was not set up"


def test_searching_sorting_and_the_page_of_a_task_on_a_phone_in_the_dark(folders: list[Path], tmp_path: Path) -> None:
    import html
    import json

    found = report(all_recorded(folders)[0])
    driven = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", bench_page(found))
    page = tmp_path / "page.html"
    page.write_text(driven.replace("</body>", DRIVER + "</body>"))
    seen, _ = look(page, tmp_path / "profile", "--window-size=400,800", "--blink-settings=preferredColorScheme=0")
    told = json.loads(html.unescape(title(seen)))
    tasks = found.tasks
    assert told["all"] == 12
    assert told["level"] == 4
    assert told["both"] == sum(one.task.level == "2" and "error" in one.verdicts for one in tasks) > 0
    assert told["words"] == "t7"
    assert told["output"] == "1 of 12 rows"
    tokens = sorted((sum(result.usage.tokens for result in one.made) for one in tasks), reverse=True)
    assert told["most"] == " ".join(f"{number:,}" for number in tokens)
    assert told["least"] == " ".join(f"{number:,}" for number in reversed(tokens))
    assert told["aria"] == "descending"
    assert told["names"] == " ".join(f"t{number}" for number in range(12)), "in the order of the numbers in them"
    assert told["right"] == " ".join(sorted((str(one.right) for one in tasks), reverse=True))
    assert told["before"] == [True, False]
    assert told["after"] == [False, True, False]
    assert told["back"] == [True, False]
    assert told["width"] <= told["window"] <= 500, "the page is wider than its window"
    assert told["paper"] == "rgb(20, 23, 28)"
