"""Adapters: files of other people's benchmarks as tasks, with their own scoring. Start with `formula.py`.

A new one is a file that makes an `Adapter`, and a line in `_BUILT_IN`; from outside the package, `register_adapter`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentfly.bench.adapters import finer, formula
from agentfly.bench.adapters.base import Adapter
from agentfly.errors import InputError

__all__ = ["Adapter", "adapter_for", "adapter_named", "names", "register_adapter"]

_BUILT_IN = (formula.ADAPTER, finer.ADAPTER)
_known: dict[str, Adapter] = {adapter.name: adapter for adapter in _BUILT_IN}


def register_adapter(adapter: Adapter) -> None:
    """Let `load_dataset` know an adapter, for this process; one of the same name is replaced."""
    if not adapter.name.isidentifier():
        raise InputError(f"an adapter's name must be one word, not {adapter.name!r}")
    _known[adapter.name] = adapter


def names() -> list[str]:
    """The names of all adapters."""
    return sorted(_known)


def adapter_named(name: str) -> Adapter | None:
    """The adapter of that name; None where there is none."""
    return _known.get(name)


def adapter_for(row: Mapping[str, Any]) -> Adapter | None:
    """The adapter that knows a dataset's first row for its own; None where it is a plain one."""
    return next((adapter for adapter in _known.values() if adapter.recognises(row)), None)
