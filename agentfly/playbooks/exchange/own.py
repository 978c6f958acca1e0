"""Our own JSON, which keeps everything."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentfly.errors import InputError
from agentfly.playbooks.exchange.items import RULES, exact_text
from agentfly.playbooks.exchange.source import MAX_BYTES, shown_in_json
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.rules import Refused, Rules, clean_section, parse_id
from agentfly.types import Bullet, BulletKind

FORMAT = "agentfly-playbook"
Count = Annotated[int, Field(ge=0, lt=2**53)]


class _BulletData(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    section: str
    text: str
    kind: BulletKind = "strategy"
    helpful: Count = 0
    harmful: Count = 0
    shown: Count = 0
    runs: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    version: Count = 0


class _PlaybookData(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["agentfly-playbook"]
    format_version: Literal[1]
    version: Count = 0
    bullets: tuple[_BulletData, ...]


def export_json(playbook: Playbook) -> str:
    """The playbook as JSON, one bullet a line so that files can be compared. `import_json` reads it back, equal."""
    bullets = ",\n  ".join(shown_in_json(json.dumps(_data(bullet), ensure_ascii=False)) for bullet in playbook.bullets)
    listed = f"[\n  {bullets}\n ]" if bullets else "[]"
    return f'{{"format": "{FORMAT}", "format_version": 1, "version": {playbook.version},\n "bullets": {listed}}}\n'


def import_json(text: str, rules: Rules = RULES) -> Playbook:
    """A playbook from our JSON.

    Args:
        text: what `export_json` wrote, perhaps edited since.
        rules: limits on its bullets.

    Raises:
        InputError: names the place and the reason. Nothing is taken from a file with a fault.
    """
    if len(text) >= MAX_BYTES:
        raise InputError(f"a playbook file must have less than {MAX_BYTES} characters; this has {len(text)}")
    try:
        data = _PlaybookData.model_validate_json(text)
    except ValidationError as error:
        raise InputError(_first_problem(error, text)) from None
    first: dict[str, int] = {}
    bullets = []
    for number, item in enumerate(data.bullets, 1):
        if first.setdefault(item.id, number) != number:
            raise InputError(f"{_place(text, number)}: the id {item.id[:40]} is used twice")
        bullets.append(_bullet(text, number, item, rules))
    return Playbook.of(bullets, data.version, rules)


def _place(text: str, number: int, bullet_id: str = "") -> str:
    """Where a bullet stands: its line too, where each has one of its own."""
    lines = [n for n, line in enumerate(text.split("\n"), 1) if re.match(r"[\s\[,]*\{\s*\"id\"", line)]
    at = f"line {lines[number - 1]}, " if len(lines) >= number else ""
    return f"{at}bullet {number}" + (f" ({bullet_id[:40]})" if parse_id(bullet_id) else "")


def _data(bullet: Bullet) -> dict[str, Any]:
    whole = {"id": bullet.id, "section": bullet.section, "text": bullet.text}
    optional = {
        "kind": (bullet.kind, "strategy"),
        "helpful": (bullet.helpful, 0),
        "harmful": (bullet.harmful, 0),
        "shown": (bullet.shown, 0),
        "runs": (bullet.runs, ()),
        "cases": (bullet.cases, ()),
        "version": (bullet.version, 0),
    }
    return whole | {name: value for name, (value, default) in optional.items() if value != default}


def _bullet(source: str, number: int, data: _BulletData, rules: Rules) -> Bullet:
    bullet = Bullet(**data.model_dump())
    try:
        if parse_id(bullet.id) is None:
            raise Refused(f"{bullet.id[:40]!r} is not an id such as str-00001")
        if bullet.text == "":
            raise Refused("the text is empty")
        return replace(
            bullet,
            section=clean_section(bullet.section, rules),
            text=exact_text(bullet.text, bullet.kind, rules),
        )
    except Refused as problem:
        raise InputError(f"{_place(source, number, data.id)}: {problem}") from None


def _first_problem(error: ValidationError, text: str) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    match problem["loc"]:
        case ("bullets", int(index), *rest):
            name = ".".join(map(str, rest))
            return f"{_place(text, index + 1)}: {name + ': ' if name else ''}{problem['msg']}"
        case place:
            name = ".".join(map(str, place)) or "the file"
            return f"this is no playbook in our JSON format: {name}: {problem['msg']}"
