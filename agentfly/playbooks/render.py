"""The playbook as text: for a model, within a token budget; and for people, whole, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain, groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from agentfly.playbooks.sequence import Entry
from agentfly.playbooks.tokens import estimate_tokens
from agentfly.playbooks.utility import (
    IN_PROMPT,
    bullet_line,
    bullet_tokens,
    heading_line,
    heading_tokens,
    posterior_mean,
)
from agentfly.types import Bullet

if TYPE_CHECKING:
    from agentfly.playbooks.playbook import Playbook

_MISSES = 32
"""Bullets in a row that do not fit before the search for a smaller one ends."""
_OUTLINED = 6
"""Most sections that the outline names."""
_USEFUL = 0.5
"""What expected helpfulness counts beside a cosine."""


def render(
    playbook: Playbook,
    budget: int | None = None,
    *,
    ids: bool = True,
    similarities: Mapping[str, float] | None = None,
    first: Collection[str] = (),
) -> str:
    """The bullets that fit a prompt, section by section, one line each: ``[str-00001] text``.

    A playbook that fits is rendered whole. Of a larger one the bullets that bear most on the task are taken, or else the
    most useful, in their usual order, and a last line outlines what was left out. Checks are never rendered: they run.

    Args:
        playbook: what to render.
        budget: tokens that the text may have, as `estimate_tokens` counts them; None for no limit.
        ids: whether bullets carry their ids, so that a model can cite them.
        similarities: how near bullets are to the task, as cosines by id; None where only usefulness counts.
        first: ids of bullets to take before all others, such as those that are on trial.

    Returns:
        The text, without a line end; empty when nothing fits.
    """
    return with_bullets(playbook, budget, ids=ids, similarities=similarities, first=first)[0]


def with_bullets(
    playbook: Playbook,
    budget: int | None = None,
    *,
    ids: bool = True,
    similarities: Mapping[str, float] | None = None,
    first: Collection[str] = (),
) -> tuple[str, tuple[Bullet, ...]]:
    """What `render` gives, and the bullets that stand in it."""
    bullets = chosen(playbook, budget, similarities, first)
    return _text(bullets, playbook, budget, ids), bullets


def chosen(
    playbook: Playbook,
    budget: int | None = None,
    similarities: Mapping[str, float] | None = None,
    first: Collection[str] = (),
) -> tuple[Bullet, ...]:
    """The bullets that `render` would show with the same arguments, in order."""
    if budget is None or playbook.tokens <= budget:
        return tuple(bullet for bullet in playbook.bullets if bullet.kind in IN_PROMPT)
    best = by_relevance(playbook, similarities) if similarities else playbook.ranked(best_first=True)
    forced = [bullet for bullet in map(playbook.get, dict.fromkeys(first)) if bullet is not None]
    ranked = chain(forced, (bullet for bullet in best if bullet.id not in first)) if forced else best
    entries = (playbook.parts.index[bullet.id] for bullet in _pick(playbook, budget, ranked))
    return tuple(entry.bullet for entry in sorted(entries, key=lambda entry: entry.order))


def by_relevance(playbook: Playbook, similarities: Mapping[str, float]) -> Iterator[Bullet]:
    """Bullets that a model is shown, by what they promise for a task; of equals the more useful, then the earlier.

    A promise is the cosine with the task and half the expected helpfulness: a bullet that helped nine times of ten goes
    before an untried one that is nearer by up to 0.2. One that has no cosine counts as being as near as most are.
    """
    import numpy as np

    columns = [block.memo("promised", _promised) for block in playbook.blocks]
    bullets = list(chain.from_iterable(column[0] for column in columns))
    useful = np.fromiter(chain.from_iterable(column[1] for column in columns), dtype=np.float64, count=len(bullets))
    near = np.array(list(map(similarities.get, chain.from_iterable(column[2] for column in columns))), dtype=np.float64)
    unknown = np.isnan(near)
    near[unknown] = 0.0 if unknown.all() else np.median(near[~unknown])
    # Rounded, since the last digits of a cosine differ between machines; the last key counts first, equals stay in order.
    order = np.lexsort((-useful, -(near + _USEFUL * useful).round(5)))
    return (bullets[place] for place in order)


def _promised(entries: tuple[Entry, ...]) -> tuple[list[Bullet], list[float], list[str]]:
    """What is the same for every task: the bullets that a model is shown, their expected helpfulness, their ids."""
    bullets = [bullet for _, bullet in entries if bullet.kind in IN_PROMPT]
    return bullets, [posterior_mean(bullet) for bullet in bullets], [bullet.id for bullet in bullets]


def _pick(playbook: Playbook, budget: int, ranked: Iterable[Bullet]) -> list[Bullet]:
    """Greedily, the best first. The outline's room is set aside where the budget is not tiny."""
    room = budget - estimate_tokens("\n\n" + _outline(_prompted(playbook)))
    if room < budget // 2:
        room = budget
    picked, opened, misses = list[Bullet](), set[str](), 0
    for bullet in ranked:
        if bullet.kind not in IN_PROMPT:
            continue
        cost = bullet_tokens(bullet) + (0 if bullet.section in opened else heading_tokens(bullet.section))
        if cost > room:
            misses += 1
            if misses == _MISSES:
                break
            continue
        room, misses = room - cost, 0
        picked.append(bullet)
        opened.add(bullet.section)
    return picked


