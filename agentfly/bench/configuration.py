"""What the results of a benchmark run depend on, as plain data with a hash; and in what two of them differ. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from agentfly.errors import InputError

FORMAT = 1
_NONE = object()
_SHOWN, _LONGEST = 5, 60


def configuration(decides: Mapping[str, Any], about: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A configuration as it is written down.

    Args:
        decides: all that the results depend on: with anything else in it, it is another benchmark run. No secrets.
        about: what is on record besides, such as versions and machine.

    Returns:
        ``format``, ``identity`` (SHA-256 of what decides), ``decides`` and ``about``, as plain JSON data.
    """
    plain = json.loads(json.dumps(decides, default=str))
    return {
        "format": FORMAT,
        "identity": _identity(plain),
        "decides": plain,
        "about": json.loads(json.dumps(about or {}, default=str)),
    }


def checked(data: object, place: str) -> dict[str, Any]:
    """A configuration that was read back.

    Raises:
        InputError: it is none, of a newer version, or what decides was changed by hand.
    """
    if (
        not isinstance(data, dict)
        or not isinstance(data.get("decides"), dict)
        or not isinstance(data.get("identity"), str)
    ):
        raise InputError(f"{place} is not the configuration of a benchmark run")
    if data.get("format") != FORMAT:
        raise InputError(
            f"{place} is of format {data.get('format')!r}, and this version knows {FORMAT}; upgrade agentfly"
        )
    if _identity(data["decides"]) != data["identity"]:
        raise InputError(f"{place} was changed after it was written: its identity is not that of its settings")
    return data


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The settings that differ between two configurations' ``decides``, by their dotted names; None stands for one that is missing."""
    one, two = dict(_flat(before)), dict(_flat(after))
    names = [*one, *(name for name in two if name not in one)]
    return {
        name: (one.get(name), two.get(name)) for name in names if not _same(one.get(name, _NONE), two.get(name, _NONE))
    }


def told(differing: Mapping[str, tuple[Any, Any]]) -> str:
    """Differences in a few words, the first few of them."""
    parts = [_change(name, *pair) for name, pair in list(differing.items())[:_SHOWN]]
    if more := len(differing) - len(parts):
        parts.append(f"{more} more")
    return ", ".join(parts)


def _change(name: str, before: Any, after: Any) -> str:
    if isinstance(before, list) and isinstance(after, list) and max(len(before), len(after)) > 3:
        moved = sum(item not in after for item in before) + sum(item not in before for item in after)
        return f"{name} ({len(before)} entries there, {len(after)} here, {moved} not in both)"
    return f"{name} ({_short(before)} there, {_short(after)} here)"


def _short(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _same(one: Any, two: Any) -> bool:
    # As JSON, because 1 == True in Python.
    return one is two or (one is not _NONE and two is not _NONE and _canonical(one) == _canonical(two))


def _identity(decides: object) -> str:
    return hashlib.sha256(_canonical(decides).encode()).hexdigest()


def _canonical(data: object) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"))
