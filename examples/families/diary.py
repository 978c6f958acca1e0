"""A diary as a ZIP of text pages: counting words over all pages."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from random import Random

from families.common import Item

_SAID = (
    "Rain all morning, the train was late again.",
    "Sold the last rose to a man in a grey hat.",
    "The cat slept on the seed sacks.",
    "More rain. Nobody came before noon.",
    "A rose bush for Mrs Hart, two roses for the vicar.",
    "Cat chased a wren through the shop.",
    "It may rain tomorrow, says the postman.",
    "Catalogue came by post; Rose liked the tulips.",
    "Quiet day, swept the yard.",
    "Trained the ivy up the wall. Then rain, rain, rain.",
    "The cat brought a mouse. Poor cat, nobody cheered.",
    "Dried the rose petals near the stove.",
)
_HINT = " Hint: read the pages with archive.read(name).decode() for name in archive.namelist()."
_STAMP = (2024, 3, 1, 12, 0, 0)
Pages = dict[str, str]


def items(rng: Random) -> list[Item]:
    """Six tasks; the first three say how to find the pages."""
    return [
        _item(rng, "january", *_times("rain"), _HINT),
        _item(rng, "february", *_times("cat"), _HINT),
        _item(rng, "march", *_pages("rose"), _HINT),
        _item(rng, "april", *_times("rose")),
        _item(rng, "may", *_pages("cat")),
        _item(rng, "june", *_times("rain")),
    ]


def _times(word: str) -> tuple[str, Callable[[Pages], int]]:
    question = f"How many times does the word {word!r} occur in all the pages of the diary?"
    return question, lambda pages: sum(_count(word, text) for text in pages.values())


def _pages(word: str) -> tuple[str, Callable[[Pages], int]]:
    question = f"In how many pages of the diary does the word {word!r} occur?"
    return question, lambda pages: sum(_count(word, text) > 0 for text in pages.values())


def _count(word: str, text: str) -> int:
    return sum(found.lower() == word for found in re.findall(r"[A-Za-z]+", text))


def _item(rng: Random, month: str, question: str, solve: Callable[[Pages], int], hint: str = "") -> Item:
    pages = {f"{month}_{day:02}.txt": "\n".join(rng.sample(_SAID, 4)) + "\n" for day in range(1, 9)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, text in pages.items():
            archive.writestr(zipfile.ZipInfo(name, _STAMP), text)
    return Item(
        question=f"{question}{hint} Count whole words, in upper or lower case.",
        answer=str(solve(pages)),
        level=1,
        file_name=f"diary_{month}.zip",
        content=buffer.getvalue(),
    )
