"""Why a server cannot be used, in one line."""

from __future__ import annotations

import re

_SECRET = re.compile(r"(https?://)(?:[^/\s'\"@]*@)?([^\s'\"?#]*)(?:[?#][^\s'\"]*)?")
"""Addresses may hold passwords and keys, before the host and after the path."""


class Failed(Exception):
    """A server cannot be used; the text says why. Becomes a notice or a `ToolError`, never seen outside."""


def said(error: BaseException | None) -> str:
    """An error of the SDK in one line: the first leaf of a group, without what pydantic adds."""
    error = leaf(error)
    if error is None:
        return "it ended the connection"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = _SECRET.sub(r"\1\2", lines[0]) if lines else type(error).__name__
    return text if len(text) <= 300 else text[:299] + "…"


def leaf(error: BaseException | None) -> BaseException | None:
    """The first error of a group, however deep."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
