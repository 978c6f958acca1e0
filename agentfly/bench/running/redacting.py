"""Configurations without secrets. Pure, but for the environment, which is looked at for what must not be written down."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

REDACTED = "(redacted)"
_NAMED = re.compile(r"(^|[_\-.])(api_?key|key|token|secret|passwd|password|authorization|credentials?)$", re.IGNORECASE)
_IN_URL = re.compile(r"(?<=://)[^/\s@]+@")
_PARAMETER = re.compile(r"(?i)([?&](?:api_?key|key|token|secret|password|sig|signature)=)[^&\s]+")
_SHAPED = re.compile(r"\b(?:sk|pk|hf|ghp|gho|glpat|xox[abp]|tvly|AKIA)[-_]?[A-Za-z0-9_\-]{16,}\b")
_SHORTEST = 8
"""Characters of a secret from the environment; anything shorter is found by chance."""


def redacted(data: Any, environ: Mapping[str, str] | None = None) -> Any:
    """Plain data with every secret replaced: values under telling names, what looks like a key, names and passwords in addresses, and
    whatever stands in an environment variable that is named as a secret.

    Args:
        data: mappings, lists and scalars.
        environ: environment to look at, by default this process's.
    """
    known = [
        value
        for name, value in (os.environ if environ is None else environ).items()
        if _NAMED.search(name) and len(value) >= _SHORTEST
    ]
    return _clean(data, sorted(known, key=len, reverse=True))


def _clean(data: Any, known: list[str]) -> Any:
    if isinstance(data, Mapping):
        return {
            key: REDACTED if value not in (None, "") and _NAMED.search(str(key)) else _clean(value, known)
            for key, value in data.items()
        }
    if isinstance(data, list | tuple):
        return [_clean(item, known) for item in data]
    return _text(data, known) if isinstance(data, str) else data


def _text(text: str, known: list[str]) -> str:
    for secret in known:
        text = text.replace(secret, REDACTED)
    text = _PARAMETER.sub(rf"\g<1>{REDACTED}", _IN_URL.sub(f"{REDACTED}@", text))
    return _SHAPED.sub(REDACTED, text)
