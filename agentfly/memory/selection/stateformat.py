"""A policy's learned state as bytes: one line of JSON that says what it is, then its arrays as they lie in memory."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agentfly.errors import PolicyError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC = b"agentfly-policy\n"
_TYPES = {"<f2", "<f4", "<f8", "<i8", "<i4"}
_DIGEST = 16


def pack(name: str, version: int, dimensions: int, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The state as bytes; the same state gives the same bytes.

    Args:
        name: of the policy.
        version: of its format.
        dimensions: d of the embeddings.
        arrays: what was learned; little-endian numbers.
    """
    layout = [[key, array.dtype.newbyteorder("<").str, list(array.shape)] for key, array in arrays.items()]
    head = {"policy": name, "version": version, "dimensions": dimensions, "arrays": layout}
    body = b"".join(
        [
            json.dumps(head).encode() + b"\n",
            *(array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays.values()),
        ]
    )
    return MAGIC + hashlib.blake2b(body, digest_size=_DIGEST).digest() + body


def unpack(data: bytes, name: str, version: int, dimensions: int) -> dict[str, NDArray[Any]]:
    """The arrays that `pack` was given.

    Args:
        data: as `pack` gave it.
        name: of the policy that is to take it over.
        version: the newest format that it can read.
        dimensions: d of its embeddings.

    Raises:
        PolicyError: damaged, of another policy, of other dimensions, or of a newer format.
    """
    body = _checked(bytes(data), name)
    line, _, rest = body.partition(b"\n")
    try:
        head = json.loads(line)
        found, kind, size = head["policy"], head["version"], head["dimensions"]
        layout = [(str(key), str(dtype), tuple(int(n) for n in shape)) for key, dtype, shape in head["arrays"]]
    except (ValueError, KeyError, TypeError) as error:
        raise unusable(name, f"has no readable head ({type(error).__name__})") from None
    if found != name:
        raise unusable(name, f"is that of the policy {found!r}")
    if not isinstance(kind, int) or kind > version:
        raise unusable(name, f"has the format {kind!r} of a newer agentfly (this one reads up to {version})")
    if size != dimensions:
        raise unusable(name, f"was learned on embeddings of {size} dimensions, not {dimensions}")
    return _arrays(rest, layout, name)


def unusable(name: str, why: str) -> PolicyError:
    """The error for a state that cannot be used, with what to do about it."""
    return PolicyError(
        f"the learned state of the policy {name!r} {why}; `agentfly memory policy retrain` learns it anew from the record"
    )


def _checked(data: bytes, name: str) -> bytes:
    start = len(MAGIC) + _DIGEST
    if not data.startswith(MAGIC):
        raise unusable(name, "is damaged: it does not begin as one")
    body = data[start:]
    if hashlib.blake2b(body, digest_size=_DIGEST).digest() != data[len(MAGIC) : start]:
        raise unusable(name, "is damaged: its checksum does not match")
    return body


def _arrays(rest: bytes, layout: list[tuple[str, str, tuple[int, ...]]], name: str) -> dict[str, NDArray[Any]]:
    import numpy as np

    arrays, at = {}, 0
    for key, dtype, shape in layout:
        if dtype not in _TYPES or any(n < 0 for n in shape):
            raise unusable(name, f"holds {key!r} in an unknown form")
        end = at + math.prod(shape) * np.dtype(dtype).itemsize
        if end > len(rest):
            raise unusable(name, "is damaged: it ends too early")
        arrays[key] = np.frombuffer(rest[at:end], dtype=dtype).reshape(shape).astype(np.dtype(dtype).newbyteorder("="))
        at = end
    if at != len(rest):
        raise unusable(name, "is damaged: it goes on after its end")
    return arrays
