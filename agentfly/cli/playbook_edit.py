"""`agentfly playbook edit`: the playbook in a person's own editor."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentfly.cli import options
from agentfly.cli.playbook_home import ledger_with_settings, say_leftovers
from agentfly.errors import InputError

if TYPE_CHECKING:
    from agentfly.playbooks.exchange.form import Edit
    from agentfly.playbooks.history import Committed
    from agentfly.playbooks.ledger import PlaybookLedger
    from agentfly.playbooks.playbook import Playbook

_EDITORS = ("sensible-editor", "nano", "vim", "vi")


def edit(
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Go on with a text that was kept.")
    ] = None,
    home: options.Home = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Open the playbook in $VISUAL or $EDITOR; what you save becomes one change by you, which can be rolled back.

    A changed text is an update, a deleted line a removal, a new line an addition; counts and ids stay. A text that
    cannot be taken is refused with its line and the reason, and kept in a file; the playbook stays as it is. Nothing
    happens when you change nothing, or when the editor ends with an error.

    \b
    Example:
      agentfly playbook edit
    """
    command = _editor()
    with ledger_with_settings(home) as ledger:
        base, start = _start(ledger, source)
        path = _temporary(start)
        done = _rounds(ledger, base, start, path, command)
    if as_json:
        from agentfly.cli.streams import print_json
        from agentfly.records import to_data

        changes = [to_data(change) for change in done.changes] if done else []
        print_json({"version": done.version if done else base.version, "accepted": bool(changes), "changes": changes})
    elif done is None or not done.accepted:
        typer.echo("nothing changed")
    else:
        from agentfly.cli.views import console, playbook

        typer.echo(f"the playbook is at version {done.version}")
        playbook.changes(console.out(), done.changes)
        say_leftovers(done)


def _editor() -> list[str]:
    given = os.environ.get("VISUAL", "").strip() or os.environ.get("EDITOR", "").strip()
    if given:
        try:
            return shlex.split(given)
        except ValueError as problem:
            raise InputError(f"$EDITOR cannot be read: {problem}") from None
    found = next((path for name in _EDITORS if (path := shutil.which(name))), None)
    if found is None or not sys.stdin.isatty():
        raise InputError("set $EDITOR to an editor, such as EDITOR=nano; or use agentfly playbook apply DELTA.json")
    return [found]


def _start(ledger: PlaybookLedger, source: Path | None) -> tuple[Playbook, bytes]:
    """The playbook that is edited, and the text that the editor opens."""
    from agentfly.playbooks.exchange import files, form

    base = ledger.current()
    if source is None:
        return base, form.write(base).encode()
    text = files.read_bytes(str(source))
    version = form.version_of(text)
    return (base if version is None else ledger.at(version)), text


def _temporary(text: bytes) -> Path:
    handle, name = tempfile.mkstemp(prefix="agentfly-playbook-", suffix=".md")
    with os.fdopen(handle, "wb") as file:
        file.write(text)
    return Path(name)


def _rounds(ledger: PlaybookLedger, base: Playbook, start: bytes, path: Path, command: list[str]) -> Committed | None:
    """Edit until it can be kept or the person gives up. None: nothing was changed."""
    from agentfly.cli.failures import say
    from agentfly.playbooks.exchange import files, form

    before = form.write(base).encode()
    while True:
        _run(command, path, start)
        try:
            text = files.read_bytes(str(path))
            if text == before:
                path.unlink()
                return None
            done = _commit(ledger, base, text)
        except InputError as problem:
            if _asks():
                say(f"{problem}; the playbook stays as it is")
                if typer.confirm("Edit again?", default=True, err=True):
                    continue
            raise InputError(f"{problem}; the playbook stays as it is{_kept(path)}") from None
        path.unlink(missing_ok=True)
        return done


def _run(command: list[str], path: Path, start: bytes) -> None:
    try:
        status = subprocess.run([*command, str(path)], check=False).returncode
    except OSError as problem:
        path.unlink(missing_ok=True)
        raise InputError(f"the editor {command[0]} cannot be started: {problem.strerror or problem}") from None
    if status:
        unchanged = path.is_file() and path.read_bytes() == start
        if unchanged:
            path.unlink()
        raise InputError(
            f"the editor ended with status {status}: nothing was changed{'' if unchanged else _kept(path)}"
        )


def _kept(path: Path) -> str:
    if not path.is_file():
        return ""
    return f"; your text is in {path}, go on with: agentfly playbook edit --from {shlex.quote(str(path))}"


def _asks() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _commit(ledger: PlaybookLedger, base: Playbook, text: bytes) -> Committed:
    """Keep an edit, on the newest version: what others changed meanwhile stays, unless both touched the same bullet."""
    from agentfly.playbooks.exchange import RULES, form

    change = form.read(text, base)
    newest = ledger.current()
    _check_collisions(change, base, newest)
    form.check(change, newest)
    _say_moved(change)
    return ledger.commit(change.delta, author="human", strict=True, rules=RULES, expected_version=newest.version)


def _check_collisions(change: Edit, base: Playbook, newest: Playbook) -> None:
    from agentfly.playbooks.exchange import form

    both = form.collisions(change, base, newest)
    if both:
        raise InputError(f"{', '.join(both[:5])}: changed by somebody else since version {base.version}; edit it anew")


def _say_moved(change: Edit) -> None:
    if change.moved:
        from agentfly.cli.failures import say
        from agentfly.cli.text import count

        say(
            f"{count(change.moved, 'bullet')} under another heading: sections of bullets are not changed by moving them"
        )
