"""Grow and refine (ACE, arXiv 2510.04618, section 3.2): which bullets say the same thing twice, and the delta that merges them.

Pure: similarities come from outside, see `agentfly.playbooks.similar` and `agentfly.playbooks.neighbours`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from agentfly.playbooks.delta import Delta, Merge
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.utility import worth
from agentfly.types import Bullet

Neighbours: TypeAlias = Mapping[int, Sequence[str | int]]
"""What says nearly the same as an `add`, nearest first, by the place of the `add` in its delta: ids of bullets, and places
of earlier `add`s in the same delta."""

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?")
_NUMBERS = {"zero": "0", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8"}
_NEGATION = re.compile("no|not|never|none|neither|nor|cannot|without|avoid|.+n['’]t")
_OPPOSED = re.compile(
    "first|last|before|after|above|below|more|less|most|least|min(?:imum)?|max(?:imum)?|smallest|largest|lowest|highest|"
    "ascending|descending|increase|decrease|lower|upper|left|right|rows?|columns?|true|false|mean|median"
)


def sense(text: str) -> tuple[str, ...]:
    """The numbers and negations in a text, in order, and its words of opposite pairs, in any order.

    Embeddings hardly tell "round to 2 places" from "round to 3", or "round" from "never round". Texts that differ
    here are never taken for near-duplicates; to miss one costs a few tokens, to swallow a correction costs the rule.
    """
    found, opposed = [], set()
    for word in _WORD.findall(text.casefold()):
        if _NEGATION.fullmatch(word):
            found.append("not")
        elif word[0].isdigit() or word in _NUMBERS:
            found.append(_NUMBERS.get(word, word))
        elif _OPPOSED.fullmatch(word):
            opposed.add(word[:3])  # row and rows, min and minimum
    return (*found, *sorted(opposed))


_LITTLE = frozenset(
    {"a", "an", "the", "this", "that", "each", "every", "any", "all", "of", "for", "to", "in", "on", "by"}
)


def parallel(one: str, other: str) -> bool:
    """Whether two texts are one sentence with another word or two in it: "use Pearson's" and "use Spearman's".

    That is how rules for two things look, or a rule and its correction, and seldom how one thing is said twice.
    """
    a, b = _words(one), _words(other)
    if len(a) != len(b):
        return False
    differ = [(x, y) for x, y in zip(a, b, strict=True) if x != y]
    return 0 < len(differ) <= 2 and not any(_LITTLE.issuperset(pair) for pair in differ)


@lru_cache(maxsize=16_384)  # each text is compared with many
def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.casefold()))


def leading_first(bullets: Collection[Bullet]) -> list[Bullet]:
    """Which of bullets that say the same leads the others: the most useful, of equals the oldest."""
    return sorted(bullets, key=lambda bullet: (-worth(bullet)[0], *worth(bullet)[1:]))


def merging(playbook: Playbook, clusters: Collection[Collection[str]]) -> Delta:
    """The delta that makes one bullet of each cluster: the text of the most useful, the place of the oldest.

    Args:
        playbook: what the ids name; ids that it does not have are passed over.
        clusters: ids of bullets of one kind that say the same; no id is in two of them.
    """
    operations = []
    for cluster in clusters:
        bullets = [bullet for bullet in map(playbook.get, cluster) if bullet is not None]
        if len(bullets) > 1:
            oldest_first = sorted(bullets, key=lambda bullet: worth(bullet)[1:])
            text = leading_first(bullets)[0].text
            operations.append(Merge(ids=tuple(bullet.id for bullet in oldest_first), text=text))
    return Delta(reason="merged what says nearly the same", operations=tuple(operations))
