"""The real embedder: where its files come from, and the bank on top of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agentfly.errors import InputError, UserError
from agentfly.memory import embedding
from agentfly.memory.bank import CaseBank
from agentfly.memory.embedding import MiniLMEmbedder
from agentfly.testing import HashEmbedder
from agentfly.types import Case


def test_meaning_counts_where_no_word_is_shared(tmp_path: Path) -> None:
    with CaseBank(tmp_path) as bank:
        bank.add_many(
            [
                Case(question="What is the average closing value of the shares?", solution="1"),
                Case(question="Which city has the most inhabitants?", solution="2"),
                Case(question="Convert twelve miles to kilometres.", solution="3"),
            ]
        )
        assert bank.recall("mean stock price at end of day")[0].case.solution == "1"
        assert bank.recall("largest town by population")[0].case.solution == "2"
        assert bank.stats().embedder == "minilm-int8"


def test_long_text_is_embedded_by_its_beginning() -> None:
    words = " ".join(["data"] * embedding.MAX_TOKENS)
    first, second, other = MiniLMEmbedder().embed([words, words + " and then something else", "something else"])
    assert np.allclose(first, second, atol=1e-6)
    assert first @ other < 0.9


def test_damaged_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "_INT8", replace(embedding._INT8, sha256="0" * 64))
    with pytest.raises(UserError, match="damaged; pip install --force-reinstall"):
        MiniLMEmbedder().embed(["x"])


def test_without_wheels_and_net_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(embedding, "_INT8", replace(embedding._INT8, package="not_installed_here"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    embedder = MiniLMEmbedder()
    assert embedder.name == "minilm-fp32"
    with pytest.raises(UserError, match="pip install") as caught:
        embedder.embed(["x"])
    assert "\n" not in str(caught.value)


def test_making_one_loads_nothing_and_all_of_a_process_share_what_is_loaded() -> None:
    embedding._parts.cache_clear()
    embedder, other = MiniLMEmbedder(), MiniLMEmbedder()
    assert (embedder.name, embedder.dimensions) == ("minilm-int8", 384)
    assert embedding._parts.cache_info().currsize == 0
    embedder.embed(["x"])
    other.embed(["y"])
    assert embedding._parts.cache_info().misses == 1


def test_embedder_that_gives_another_shape_is_refused(tmp_path: Path) -> None:
    class Short(HashEmbedder):
        def embed(self, texts):
            return super().embed(texts)[:, :10]

    with CaseBank(tmp_path, Short(64)) as bank:
        for add in (lambda: bank.add(Case(question="x")), lambda: bank.add_many([Case(question=q) for q in "xyz"])):
            with pytest.raises(InputError, match=r"gave the shape \(\d, 10\), not \(\d, 64\)"):
                add()
        assert bank.count() == 0
