"""`agentfly playbook export`, `import` and `apply`: the playbook and changes to it as files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentfly.cli import options
from agentfly.cli.playbook_home import ledger_of, ledger_with_settings, retired, say_leftovers
from agentfly.errors import InputError

if TYPE_CHECKING:
    from agentfly.playbooks.delta import Delta
    from agentfly.playbooks.exchange import Format
    from agentfly.playbooks.history import Committed
    from agentfly.playbooks.playbook import Playbook

# As the help names them; tests hold them equal to those of `agentfly.playbooks`.
FORMATS = ("json", "ace", "kayba", "agents")
STARTERS = ("coding", "data-analysis", "finance", "general", "web-research")
_PEOPLES = frozenset({".md", ".markdown", ".mdc"})
"""Files that people write: only a part of them is ours to replace."""


def export(
    path: Annotated[str, typer.Argument(metavar="[FILE]", help="The file to write; - is standard output.")] = "-",
    form: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="F", help="One of json, ace, kayba, agents; by default the file's name tells."
        ),
    ] = None,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Write the playbook to a file, which is replaced in one step.

    \b
    json    ours, holds everything (the default)
    ace     ACE's text: ids, sections, counts, texts (the default for .txt)
    kayba   skillbook JSON of kayba's ace-framework: the same
    agents  a part of an AGENTS.md or CLAUDE.md, between two markers: sections and
            texts; the rest of the file stays as it is (the default for .md)

    Checks run and advise nobody: only json holds them.

    \b
    Example:
      agentfly playbook export AGENTS.md
    """
    if path == "-" and as_json:
        raise InputError("the playbook itself goes to standard output; leave --json out, or give a file")
    chosen = _format(form) or _format_of(path)
    if chosen != "agents" and Path(path).suffix.lower() in _PEOPLES:
        raise InputError(f"{path} is for people to write: use --format agents, or give a file of another name")
    with ledger_of(home) as ledger:
        book = ledger.current()
    from agentfly.playbooks.exchange import held

    _write(path, book, chosen)
    written = len(held(book, chosen))
    if as_json:
        from agentfly.cli.streams import print_json

        summary = {"path": path, "format": chosen, "version": book.version, "bullets": written}
        print_json(summary | {"left_out": len(book) - written})
    elif path != "-":
        from agentfly.cli.text import count, one_line

        typer.echo(f"{count(written, 'bullet')} written to {one_line(path)} as {chosen}")
    if written < len(book) and not as_json:
        from agentfly.cli.failures import say
        from agentfly.cli.text import count

        say(f"{count(len(book) - written, 'check')} left out: {chosen} has no place for checks")


def _format(name: str | None) -> Format | None:
    if name is None:
        return None
    for known in FORMATS:
        if known == name:
            return known  # type: ignore[return-value]  # a test holds the two lists equal
    raise InputError(f"--format {name}: there is {', '.join(FORMATS)}")


def _format_of(path: str) -> Format:
    suffix = Path(path).suffix.lower()
    return "agents" if suffix in _PEOPLES else "ace" if suffix == ".txt" else "json"


def _write(path: str, book: Playbook, form: Format) -> None:
    from agentfly.playbooks import exchange
    from agentfly.playbooks.exchange import agents, files

    text = exchange.write(book, form)
    before = files.existing_bytes(path) if form == "agents" else b""
    try:
        data = agents.placed(text, before) if before else text.encode()
    except InputError as problem:
        raise InputError(f"{path}: {problem}; the file is as it was") from None
    files.write_bytes(path, data)


