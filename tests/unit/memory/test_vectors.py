"""Embeddings that are asked for at once: made together, each once, and whoever asked for a bad text hears of it alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agentfly.errors import InputError
from agentfly.memory.vectors import _TOGETHER, Vectors
from agentfly.store.home import Home
from agentfly.testing import HashEmbedder

if TYPE_CHECKING:
    from agentfly.protocols import Vector

TEXTS = [f"How many rows has table {number}?" for number in range(40)]


class Slow(HashEmbedder):
    """Remembers its batches. The first one waits, until all who are to ask have asked."""

    def __init__(self, bad: str = "") -> None:
        super().__init__(16)
        self.batches: list[list[str]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._bad = bad
        self._interrupt = False

    def interrupt(self) -> None:
        """The first batch is cut off."""
        self._interrupt = True

    def embed(self, texts: Sequence[str]) -> Vector:
        self.batches.append([*texts])
        if len(self.batches) == 1:
            self.begun.set()
            assert self.go_on.wait(10)
            if self._interrupt:
                raise KeyboardInterrupt
        found = super().embed(texts)
        if self._bad in texts:
            found[list(texts).index(self._bad)] = np.nan
        return found


def vectors(home: Path, embedder: HashEmbedder) -> Vectors:
    return Vectors(Home.open(home).db, embedder, home)


def ask(made: Vectors, embedder: Slow, texts: Sequence[str], first: str = "first") -> list[Vector | BaseException]:
    """Ask for all texts at once, while the embedder is at `first`."""

    def one(text: str) -> Vector | BaseException:
        try:
            return made.of(text)
        except BaseException as error:
            return error

    with ThreadPoolExecutor(len(texts) + 1) as pool:
        started = pool.submit(one, first)
        assert embedder.begun.wait(10)
        asked = [pool.submit(one, text) for text in texts]
        deadline = time.monotonic() + 10
        while len(made._wanted) < 1 + len(set(texts)) and time.monotonic() < deadline:
            time.sleep(0.001)
        embedder.go_on.set()
        return [future.result() for future in (started, *asked)]


def test_those_that_ask_at_once_are_served_together_and_each_text_once(tmp_path: Path) -> None:
    embedder = Slow()
    found = ask(vectors(tmp_path, embedder), embedder, [*TEXTS, *TEXTS[:5]])
    alone = HashEmbedder(16).embed(["first", *TEXTS, *TEXTS[:5]])
    assert np.array_equal(np.stack(found), alone)
    assert [len(batch) for batch in embedder.batches] == [1, *[_TOGETHER] * (len(TEXTS) // _TOGETHER)]
    assert sorted(text for batch in embedder.batches for text in batch) == sorted(["first", *TEXTS])


def test_only_who_asked_for_a_bad_text_hears_of_it(tmp_path: Path) -> None:
    embedder = Slow(bad=TEXTS[3])
    found = ask(vectors(tmp_path, embedder), embedder, TEXTS[:8])
    failed = [isinstance(one, InputError) for one in found[1:]]
    assert failed == [text == TEXTS[3] for text in TEXTS[:8]]


def test_one_that_is_cut_off_leaves_the_others_their_turn(tmp_path: Path) -> None:
    embedder = Slow()
    embedder.interrupt()
    made = vectors(tmp_path, embedder)
    found = ask(made, embedder, TEXTS[:3])
    assert isinstance(found[0], KeyboardInterrupt)
    assert np.array_equal(np.stack(found[1:]), HashEmbedder(16).embed(TEXTS[:3]))
    assert np.array_equal(made.of("first"), HashEmbedder(16).embed(["first"])[0])


def test_what_is_expected_fills_the_batches_and_is_embedded_once(tmp_path: Path) -> None:
    embedder = Slow()
    embedder.go_on.set()
    made = vectors(tmp_path, embedder)
    made.of(TEXTS[2])
    made.expect(TEXTS)
    for text in TEXTS:
        assert np.array_equal(made.of(text), HashEmbedder(16).embed([text])[0])
    assert len(embedder.batches) == 1 + len(TEXTS) // _TOGETHER
    assert sorted(text for batch in embedder.batches for text in batch) == sorted(TEXTS)
    made.expect([])
    made.of("something else")
    assert embedder.batches[-1] == ["something else"]


def test_an_expected_text_that_is_bad_disturbs_nobody(tmp_path: Path) -> None:
    embedder = Slow(bad=TEXTS[1])
    embedder.go_on.set()
    made = vectors(tmp_path, embedder)
    made.expect(TEXTS[:3])
    assert np.array_equal(made.of(TEXTS[0]), HashEmbedder(16).embed([TEXTS[0]])[0])
    with pytest.raises(InputError, match="not finite"):
        made.of(TEXTS[1])
