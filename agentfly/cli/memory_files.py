"""`agentfly memory export` and `import`: cases as files of JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentfly.cli import options
from agentfly.cli.memory_bank import bank_of, bank_with_settings
from agentfly.errors import InputError

if TYPE_CHECKING:
    from agentfly.memory.exchange import ImportReport


def export(
    path: Annotated[str, typer.Argument(metavar="FILE", help="The file to write; - is standard output.")],
    everything: Annotated[
        bool, typer.Option("--all", help="Cases of every status: superseded, quarantined and pruned ones too.")
    ] = False,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Write the cases to a file, one JSON object a line, with everything that is known of each.

    The file is replaced in one step: it is there whole or not at all.

    \b
    Example:
      agentfly memory export cases.jsonl --all
    """
    if path == "-" and as_json:
        raise InputError("the cases themselves go to standard output; leave --json out, or give a file")
    with bank_of(home) as bank:
        written = bank.export_to(path, everything=everything)
    if as_json:
        from agentfly.cli.streams import print_json

        print_json({"cases": written, "path": path})
    elif path != "-":
        from agentfly.cli.text import count, one_line

        typer.echo(f"{count(written, 'case')} written to {one_line(path)}")


def import_(
    path: Annotated[str, typer.Argument(metavar="FILE", help="JSON lines; - is standard input.")],
    domain: Annotated[str, typer.Option("--domain", metavar="D", help="Domain for cases that bring none.")] = "",
    tags: Annotated[
        list[str] | None, typer.Option("--tag", metavar="T", help="A tag for all; may be given several times.")
    ] = None,
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Keep them out of recall until you `restore` them.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when a line could not be read.")] = False,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Read cases from a file: what `export` wrote, Memento's memory.jsonl, or questions and answers.

    Cases that are there already are recognised. A line that cannot be read is reported with its number and reason,
    the rest is imported. Each batch is kept as it is done: what was broken off is imported again with no harm.

    \b
    A line is one of:
      {"format": "agentfly-case", ...}                       as `export` writes it
      {"case": ..., "plan": ..., "case_label": "positive"}   Memento
      {"question": ..., "answer": ...}                       plain; context, target and ground_truth will do

    \b
    Example:
      agentfly memory import memory.jsonl --domain questions
    """
    if any(not tag.strip() for tag in tags or ()):
        raise InputError("a tag must not be empty")
    _check_source(path)
    with bank_with_settings(home, create=True) as (bank, _):
        from agentfly.cli.views import progress

        with progress.counted("importing", lambda: _lines(path)) as done:
            report = bank.import_from(path, domain=domain, tags=tags or (), quarantine=quarantine, progress=done)
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        print_json(to_data(report))
    else:
        _say(report, quarantine)
    raise typer.Exit(1 if strict and report.bad else 0)


def _check_source(path: str) -> None:
    """Before a home is made for it.

    Raises:
        InputError: there is nothing to read.
    """
    if path != "-" and Path(path).expanduser().is_dir():
        raise InputError(f"{path} is a folder; give a file with one JSON object a line")
    if path != "-" and not Path(path).expanduser().exists():
        raise InputError(f"no such file: {path}")


def _lines(path: str) -> int | None:
    """How many lines a file has, as far as that can be told without using it up."""
    file = Path(path).expanduser()
    if path == "-" or not file.is_file():
        return None
    try:
        with file.open("rb") as stream:
            return sum(piece.count(b"\n") for piece in iter(lambda: stream.read(2**20), b""))
    except OSError:  # reading it in earnest will say what is wrong
        return None


def _say(report: ImportReport, quarantined: bool) -> None:
    from agentfly.cli.failures import say
    from agentfly.cli.text import count, one_line
    from agentfly.cli.views import console
    from agentfly.cli.views import memory as view

    for problem in report.problems:
        say(f"line {problem.number}: {one_line(problem.reason)}")
    if report.bad > len(report.problems):
        say(f"and {count(report.bad - len(report.problems), 'more bad line')}")
    view.imported(console.out(), report, quarantined)
