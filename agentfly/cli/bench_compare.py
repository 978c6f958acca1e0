"""`agentfly bench compare`: benchmark runs on the same tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentfly.cli import bench_report, options


def compare(
    dirs: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR_A DIR_B...", help="Folders of benchmark runs; the first is what others are compared with."
        ),
    ],
    every_pair: Annotated[
        bool, typer.Option("--every-pair", help="Compare each with each, not only with the first.")
    ] = False,
    html: bench_report.Html = None,
    traces: bench_report.Traces = "auto",
    force: bench_report.Force = False,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Compare benchmark runs task by task: difference with interval, tests, and which tasks were gained and lost.

    \b
    Example:
      agentfly bench compare before/ after/
    """
    from agentfly.cli.bench_page import which
    from agentfly.cli.page_file import page_path

    page, shown = page_path(html, "--html"), which(traces)
    from agentfly.bench.comparisons import compared, comparisons_data
    from agentfly.bench.recorded import all_recorded
    from agentfly.errors import InputError

    if len(dirs) < 2:
        raise InputError("comparing takes two benchmark runs or more: agentfly bench compare DIR_A DIR_B")
    runs = all_recorded(dirs)
    found = compared(runs, every_pair=every_pair, force=force)
    if as_json:
        from agentfly.cli.streams import print_json

        print_json(comparisons_data(runs, found))
    else:
        from agentfly.cli.views import console
        from agentfly.cli.views.bench_compare import compare_view

        console.out().print(compare_view(runs, found))
    if page is not None:
        from agentfly.cli.bench_page import write
        from agentfly.pages.comparison import comparison_page

        write(page, comparison_page(runs, found, shown))
