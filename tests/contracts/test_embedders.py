"""What every embedder must do, the fake and the real one alike."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from agentfly.memory.embedding import MiniLMEmbedder
from agentfly.protocols import Embedder
from agentfly.testing import HashEmbedder

TEXTS = [
    "",
    "x",
    "What is the mean of the Close column?",
    "word " * 5000,
    "\ud800 odd \x00 \U0001f600",
    "x" * 2_000_000,
]


@pytest.fixture(scope="module", params=[HashEmbedder, lambda: HashEmbedder(64), MiniLMEmbedder])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return request.param()


def test_is_an_embedder(embedder: Embedder) -> None:
    assert isinstance(embedder, Embedder)
    assert embedder.name
    assert embedder.dimensions > 0


def test_shape_type_and_length(embedder: Embedder) -> None:
    texts = [text for text in TEXTS if "\ud800" not in text or not isinstance(embedder, HashEmbedder)]
    vectors = embedder.embed(texts)
    assert vectors.shape == (len(texts), embedder.dimensions)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_nothing_to_embed(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dimensions)


def test_company_does_not_matter(embedder: Embedder) -> None:
    texts = [f"{'many ' * (i % 7)}words number {i}" for i in range(40)]
    together = embedder.embed(texts)
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    assert np.allclose(together, alone, atol=1e-4)


def test_like_texts_are_near(embedder: Embedder) -> None:
    a, b, c = embedder.embed(["mean of the close price", "mean of the open price", "how far is Saturn"])
    assert a @ b > 0.4 > a @ c


def test_threads_may_share_it(embedder: Embedder) -> None:
    expected = embedder.embed(["one text"])
    found: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: found.append(embedder.embed(["one text"]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(np.allclose(vector, expected, atol=1e-6) for vector in found)
