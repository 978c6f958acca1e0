"""The page in a real browser: nothing that data holds runs, the filter works, a phone is wide enough, dark is dark."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.learned import grown

from agentfly.learning.report import report
from agentfly.pages.learning import learning_page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium or Chrome on this machine")
EVIL = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
DRIVER = """<script>
const form = document.querySelector("form.filter"), rows = [...document.querySelectorAll("#samples tbody tr")];
const shown = () => rows.filter((row) => row.offsetParent !== null).length;
const told = [shown(), innerWidth, document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor];
const set = (name, value) => {
  form.elements[name].value = value;
  form.elements[name].dispatchEvent(new Event("input", {bubbles: true}));
};
set("phase", "learn"); told.push(shown());
set("verdict", "wrong"); told.push(shown());
set("words", "TRAIN-7 l-learn-2-7"); told.push(shown(), form.querySelector("output").textContent);
set("words", ""); set("phase", ""); set("verdict", ""); told.push(shown());
document.title = told.join("|");
</script>"""


def look(page: Path, profile: Path, *options: str) -> tuple[str, str]:
    """The page as it stands when its scripts have run, and what the browser said meanwhile."""
    assert BROWSER is not None
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        f"--user-data-dir={profile}", "--enable-logging=stderr", *options, "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    return learning_page(report(*grown(tmp_path_factory.mktemp("home"), evil=EVIL)))


def test_only_the_script_of_the_page_runs(html: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(html)
    seen, said = look(tmp_path / "page.html", tmp_path / "profile")
    title = re.search("<title>(.*?)</title>", seen)
    assert title is not None
    assert title[1].startswith("Learning over a dataset")
    assert re.search(r"<output[^>]*>(\d+) of \1 rows</output>", seen), "the filter was not set up"
    assert '<form class="filter" data-table="samples">' in seen
    assert "Content Security Policy" not in said
    assert "<img" not in seen


def test_the_policy_stops_what_the_escaping_would_have_let_through(html: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(html.replace("</main>", EVIL + "</main>"))
    seen, said = look(tmp_path / "page.html", tmp_path / "profile")
    assert "<title>taken</title>" not in seen
    assert "Content Security Policy" in said


def test_the_filter_the_width_of_a_phone_and_the_dark(html: str, tmp_path: Path) -> None:
    driven = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html).replace(
        "</body>", DRIVER + "</body>"
    )
    (tmp_path / "page.html").write_text(driven)
    dark = "--blink-settings=preferredColorScheme=0"
    seen, _ = look(tmp_path / "page.html", tmp_path / "profile", "--window-size=400,800", dark)
    title = re.search("<title>(.*?)</title>", seen)
    assert title is not None
    every, window, width, paper, learn, wrong, found, told, again = title[1].split("|")
    assert int(every) == int(again) == html.count("data-verdict=")
    assert int(learn) == len(re.findall(r'data-phase="learn"', html))
    assert int(wrong) == len(re.findall(r'data-phase="learn" data-verdict="wrong"', html))
    row = r'data-phase="learn" data-verdict="wrong"(?:(?!</tr>).)*>L-learn-2-7\d*<'
    assert int(found) == len(re.findall(row, html, re.DOTALL)) > 0
    assert told == f"{found} of {every} rows"
    assert int(width) <= int(window) <= 500, "the page is wider than its window"
    assert paper == "rgb(20, 23, 28)"
