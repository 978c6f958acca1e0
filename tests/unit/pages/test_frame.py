"""Plots, text and files of pages."""

from __future__ import annotations

import threading
import unicodedata
from pathlib import Path
from xml.etree import ElementTree

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.errors import InputError
from agentfly.pages import frame, plots
from agentfly.pages.text import shorten, visible

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


# Text


@given(st.text(st.characters()))
def test_nothing_hidden_is_left(text: str) -> None:
    shown = visible(text)
    assert [c for c in shown if unicodedata.category(c) in ("Cc", "Cs", "Cn", "Zl", "Zp") and c not in "\n\t"] == []
    shown.encode()
    assert visible(shown) == shown


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs", "M"])))
def test_what_can_be_seen_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_letters_that_are_joined_stay_joined() -> None:
    assert visible("👩‍💻 می‌خواهم\tand\nso on") == "👩‍💻 می‌خواهم\tand\nso on"


@given(st.text(), st.integers(2, 40))
def test_a_line_is_one_line_and_no_longer(text: str, most: int) -> None:
    line = shorten(text, most)
    assert len(line) <= most
    assert "\n" not in line


# Plots


def drawn() -> dict[str, str]:
    curve = plots.Curve(
        name="a $x_1$ <b>&", x=[0, 4, 8], y=[0.1, 0.5, 0.9], low=[0, 0.4, 0.8], high=[0.3, 0.6, 1], ringed=(1, "kept")
    )
    points = plots.Curve(name="points", x=[2], y=[0.5], low=[0.2], high=[0.8], line=False)
    told = plots.Plot(name="one", alt="what <it> shows")
    shares = [plots.Share(name="base", value=0.4, low=0.3, high=0.5), plots.Share(name="$y$", value=0, low=0, high=0.2)]
    return {
        "curves": plots.curves(told, [plots.joined([curve, curve]), points], "samples", [4.5]),
        "shares": plots.shares(told, shares),
        "bars": plots.bars(told, "tokens", ["base", "learning\x00"], [12.0, 3456.0]),
        "lines": plots.lines(
            told, [0, 1], {"cases": {"cases": [0, 3]}, "book": {"bullets": [0, 1], "checks": [0, 0]}}, "x"
        ),
    }


@pytest.fixture(scope="module")
def all_plots() -> dict[str, str]:
    return drawn()


@pytest.mark.parametrize("kind", ["curves", "shares", "bars", "lines"])
def test_a_plot_is_svg_with_ids_of_its_own_and_a_text(all_plots: dict[str, str], kind: str) -> None:
    root = ElementTree.fromstring(all_plots[kind])
    assert root.tag == f"{SVG}svg"
    assert (root.get("role"), root.get("aria-label")) == ("img", "what <it> shows")
    assert root.get("width") is None, "the page gives the width"
    ids = [element.get("id", "") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert all(id.startswith("one-") for id in ids)
    links = {element.get("href", "#one-")[1:] for element in root.iter(f"{SVG}use")}
    assert links <= set(ids)
    assert [element.tag for element in root.iter() if element.tag in (f"{SVG}style", f"{SVG}metadata")] == []
    assert "font-family" not in all_plots[kind]


def test_letters_of_a_plot_are_text_and_mean_themselves(all_plots: dict[str, str]) -> None:
    assert "a $x_1$ <b>&" in texts(all_plots["curves"])
    assert "$y$" in texts(all_plots["shares"])
    assert "learning\\u0000" in texts(all_plots["bars"])
    assert "3,456" in texts(all_plots["bars"])
    assert {"cases", "book", "bullets", "checks"} <= set(texts(all_plots["lines"]))
    assert {"base", "40.0", "0.0"} <= set(texts(all_plots["shares"]))


def test_the_same_figures_give_the_same_plot(all_plots: dict[str, str]) -> None:
    assert drawn() == all_plots


def test_drawing_leaves_the_settings_of_matplotlib_as_they_were() -> None:
    from matplotlib import rcParams

    before = {name: rcParams[name] for name in ("font.size", "text.parse_math", "svg.hashsalt", "axes.spines.top")}
    drawn()
    assert {name: rcParams[name] for name in before} == before


# Files


def test_a_page_that_is_replaced_is_never_seen_by_half(tmp_path: Path) -> None:
    path, pages = tmp_path / "page.html", [letter * 400_000 for letter in "ab"]
    frame.write_page(path, pages[0])
    seen, done = set[str](), threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(40):
        frame.write_page(path, pages[number % 2])
    done.set()
    reader.join()
    assert seen <= set(pages)
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]


def test_a_page_that_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write the page .*missing/page.html: No such file"):
        frame.write_page(tmp_path / "missing" / "page.html", "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="cannot write the page"):
        frame.write_page(tmp_path / "folder", "x")
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


def test_a_value_that_a_page_lacks_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        frame.page("learning.html", "title")