def _text(bullets: tuple[Bullet, ...], playbook: Playbook, budget: int | None, ids: bool) -> str:
    parts = []
    for section, members in groupby(bullets, key=attrgetter("section")):
        parts.append("\n".join([heading_line(section), *(bullet_line(bullet, ids=ids) for bullet in members)]))
    body = "\n\n".join(parts)
    if not body or budget is None or playbook.tokens <= budget:
        return body
    left = Counter(_prompted(playbook))
    left.subtract(bullet.section for bullet in bullets)
    outline = _outline(+left)
    whole = f"{body}\n\n{outline}" if outline else body
    return whole if estimate_tokens(whole) <= budget else body


def _prompted(playbook: Playbook) -> dict[str, int]:
    """How many bullets of each section a model could be shown."""
    parts = playbook.parts
    return {section.name: count for section, count in zip(parts.sections, parts.prompted, strict=True) if count}


def _outline(left: Mapping[str, int]) -> str:
    """What was left out, largest sections first."""
    if not left:
        return ""
    largest = sorted(left.items(), key=lambda item: -item[1])
    named = ", ".join(f"{section} {count}" for section, count in largest[:_OUTLINED])
    more = ", …" if len(largest) > _OUTLINED else ""
    return f"({sum(left.values())} more not shown: {named}{more})"


def to_markdown(playbook: Playbook) -> str:
    """The whole playbook as ``playbook.md``: every kind, with counts, for people.

    Text is escaped where Markdown would take it for HTML, so that no bullet can hide what follows it.
    """
    sections, bullets = len(playbook.sections), len(playbook)
    lines = [
        f"<!-- version {playbook.version}; written by agentfly after each change, edits made here are lost -->",
        "# Playbook",
        "",
        f"Version {playbook.version}: {_count(bullets, 'bullet')} in {_count(sections, 'section')}.",
        "",
    ]
    parts, section = ["\n".join(lines)], ""
    for block in playbook.blocks:
        for name, text in block.memo("markdown", _markdown_runs):
            if name != section:
                section = name
                parts.append(f"\n## {_escape(name)}\n\n")
            parts.append(text)
    return "".join(parts)


def _markdown_runs(entries: tuple[Entry, ...]) -> list[tuple[str, str]]:
    """The text of a block, cut where a section ends."""
    runs = groupby(entries, key=lambda entry: entry.bullet.section)
    return [(name, "".join(markdown_line(entry.bullet) for entry in members)) for name, members in runs]


def markdown_line(bullet: Bullet) -> str:
    """A bullet as an item of ``playbook.md``, line end included."""
    kind = "" if bullet.kind == "strategy" else f"{bullet.kind}: "
    counts = f" (+{bullet.helpful} -{bullet.harmful})" if bullet.helpful or bullet.harmful else ""
    return f"- `{bullet.id}`{counts} {kind}{_escape(bullet.text)}".replace("\n", "\n    ") + "\n"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;") if "<" in text or "&" in text else text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
