"""A playbook while it is being changed: the only place where the parts of a playbook are put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rpds import HashTrieMap

from agentfly.playbooks import sequence
from agentfly.playbooks.rules import Refused, Rules, clean_section, make_id, make_slug, parse_id, section_key
from agentfly.playbooks.sequence import Blocks, Entry
from agentfly.playbooks.text import fold
from agentfly.playbooks.utility import IN_PROMPT, bullet_tokens, heading_tokens
from agentfly.types import Bullet


@dataclass(frozen=True, slots=True)
class Section:
    """A section; it keeps its name, slug and place even when it is empty."""

    number: int
    name: str
    slug: str


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a playbook consists of; persistent, so that a copy costs nothing."""

    sections: tuple[Section, ...] = ()
    sizes: tuple[int, ...] = ()
    """Bullets in each section."""
    prompted: tuple[int, ...] = ()
    """Those of them that are shown to a model."""
    by_key: HashTrieMap[str, Section] = field(default_factory=HashTrieMap)
    index: HashTrieMap[str, Entry] = field(default_factory=HashTrieMap)
    """By bullet id."""
    texts: HashTrieMap[str, str] = field(default_factory=HashTrieMap)
    """Id of the bullet that says this, by folded text."""
    blocks: Blocks = ()
    next_number: int = 1
    """Number of the next new bullet: past every number ever given."""
    tokens: int = 0
    """What the whole takes in a prompt."""


class Draft:
    """Changes the parts of a playbook one bullet at a time, each in time that hardly depends on their number."""

    __slots__ = ("_blocks", "_by_key", "_index", "_next", "_prompted", "_sections", "_sizes", "_texts", "_tokens")

    def __init__(self, parts: Parts) -> None:
        self._sections, self._sizes, self._prompted = parts.sections, parts.sizes, parts.prompted
        self._by_key, self._index, self._texts = parts.by_key, parts.index, parts.texts
        self._blocks, self._next, self._tokens = parts.blocks, parts.next_number, parts.tokens

    def parts(self) -> Parts:
        """What the draft has become."""
        return Parts(
            sections=self._sections,
            sizes=self._sizes,
            prompted=self._prompted,
            by_key=self._by_key,
            index=self._index,
            texts=self._texts,
            blocks=self._blocks,
            next_number=self._next,
            tokens=self._tokens,
        )

    @property
    def tokens(self) -> int:
        """What the whole takes in a prompt by now."""
        return self._tokens

    def find(self, bullet_id: str) -> Entry | None:
        """The bullet of that id and its place."""
        return self._index.get(bullet_id)

    def same_text(self, text: str) -> str | None:
        """Id of a bullet that says the same already."""
        return self._texts.get(fold(text))

    def section(self, name: str, rules: Rules) -> Section:
        """The section of that name, opened where there is none.

        Raises:
            Refused: the name is not fit for a section, or there are enough sections.
        """
        known = self._by_key.get(section_key(name)) if len(name) <= rules.section_chars else None
        if known is not None:
            return known
        cleaned = clean_section(name, rules)
        if len(self._sections) >= rules.sections:
            raise Refused(f"there are {len(self._sections)} sections already; use one of them")
        return self.open_section(cleaned, make_slug(cleaned, {section.slug for section in self._sections}))

    def open_section(self, name: str, slug: str) -> Section:
        """The section of that name, opened with this slug where there is none."""
        key = section_key(name)
        known = self._by_key.get(key)
        if known is None:
            known = Section(len(self._sections), name, slug)
            self._sections = (*self._sections, known)
            self._sizes = (*self._sizes, 0)
            self._prompted = (*self._prompted, 0)
            self._by_key = self._by_key.insert(key, known)
        return known

    def new_place(self, section: Section) -> tuple[str, int]:
        """A new id in a section, and the position at its end."""
        number = self._next
        self._next += 1
        return make_id(section.slug, number), number

    def reserve(self, number: int) -> None:
        """Never give a number up to this one again."""
        self._next = max(self._next, number + 1)

    def put(self, bullet: Bullet, position: int) -> None:
        """Add a bullet, or replace the one of the same id."""
        before = self._index.get(bullet.id)
        if before is not None:
            self.drop(bullet.id)
        parsed = parse_id(bullet.id)
        section = self.open_section(bullet.section, parsed[0] if parsed else "")
        entry = Entry((section.number, position), bullet)
        self._index = self._index.insert(bullet.id, entry)
        self._blocks = sequence.put(self._blocks, entry)
        folded = fold(bullet.text)
        if folded not in self._texts:
            self._texts = self._texts.insert(folded, bullet.id)
        self._count(section, bullet, 1)
        self.reserve(max(position, parsed[1] if parsed else 0))

    def drop(self, bullet_id: str) -> Entry:
        """Take a bullet out; its number stays used.

        Raises:
            KeyError: there is none of that id.
        """
        entry = self._index[bullet_id]
        self._index = self._index.remove(bullet_id)
        self._blocks = sequence.drop(self._blocks, entry.order)
        folded = fold(entry.bullet.text)
        if self._texts.get(folded) == bullet_id:
            self._texts = self._texts.remove(folded)
        self._count(self._sections[entry.order[0]], entry.bullet, -1)
        return entry

    def _count(self, section: Section, bullet: Bullet, step: int) -> None:
        """Count a bullet in (1) or out (-1). The heading is counted with the first bullet that a model sees."""
        number = section.number
        self._sizes = _stepped(self._sizes, number, step)
        if bullet.kind in IN_PROMPT:
            before, self._prompted = self._prompted[number], _stepped(self._prompted, number, step)
            heading = 0 if before and self._prompted[number] else heading_tokens(section.name)
            self._tokens += step * (bullet_tokens(bullet) + heading)


def _stepped(counts: tuple[int, ...], number: int, step: int) -> tuple[int, ...]:
    return (*counts[:number], counts[number] + step, *counts[number + 1 :])


def assemble(sections: Iterable[tuple[str, str]], placed: Iterable[tuple[Bullet, int]], next_number: int) -> Parts:
    """The parts of a playbook from what a store holds, in one go.

    Args:
        sections: (name, slug) in order, emptied ones included.
        placed: (bullet, position) in any order; ids and places are unique.
        next_number: number of the next new bullet.
    """
    draft = Draft(Parts())
    for name, slug in sections:
        draft.open_section(name, slug)
    opened = {section.name: section.number for section in draft.parts().sections}
    entries = [Entry((opened[bullet.section], position), bullet) for bullet, position in placed]
    sizes, prompted = [0] * len(opened), [0] * len(opened)
    for (number, _), bullet in entries:
        sizes[number] += 1
        prompted[number] += bullet.kind in IN_PROMPT
    headings = sum(heading_tokens(name) for name, number in opened.items() if prompted[number])
    return Parts(
        sections=draft.parts().sections,
        sizes=tuple(sizes),
        prompted=tuple(prompted),
        by_key=draft.parts().by_key,
        index=HashTrieMap({entry.bullet.id: entry for entry in entries}),
        texts=HashTrieMap({fold(entry.bullet.text): entry.bullet.id for entry in reversed(entries)}),
        blocks=sequence.build(entries),
        next_number=next_number,
        tokens=headings + sum(bullet_tokens(entry.bullet) for entry in entries),
    )
