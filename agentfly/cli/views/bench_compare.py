"""Benchmark runs compared, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderableType
from rich.text import Text

from agentfly.bench import words
from agentfly.cli.views.bench_tables import comparison, overview
from agentfly.cli.views.console import text

if TYPE_CHECKING:
    from agentfly.bench.comparing import Comparison
    from agentfly.bench.recorded import Recorded


def compare_view(runs: Sequence[Recorded], found: Sequence[Comparison]) -> RenderableType:
    """Each comparison; of several, all of them in one table first."""
    return _View(runs, found)


@dataclass(frozen=True, slots=True)
class _View:
    runs: Sequence[Recorded]
    found: Sequence[Comparison]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        for run in self.runs:
            yield text(words.run_name(run.run, run.state, run.done, run.planned), "dim")
        if len(self.found) > 1:
            yield from overview(self.found)
            yield text(f"Holm: p adjusted for {len(self.found)} comparisons; intervals are not adjusted.", "dim")
        for one in self.found:
            yield from (Text(), text(f"{one.before} → {one.after}", "bold cyan"))
            yield from comparison(console, one, len(self.found))
