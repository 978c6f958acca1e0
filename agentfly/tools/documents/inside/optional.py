"""Packages that may be missing, each imported when a file needs it."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def package(name: str) -> Any:
    """A package by its name.

    Raises:
        ImportError: it is not installed; `main` says how to install it.
    """
    return import_module(name)
