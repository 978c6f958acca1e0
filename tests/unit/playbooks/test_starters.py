"""The starter playbooks: short, concrete, within the rules."""

from __future__ import annotations

import itertools
import re

import pytest

from agentfly.playbooks import Playbook
from agentfly.playbooks.exchange import read, write
from agentfly.playbooks.starter import load_starter, starter_names
from agentfly.playbooks.text import fold

NAMES = ("coding", "data-analysis", "finance", "general", "web-research")


def words(text: str) -> set[str]:
    return set(re.findall(r"\w{3,}", text.casefold()))


def test_the_names() -> None:
    assert starter_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_loads_whole_and_is_short(name: str) -> None:
    delta = load_starter(name)
    book = Playbook().apply(delta, strict=True)
    assert 6 <= len(book) == len(delta) <= 12
    assert book.tokens <= 600
    assert 2 <= len(book.sections) <= 4


@pytest.mark.parametrize("name", NAMES)
def test_each_bullet_is_one_sentence_that_fits_a_line(name: str) -> None:
    for bullet in Playbook().apply(load_starter(name)):
        assert 40 <= len(bullet.text) <= 200, bullet.text
        assert re.fullmatch(r"[A-Z][^!?]*\.", bullet.text)
        assert not re.search(r"\.\s+[A-Z]", bullet.text), bullet.text


def test_no_two_say_the_same() -> None:
    texts = [bullet.text for name in NAMES for bullet in Playbook().apply(load_starter(name))]
    assert len({fold(text) for text in texts}) == len(texts)
    for one, other in itertools.combinations(texts, 2):
        assert len(words(one) & words(other)) < 0.5 * len(words(one) | words(other)), (one, other)


def test_all_of_them_together_go_through_every_format() -> None:
    book = Playbook()
    for name in NAMES:
        book = book.apply(load_starter(name), strict=True)
    for form in ("json", "ace", "kayba", "agents"):
        again = read(write(book, form).encode())
        assert [(b.section, b.text) for b in again] == [(b.section, b.text) for b in book]
