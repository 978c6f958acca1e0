"""Playbooks as files: our own JSON, ACE's text, kayba's skillbook, and a part of an AGENTS.md.

Which format holds what stands at the top of each module. No text in a bullet can break a format: what comes back is
equal, letter for letter, or it is refused with its place and the reason.
"""

from __future__ import annotations

import json
from typing import Literal, get_args

from agentfly.errors import InputError
from agentfly.playbooks.delta import Add, Delta
from agentfly.playbooks.exchange import ace, agents, kayba
from agentfly.playbooks.exchange.items import RULES, in_operation
from agentfly.playbooks.exchange.matching import matched
from agentfly.playbooks.exchange.own import FORMAT, export_json, import_json
from agentfly.playbooks.exchange.source import MAX_BYTES, decoded, seen_lines
from agentfly.playbooks.playbook import Playbook
from agentfly.types import Bullet

__all__ = [
    "FORMATS",
    "MAX_BYTES",
    "RULES",
    "Format",
    "as_delta",
    "detect",
    "export_json",
    "held",
    "import_json",
    "matched",
    "read",
    "recognised",
    "write",
]

Format = Literal["json", "ace", "kayba", "agents"]
FORMATS: tuple[Format, ...] = get_args(Format)


def held(playbook: Playbook, form: Format) -> tuple[Bullet, ...]:
    """The bullets that a format has a place for: all in our JSON; elsewhere no checks, which run and advise nobody."""
    return tuple(bullet for bullet in playbook.bullets if form == "json" or bullet.kind != "check")


def write(playbook: Playbook, form: Format) -> str:
    """The playbook in a format; for ``agents`` the part alone, see `agents.placed`."""
    if form == "json":
        return export_json(playbook)
    return {"ace": ace.write, "kayba": kayba.write, "agents": agents.write}[form](held(playbook, form))


def read(data: bytes, form: Format | None = None) -> Playbook:
    """A playbook from a file.

    Args:
        data: the file.
        form: its format; None recognises it.

    Raises:
        InputError: too large, not UTF-8, no format that is known, or a fault in it: names the line and the reason.
            Nothing is taken from a file with a fault.
    """
    return recognised(data, form)[1]


def recognised(data: bytes, form: Format | None = None) -> tuple[Format, Playbook]:
    """The format of a file too; otherwise as `read`."""
    text = decoded(data)
    if form in {"json", "kayba"} or (form is None and _like_json(text)):
        seen_lines(text)
    chosen = form or detect(text)
    readers = {"json": import_json, "ace": ace.read, "kayba": kayba.read, "agents": agents.read}
    return chosen, readers[chosen](text)


def detect(text: str) -> Format:
    """The format of a text, by what stands in it.

    Raises:
        InputError: none that is known.
    """
    if _like_json(text):
        return _json_kind(text)
    if agents.looks_like(text):
        return "agents"
    if ace.looks_like(text):
        return "ace"
    raise InputError(f"no playbook format is recognised; name it with --format: {', '.join(FORMATS)}")


def _like_json(text: str) -> bool:
    return text.lstrip().startswith(("{", "[{", '["'))


def _json_kind(text: str) -> Format:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"line {error.lineno}: this is no JSON: {error.msg}") from None
    except (RecursionError, ValueError):
        raise InputError("this JSON is no playbook") from None
    if isinstance(data, dict) and data.get("format") == FORMAT:
        return "json"
    if kayba.looks_like(data):
        return "kayba"
    if isinstance(data, list) or (isinstance(data, dict) and "operations" in data):
        raise InputError("this is a delta and no playbook: use agentfly playbook apply")
    raise InputError(f'this JSON is no playbook: it has neither "format": "{FORMAT}" nor "skills" or "bullets"')


def as_delta(playbook: Playbook, reason: str = "imported") -> Delta:
    """The bullets as a delta that adds them to another playbook: new ids, texts and provenance kept, counts from zero."""
    operations = [
        Add(section=b.section, text=in_operation(b.text), kind=b.kind, runs=b.runs, cases=b.cases)
        for b in playbook.bullets
    ]
    return Delta(reason=reason, operations=tuple(operations))
