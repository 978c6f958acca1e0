"""The playbook: a frozen value. Every change makes a new one that shares what did not change."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from heapq import merge as merge_sorted
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from agentfly.errors import InputError
from agentfly.playbooks.changes import Change, Refusal
from agentfly.playbooks.draft import Draft, Parts, assemble
from agentfly.playbooks.rules import Refused, Rules, clean_section, parse_id, section_key
from agentfly.playbooks.sequence import Blocks, Entry, walk
from agentfly.playbooks.utility import IN_PROMPT, worth
from agentfly.types import Bullet

if TYPE_CHECKING:
    from agentfly.playbooks.delta import Delta

_RULES = Rules()
content = attrgetter("id", "section", "text", "kind", "helpful", "harmful", "runs", "cases", "version")
"""What is versioned. `Bullet.shown` is a statistic that moves with every run and is left out of equality."""


class Playbook:
    """Bullets in sections, and a version number. ``Playbook()`` is empty, at version 0.

    Two playbooks are equal when they hold the same bullets in the same order; the version and the counts of how often
    bullets were shown make no difference.
    """

    __slots__ = ("_bullets", "_parts", "_version")

    def __init__(self, *, _parts: Parts | None = None, _version: int = 0) -> None:
        self._parts = Parts() if _parts is None else _parts
        self._version = _version
        self._bullets: tuple[Bullet, ...] | None = None

    @classmethod
    def of(cls, bullets: Iterable[Bullet], version: int = 0, rules: Rules = _RULES) -> Playbook:
        """A playbook of given bullets: a warm start. Ids stay, new ones are numbered past them.

        Args:
            bullets: in order; sections are opened in order of appearance.
            version: the playbook's version number.

        Raises:
            InputError: an id that is none, an id or number used twice, a section name that is none.
        """
        placed, sections, seen = [], dict[str, tuple[str, str]](), set[str]()
        highest = 0
        for position, bullet in enumerate(bullets, 1):
            parsed = parse_id(bullet.id)
            if parsed is None:
                raise InputError(f"bullet {position}: {bullet.id!r} is not an id such as str-00001")
            if bullet.id in seen:
                raise InputError(f"bullet {position}: the id {bullet.id} is used twice")
            seen.add(bullet.id)
            key = section_key(bullet.section)
            if key not in sections:
                sections[key] = (_section_name(bullet.section, position, rules), parsed[0])
            placed.append((replace(bullet, section=sections[key][0]), position))
            highest = max(highest, parsed[1], position)
        return cls(_parts=assemble(sections.values(), placed, highest + 1), _version=version)

    @property
    def version(self) -> int:
        """How many deltas it has accepted."""
        return self._version

    @property
    def bullets(self) -> tuple[Bullet, ...]:
        """All bullets, section by section, oldest first within a section."""
        if self._bullets is None:
            self._bullets = tuple(entry.bullet for entry in walk(self._parts.blocks))
        return self._bullets

    @property
    def sections(self) -> tuple[str, ...]:
        """Names of the sections that hold bullets, in order."""
        return tuple(section.name for section in self._parts.sections if self._parts.sizes[section.number])

    @property
    def checks(self) -> tuple[Bullet, ...]:
        """The bullets of the kind ``check``, in order; each block is searched once for all versions that share it."""
        found = (block.memo("checks", _checks) for block in self._parts.blocks)
        return tuple(chain.from_iterable(found))

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bullets in each section that holds any."""
        return {s.name: self._parts.sizes[s.number] for s in self._parts.sections if self._parts.sizes[s.number]}

    @property
    def tokens(self) -> int:
        """Estimated tokens of the whole in a prompt, headings included; kept up to date with every change."""
        return self._parts.tokens

    @property
    def next_number(self) -> int:
        """Number that the next new bullet gets; never goes down."""
        return self._parts.next_number

    @property
    def blocks(self) -> Blocks:
        """The bullets as the blocks that versions share, for views that remember what they computed."""
        return self._parts.blocks

    @property
    def parts(self) -> Parts:
        """What drafts start from."""
        return self._parts

    def get(self, bullet_id: str) -> Bullet | None:
        """The bullet of that id, or None."""
        entry = self._parts.index.get(bullet_id)
        return entry.bullet if entry else None

    def place(self, bullet_id: str) -> int | None:
        """Position of a bullet within its section, or None where there is no such bullet."""
        entry = self._parts.index.get(bullet_id)
        return entry.order[1] if entry else None

    def ranked(self, *, best_first: bool = False) -> Iterator[Bullet]:
        """Bullets by utility, least useful first; lazy, and each block is ranked once for all versions that share it."""
        name = "best" if best_first else "worst"

        def rank(entries: tuple[Entry, ...]) -> list[Bullet]:
            return sorted((entry.bullet for entry in entries), key=worth, reverse=best_first)

        blocks = (block.memo(name, rank) for block in self._parts.blocks)
        return merge_sorted(*blocks, key=worth, reverse=best_first)

    def apply(
        self,
        delta: Delta,
        strict: bool = False,
        *,
        run: str | None = None,
        version: int | None = None,
        rules: Rules = _RULES,
    ) -> Playbook:
        """The playbook after a delta.

        Total and deterministic; costs work in proportion to the delta; a bullet that no operation names stays as it is.
        Operations that cannot be carried out are left out (`refusals` says which and why).

        Args:
            delta: what to change.
            strict: refuse the whole delta when one operation is refused.
            run: id of the run that the delta was learned from, for the provenance of what it writes.
            version: version number of the result; by default the next one. A delta without effect makes no version.
            rules: limits on what a delta may do.

        Raises:
            InputError: strict, and an operation was refused; names them all.
        """
        from agentfly.playbooks.operations import carry_out

        outcome = carry_out(self, delta, run=run, version=version, rules=rules)
        if strict and outcome.refusals:
            raise InputError("the delta was refused: " + "; ".join(map(str, outcome.refusals)))
        return outcome.playbook

    def refusals(self, delta: Delta, *, rules: Rules = _RULES) -> tuple[Refusal, ...]:
        """The operations of a delta that `apply` would leave out, with reasons."""
        from agentfly.playbooks.operations import carry_out

        return carry_out(self, delta, rules=rules).refusals

    def with_changes(self, changes: Iterable[Change], version: int) -> Playbook:
        """The playbook after recorded changes, taken as they are: replay, rollback and retirement.

        Raises:
            KeyError: a change takes out a bullet that is not there.
        """
        draft = Draft(self._parts)
        for change in changes:
            if change.after is not None:
                draft.put(change.after, change.position)
            elif change.before is not None:
                draft.drop(change.before.id)
        return Playbook(_parts=draft.parts(), _version=version)

    def enforce_budget(self, tokens: int, *, keep: Iterable[str] = ()) -> tuple[Playbook, tuple[Bullet, ...]]:
        """Retire the least useful bullets until the playbook fits.

        Args:
            tokens: the budget of the whole, as `tokens` counts it.
            keep: ids to retire only when nothing else is left, such as those of the delta just applied.

        Returns:
            The playbook within the budget, at the same version, and the bullets that went, in that order.
        """
        if self.tokens <= tokens:
            return self, ()
        kept = frozenset(keep)
        last = sorted((b for b in map(self.get, kept) if b is not None), key=worth)
        draft, retired = Draft(self._parts), list[Bullet]()
        for bullet in chain((b for b in self.ranked() if b.id not in kept), last):
            if draft.tokens <= tokens:
                break
            if bullet.kind in IN_PROMPT:  # a check costs nothing in a prompt
                draft.drop(bullet.id)
                retired.append(bullet)
        return Playbook(_parts=draft.parts(), _version=self._version), tuple(retired)

    def with_shown(self, counts: Mapping[str, int]) -> Playbook:
        """The same playbook, equal to this one, with exposures added to the counts of the bullets that are still there."""
        draft = Draft(self._parts)
        for bullet_id, count in counts.items():
            entry = draft.find(bullet_id)
            if entry is not None:
                draft.put(replace(entry.bullet, shown=entry.bullet.shown + count), entry.order[1])
        return Playbook(_parts=draft.parts(), _version=self._version)

    def render(
        self,
        budget: int | None = None,
        *,
        ids: bool = True,
        similarities: Mapping[str, float] | None = None,
        first: Collection[str] = (),
    ) -> str:
        """The playbook as a model sees it; see `agentfly.playbooks.render.render`."""
        from agentfly.playbooks.render import render

        return render(self, budget=budget, ids=ids, similarities=similarities, first=first)

    def __len__(self) -> int:
        return len(self._parts.index)

    def __iter__(self) -> Iterator[Bullet]:
        return iter(self.bullets)

    def __contains__(self, bullet_id: object) -> bool:
        return isinstance(bullet_id, str) and bullet_id in self._parts.index

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Playbook):
            return NotImplemented
        if len(self) != len(other):
            return False
        return all(a is b or content(a) == content(b) for a, b in zip(self.bullets, other.bullets, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(bullet.id for bullet in self.bullets))

    def __repr__(self) -> str:
        return f"<Playbook version {self.version}, {len(self)} bullets in {len(self.sections)} sections>"

    def __reduce__(self) -> tuple[Any, ...]:
        sections = [(section.name, section.slug) for section in self._parts.sections]
        placed = [(entry.bullet, entry.order[1]) for entry in walk(self._parts.blocks)]
        return _restore, (sections, placed, self.next_number, self.version)


def _checks(entries: tuple[Entry, ...]) -> list[Bullet]:
    return [entry.bullet for entry in entries if entry.bullet.kind == "check"]


def _restore(
    sections: list[tuple[str, str]], placed: list[tuple[Bullet, int]], next_number: int, version: int
) -> Playbook:
    return Playbook(_parts=assemble(sections, placed, next_number), _version=version)


def _section_name(name: str, position: int, rules: Rules) -> str:
    try:
        return clean_section(name, rules)
    except Refused as problem:
        raise InputError(f"bullet {position}: {problem}") from None
