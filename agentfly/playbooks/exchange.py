"""Playbooks as files: our own JSON, which keeps everything."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentfly.errors import InputError
from agentfly.playbooks.delta import Add, Delta
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.rules import Refused, Rules
from agentfly.playbooks.text import clean_text
from agentfly.types import Bullet, BulletKind

FORMAT = "agentfly-playbook"
MAX_BYTES = 5_000_000
"""Largest file that is read: what is larger is no playbook."""
_RULES = Rules(chars=2_000)
"""Other tools and people write longer bullets than we let a model write."""

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
    bullets = ",\n  ".join(json.dumps(_data(bullet), ensure_ascii=False) for bullet in playbook.bullets)
    listed = f"[\n  {bullets}\n ]" if bullets else "[]"
    return f'{{"format": "{FORMAT}", "format_version": 1, "version": {playbook.version},\n "bullets": {listed}}}\n'


def import_json(text: str, rules: Rules = _RULES) -> Playbook:
    """A playbook from our JSON.

    Args:
        text: what `export_json` wrote, perhaps edited since.
        rules: limits on its bullets.

    Raises:
        InputError: names the place and the reason. Nothing is taken from a file with a fault.
    """
    if len(text) > MAX_BYTES:
        raise InputError(f"a playbook file may have {MAX_BYTES} characters; this has {len(text)}")
    try:
        data = _PlaybookData.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"this is no playbook in our JSON format: {_first_problem(error)}") from None
    bullets = [_bullet(number, item, rules) for number, item in enumerate(data.bullets, 1)]
    return Playbook.of(bullets, data.version, rules)


def as_delta(playbook: Playbook, reason: str = "imported") -> Delta:
    """The bullets as a delta that adds them to another playbook: new ids, texts and provenance kept, counts from zero."""
    operations = [
        Add(section=b.section, text=b.text, kind=b.kind, runs=b.runs, cases=b.cases) for b in playbook.bullets
    ]
    return Delta(reason=reason, operations=tuple(operations))


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


def _bullet(number: int, data: _BulletData, rules: Rules) -> Bullet:
    bullet = Bullet(**data.model_dump())
    try:
        return replace(bullet, text=clean_text(bullet.text, rules.chars, lines=bullet.kind != "strategy"))
    except Refused as problem:
        raise InputError(f"bullet {number} ({bullet.id[:40]}): {problem}") from None


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, problem['loc'])) or 'the file'}: {problem['msg']}"
