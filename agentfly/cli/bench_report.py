"""`agentfly bench report`: what came of a benchmark run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentfly.cli import options

RunFolder = Annotated[
    Path, typer.Argument(metavar="DIR", help="The folder of a benchmark run; it may still be running.")
]
Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a page with plots, tasks and steps; replaces the file."),
]
Traces = Annotated[
    str,
    typer.Option(
        "--traces",
        metavar="WHICH",
        help="Tasks whose steps are in the page: all, wrong, none, or the first N, wrong ones first. Default: as many as 4 MB hold.",
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Compare although the datasets differ: tasks are paired by their ids.")
]


def report(
    dir: RunFolder,
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", metavar="DIR", help="An earlier run to compare with; may be given several times."),
    ] = None,
    html: Html = None,
    traces: Traces = "auto",
    force: Force = False,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Tell what came of a benchmark run. Every selected task counts, whatever became of it.

    \b
    Example:
      agentfly bench report out/ --against earlier/ --html report.html
    """
    from agentfly.cli.bench_page import which
    from agentfly.cli.page_file import page_path

    page, shown = page_path(html, "--html"), which(traces)
    from agentfly.bench.recorded import all_recorded
    from agentfly.bench.reporting import report as made
    from agentfly.bench.reporting import report_data

    run, *earlier = all_recorded([dir, *(against or [])])
    found = made(run, earlier, force=force)
    if as_json:
        from agentfly.cli.streams import print_json

        print_json(report_data(found))
    else:
        from agentfly.cli.views import console
        from agentfly.cli.views.bench_report import report_view

        console.out().print(report_view(found))
    if page is not None:
        from agentfly.cli.bench_page import write
        from agentfly.pages.bench import bench_page

        write(page, bench_page(found, shown))
