"""The skillbook of kayba's ace-framework, as JSON.

Its shapes so far, all of which are read: ``bullets`` (the first playbooks), ``skills`` with a ``content`` each, and
schema version 2, where a skill has an ``issue``, an ``insight`` and keywords. Written is version 2, the only one that it
reads today. It holds id, section, text and the two counts; not kind, exposures, provenance and version, as ACE's text
does not. Its neutral counts, times and sources have no place here, and skills that it switched off are left out.

Version 2 has the sections ``context`` and ``harness`` alone. It makes a keyword of any other, and the text both issue
and insight, which is how we write them. A keyword has lost capitals and spaces: the section's own name stands beside it
as ``heading``, a key that kayba's reader passes over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentfly.errors import InputError
from agentfly.playbooks.exchange.items import Item, assembled, kind_of
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.rules import parse_id
from agentfly.types import Bullet

Count = Annotated[int, Field(ge=0, lt=2**53)]
_SECTION = "context"
_PLAIN = frozenset({_SECTION, "harness"})
"""The only sections of schema version 2."""


class _Skill(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str = ""
    section: str = "general"
    heading: str = ""
    content: str | None = None
    issue: str | None = None
    insight: str | None = None
    keywords: tuple[str, ...] = ()
    helpful: Count = 0
    harmful: Count = 0
    helpful_count: Count = 0
    harmful_count: Count = 0
    status: str = "active"
    active: bool = True

    @property
    def text(self) -> str:
        """The advice, however the version of the format calls it."""
        if self.content is not None:
            return self.content
        issue, insight = (self.issue or "").strip(), (self.insight or "").strip()
        return issue if not insight or insight == issue else f"{issue.rstrip('.:')}: {insight}" if issue else insight

    @property
    def place(self) -> str:
        """The section, or the keyword that stands for it."""
        name = self.heading or self._keyword
        return re.sub(r"[^\w &/+,.'()–-]+", " ", name).strip(" _&/+,.'(–-") or "general"

    @property
    def _keyword(self) -> str:
        return self.keywords[0].replace("_", " ") if self.section in _PLAIN and self.keywords else self.section


def write(bullets: Sequence[Bullet]) -> str:
    """The bullets as a skillbook.

    Args:
        bullets: strategies and examples, section by section.
    """
    skills: dict[str, Any] = {}
    for bullet in bullets:
        skills[bullet.id] = {
            "id": bullet.id,
            "section": _SECTION,
            "heading": bullet.section,
            "keywords": ["_".join(bullet.section.lower().split())],
            "issue": bullet.text,
            "insight": bullet.text,
            "occurrences": [],
            "active": True,
            "used_count": 0,
            "helpful_count": bullet.helpful,
            "harmful_count": bullet.harmful,
            "neutral_count": 0,
        }
    last = max((parsed[1] for bullet in bullets if (parsed := parse_id(bullet.id))), default=0)
    whole = {
        "schema_version": "2",
        "skills": skills,
        "sections": {_SECTION: list(skills)} if skills else {},
        "next_id": last,
        "similarity_decisions": {},
    }
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"


def looks_like(data: object) -> bool:
    """Whether parsed JSON has the shape of a skillbook."""
    return isinstance(data, dict) and any(isinstance(data.get(name), dict) for name in ("skills", "bullets"))


def read(text: str) -> Playbook:
    """A playbook from a skillbook.

    Raises:
        InputError: names the skill and the reason. Nothing is taken from a file with a fault.
    """
    lines = text.split("\n")
    try:
        data = json.loads(text, object_pairs_hook=_once)
    except _Twice as twice:
        name = twice.name
        found = [number for number, line in enumerate(lines, 1) if line.lstrip().startswith(f'"{name}":')]
        at = f"line {found[1]}: " if len(found) > 1 else ""
        raise InputError(f"{at}the id {name[:40]} is used twice") from None
    except json.JSONDecodeError as error:
        raise InputError(f"line {error.lineno}: this is no JSON: {error.msg}") from None
    except RecursionError:
        raise InputError("this is no skillbook: it is nested too deep") from None
    if not looks_like(data):
        raise InputError('this is no skillbook: it has no object "skills" or "bullets"')
    listed = data["skills"] if isinstance(data.get("skills"), dict) else data["bullets"]
    places = _places(lines)
    items = [_item(key, value, places.get(key, f"skill {key[:40]}")) for key, value in listed.items()]
    return assembled([item for item in items if item is not None])


class _Twice(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Twice(key)
        found[key] = value
    return found


def _places(lines: Sequence[str]) -> dict[str, str]:
    """The line that each name begins first."""
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        named = re.match(r'\s*("(?:[^"\\]|\\.)*"):', line)
        if named:
            found.setdefault(json.loads(named[1]), f"line {number}")
    return found


def _item(key: str, value: object, where: str) -> Item | None:
    try:
        skill = _Skill.model_validate(value)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise InputError(f"{where}: {'.'.join(map(str, problem['loc'])) or 'skill'}: {problem['msg']}") from None
    if not skill.active or skill.status != "active":
        return None
    return Item(
        where=where,
        section=skill.place,
        id=key,
        text=skill.text,
        kind=kind_of(skill.text),
        helpful=skill.helpful or skill.helpful_count,
        harmful=skill.harmful or skill.harmful_count,
    )
