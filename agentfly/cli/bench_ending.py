"""What `agentfly bench run` says at its end: what `agentfly bench report` says of the folder."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def output(folder: Path, as_json: bool) -> Iterator[Callable[[], None]]:
    """What shows the results: one JSON object with nothing beside it, or tables for people."""
    if not as_json:
        yield lambda: _draw(folder)
        return
    from agentfly.cli.streams import reserved_stdout

    with reserved_stdout() as put:

        def tell() -> None:
            from agentfly.bench.recorded import recorded
            from agentfly.bench.reporting import report, report_data

            put(report_data(report(recorded(folder))))

        yield tell


def _draw(folder: Path) -> None:
    from agentfly.bench.recorded import recorded
    from agentfly.bench.reporting import report
    from agentfly.cli.views.bench_report import report_view
    from agentfly.cli.views.console import err, out, text

    found = recorded(folder)
    out().print(report_view(report(found)))
    err().print(text(f"agentfly: the results are in {found.path}; agentfly bench report tells more"), soft_wrap=True)
