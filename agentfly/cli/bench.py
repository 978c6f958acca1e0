"""`agentfly bench`: numbers on a benchmark's tasks."""

from __future__ import annotations

import typer

from agentfly.cli import bench_compare, bench_export, bench_report, bench_run, bench_score

app = typer.Typer(no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Benchmarks: run an agent on a dataset of tasks, score answers, report on runs, compare and export them.

    \b
    Example:
      agentfly bench run gaia/ --out runs/one --limit 20
    """


app.command("run")(bench_run.run)
app.command("score")(bench_score.score)
app.command("report")(bench_report.report)
app.command("compare")(bench_compare.compare)
app.command("export")(bench_export.export)
