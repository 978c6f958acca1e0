"""The configuration and the record of a benchmark run, as names and values for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentfly.bench.recorded import Recorded
from agentfly.learning.words import duration, when


def facts(found: Recorded) -> Iterator[tuple[str, str]]:
    """Configuration and record as names and values; what is not on record is left out."""
    run = found.run
    for name, value in (
        ("folder", str(found.path)),
        ("dataset", _dataset(found)),
        ("selected", f"{many(len(run.tasks), 'task')}, {many(run.attempts, 'attempt')} at each"),
        ("model", short(found.find("decides.model.name", "decides.model"))),
        ("strategy", short(found.find("decides.strategy"))),
        ("scorer", short(found.find("decides.scorer"))),
        ("mode", _mode(found)),
        ("home", _home(found)),
        ("seed", short(found.find("decides.seed"))),
        ("limits", short(found.find("decides.limits", "decides.settings.limits"))),
        ("prompts", _hash(found.find("decides.prompts"))),
        ("sandbox", short(found.find("about.sandbox", "decides.sandbox"))),
        ("versions", short(found.find("about.versions"))),
        ("commit", _commit(found)),
        ("time", _time(found)),
        ("identity", _hash(found.find("identity"))),
    ):  # fmt: skip
        if value:
            yield name, value


def settings(found: Recorded) -> Iterator[tuple[str, str]]:
    """Everything that is on record by its dotted name, but for the tasks."""
    for part in ("decides", "about"):
        for name, value in _flat(found.config.get(part) or {}):
            if part != "decides" or name != "tasks":
                yield f"{part}.{name}", short(value, 400) or "none"


def _flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def short(value: object, most: int = 200) -> str:
    """A setting in a few words; nothing for none."""
    told = _told(value)
    return told if len(told) <= most else told[: most - 1] + "…"


def _told(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_told(one)}" for name, one in value.items() if one not in (None, "", {}, []))
    if isinstance(value, list):
        return ", ".join(map(_told, value))
    return str(value)


def _hash(value: object) -> str:
    return value[:16] if isinstance(value, str) else short(value)


def _dataset(found: Recorded) -> str:
    name = found.find("decides.dataset.name")
    known = [short(name)] if isinstance(name, str) else []
    return ", ".join([*known, *([f"hash {found.run.dataset[:16]}"] if found.run.dataset else [])])


def _mode(found: Recorded) -> str:
    order = found.find("decides.order")
    return ", ".join([short(found.find("decides.mode")), *([f"order {order}"] if isinstance(order, str) else [])])


def _home(found: Recorded) -> str:
    learned, where = found.find("decides.home"), found.find("about.home")
    if learned is None:
        return "empty" if "home" in found.config["decides"] else ""
    return f"hash {_hash(learned)}{f', copied from {where}' if isinstance(where, str) else ''}"


def changed_since(found: Recorded) -> bool:
    """Whether the source differed from its commit."""
    return found.find("about.code.dirty") is True


def _commit(found: Recorded) -> str:
    commit = found.find("about.code.commit")
    if not isinstance(commit, str):
        return ""
    return f"{commit[:12]}{', with changes that were not committed' if changed_since(found) else ''}"


def _time(found: Recorded) -> str:
    if found.started is None:
        return ""
    until = when(found.ended) if found.ended else "…"
    breaks = sum(event.event == "resume" for event in found.events)
    resumed = f", resumed {many(breaks, 'time')}" if breaks else ""
    return f"{when(found.started)} to {until}; {duration(found.worked)} of work{resumed}"


def many(number: int, noun: str, plural: str = "") -> str:
    """``1 task``, ``1,204 tasks``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {plural or noun + 's'}"