def import_(
    path: Annotated[str | None, typer.Argument(metavar="[FILE]", help="The file to read; - is standard input.")] = None,
    starter: Annotated[
        str | None, typer.Option("--starter", metavar="NAME", help=f"A starter playbook: {', '.join(STARTERS)}.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="F", help="One of json, ace, kayba, agents; by default recognised."),
    ] = None,
    whole: Annotated[
        bool, typer.Option("--replace", help="Make the playbook as the file has it: what is not there is removed.")
    ] = False,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Add the bullets of a file, or of a starter playbook, in one change that can be rolled back.

    Reads what `export` writes: our JSON, ACE's text, kayba's skillbook, the part of an AGENTS.md. Added bullets get
    new ids and count from zero; what is there already, or nearly, is left out. With --replace the playbook becomes
    what the file holds, ids, counts and order too; an id that means another bullet here is not taken over. Of a file
    with a fault nothing is taken.

    \b
    Example:
      agentfly playbook import --starter finance
    """
    if (path is None) == (starter is None):
        raise InputError("give a FILE, or a starter playbook with --starter NAME")
    chosen = _format(form)
    known, read = _read(path, chosen) if path else ("", _starter(starter or ""))
    from agentfly.playbooks.exchange import RULES, as_delta, matched

    reason = f"starter playbook {starter}" if starter else f"imported from {Path(path or '').name}"
    with ledger_with_settings(home, create=True) as ledger:
        if whole:
            base = ledger.current()
            wanted, version = matched(base, read, known), base.version
            done = ledger.replace(wanted, author="import", reason=reason, rules=RULES, expected_version=version)
        else:
            wanted, done = read, ledger.commit(as_delta(read, reason), author="import", rules=RULES)
    _say_imported(done, wanted, as_json)


def _read(path: str, form: Format | None) -> tuple[str, Playbook]:
    from agentfly.playbooks.exchange import files, recognised

    data = files.read_bytes(path)
    try:
        return recognised(data, form)
    except InputError as problem:
        name = "standard input" if path == "-" else path
        raise InputError(f"{name}: {problem}; the playbook stays as it is") from None


def _starter(name: str) -> Playbook:
    from agentfly.playbooks.playbook import Playbook
    from agentfly.playbooks.starter import load_starter

    return Playbook().apply(load_starter(name), strict=True)


def _say_imported(done: Committed, wanted: Playbook, as_json: bool) -> None:
    if as_json:
        _print_done(done)
        return
    from agentfly.cli.failures import say
    from agentfly.cli.text import count, one_line

    for refusal in done.refusals:
        say(f"left out: {one_line(refusal.reason)}: {one_line(wanted.bullets[refusal.index].text)[:60]}")
    went = {change.id for change in done.changes if change.before is not None}
    came = {change.id for change in done.changes if change.after is not None}
    gone = {change.id for change in retired(done)}
    added, removed, kept = len(came - went), len(went - came - gone), len((went & came) - gone)
    parts = [f"{count(added, 'bullet')} added"]
    parts += [f"{removed} removed"] if removed else []
    parts += [f"{kept} changed"] if kept else []
    typer.echo(f"{', '.join(parts)}; the playbook is at version {done.version} ({count(len(done.playbook), 'bullet')})")
    say_leftovers(done)


def apply(
    path: Annotated[str, typer.Argument(metavar="DELTA", help="A delta as JSON; - is standard input.")],
    strict: Annotated[bool, typer.Option("--strict", help="All of it or nothing.")] = False,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Apply a delta, as a change by you. Operations that cannot be carried out are left out and reported with the reason.

    Exit status 1: something was asked for, and nothing of it could be done.

    \b
    A delta is {"reason": "...", "operations": [...]}, an operation one of:
      {"op": "add", "section": "strategies", "text": "..."}
      {"op": "update", "id": "str-00001", "text": "..."}
      {"op": "merge", "ids": ["str-00001", "str-00002"], "text": "..."}
      {"op": "remove", "id": "str-00003"}
      {"op": "tag", "id": "str-00004", "tag": "helpful"}

    \b
    Example:
      agentfly playbook apply delta.json --strict
    """
    delta, bad, places = _delta(path)
    if strict and bad:
        raise InputError("the delta was refused: " + "; ".join(f"operation {at}: {why}" for at, _, why in bad))
    with ledger_with_settings(home) as ledger:
        done = ledger.commit(delta, author="human", strict=strict)
    refusals = [replace(refusal, index=places[refusal.index]) for refusal in done.refusals]
    refused = sorted([*bad, *((refusal.index, refusal.op, refusal.reason) for refusal in refusals)])
    if as_json:
        _print_done(done, refused)
    else:
        _say_applied(done, refused)
    raise typer.Exit(1 if refused and not done.accepted else 0)


def _delta(path: str) -> tuple[Delta, list[tuple[int, str, str]], list[int]]:
    """The well-formed part of a delta; what is not, as (place, op, reason); the places of what is."""
    from agentfly.playbooks.delta import Delta
    from agentfly.playbooks.exchange import files
    from agentfly.playbooks.exchange.source import decoded, seen_lines

    text = decoded(files.read_bytes(path))
    seen_lines(text)
    data = _parsed(text)
    listed = data.get("operations") if isinstance(data, dict) else data
    if not isinstance(listed, list):
        raise InputError('a delta is an object with "operations", a list; see agentfly playbook apply --help')
    bad, places = list[tuple[int, str, str]](), list[int]()
    for number, item in enumerate(listed):
        _, problems = Delta.salvage([item])
        if problems:
            op = str(item.get("op", "?"))[:20] if isinstance(item, dict) else "?"
            bad.append((number, op, problems[0].removeprefix("operation 0: ")))
        else:
            places.append(number)
    return Delta.salvage(data)[0], bad, places


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"line {error.lineno}: this is no JSON: {error.msg}") from None
    except (RecursionError, ValueError):
        raise InputError("this JSON is no delta") from None


def _print_done(done: Committed, refused: list[tuple[int, str, str]] | None = None) -> None:
    from agentfly.cli.streams import print_json
    from agentfly.records import to_data

    if refused is None:
        refused = [(refusal.index, refusal.op, refusal.reason) for refusal in done.refusals]
    print_json(
        {
            "version": done.version,
            "accepted": done.accepted,
            "bullets": len(done.playbook),
            "changes": [to_data(change) for change in done.changes],
            "refused": [{"index": index, "op": op, "reason": reason} for index, op, reason in refused],
        }
    )


def _say_applied(done: Committed, refused: list[tuple[int, str, str]]) -> None:
    from agentfly.cli.failures import say
    from agentfly.cli.text import one_line
    from agentfly.cli.views import console, playbook

    for index, op, reason in refused:
        say(f"operation {index} ({one_line(op)}) refused: {one_line(reason)}")
    if done.accepted:
        typer.echo(f"the playbook is at version {done.version}")
        playbook.changes(console.out(), done.changes)
    else:
        typer.echo(f"nothing changed: the playbook stays at version {done.version}")
    say_leftovers(done)
