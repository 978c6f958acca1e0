"""The report of a course of learning: for people, as JSON, as a page."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agentfly.cli.page_file import page_path
from agentfly.errors import InputError

if TYPE_CHECKING:
    from agentfly.learning.report import Report


def show_course(id: str | None, home: Path | None, page: Path | None, as_json: bool) -> None:
    """Show what is on record of a course.

    Args:
        id: of the course; None is the one that was begun last.
        home: the folder as given.
        page: where to write the HTML page.
        as_json: print JSON.

    Raises:
        InputError: there is none.
        HomeError: there is no home.
    """
    checked = page_path(page, "--report")
    from agentfly.cli.home import opened

    with opened(home) as found, output(as_json, checked) as put:
        from agentfly.learning.report import report
        from agentfly.store.adaptations import AdaptationStore
        from agentfly.store.runs import RunStore

        store = AdaptationStore(found.db)
        chosen = id or store.latest()
        if chosen is None:
            raise InputError("nothing was learned over a dataset here yet: agentfly learn DATASET")
        put(report(store, chosen, RunStore(found.db)))


@contextlib.contextmanager
def output(as_json: bool, page: Path | None) -> Iterator[Callable[[Report], None]]:
    """What shows a report: one JSON object with nothing beside it, or tables for people; and the page."""
    if not as_json:
        yield lambda report: _draw(report, page)
        return
    from agentfly.cli.streams import reserved_stdout
    from agentfly.learning.report import contract

    with reserved_stdout() as put:

        def tell(report: Report) -> None:
            _write(report, page)
            put({"id": report.id, **contract(report)})

        yield tell


def _draw(report: Report, page: Path | None) -> None:
    from agentfly.cli.views import console
    from agentfly.cli.views.learning import learning_view

    console.out().print(learning_view(report))
    _write(report, page)


def _write(report: Report, page: Path | None) -> None:
    if page is None:
        return
    from agentfly.cli.failures import say
    from agentfly.pages.frame import write_page
    from agentfly.pages.learning import learning_page

    try:
        write_page(page, learning_page(report))
    except InputError as error:
        raise InputError(f"{error}; `agentfly learn --show {report.id} --report FILE` writes it elsewhere") from None
    say(f"the report is in {page}")
