"""The checks that come with agentfly, ready to be tried on the record, and the library as the curator is told of it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from agentfly.playbooks.checks import library


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyCheck:
    """A check that needs no writing."""

    name: str
    text: str
    """The text of its bullet."""
    line: str
    """What it flags, for people."""


def _functions() -> Mapping[str, Callable[..., str]]:
    """The library's functions by name, in its order."""
    found = {
        name: value
        for name, value in vars(library).items()
        if inspect.isfunction(value) and value.__module__ == library.__name__ and not name.startswith("_")
    }
    return MappingProxyType(found)


FUNCTIONS = _functions()
SIGNATURES = MappingProxyType({name: inspect.signature(function) for name, function in FUNCTIONS.items()})


def shown(name: str) -> str:
    """How a function of the library is called, such as ``within(question, answer, low, high, when='')``."""
    parameters = SIGNATURES[name].parameters.values()
    listed = (p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters)
    return f"{name}({', '.join(listed)})"


def _line(name: str) -> str:
    """The first sentence of the function's docstring."""
    text = " ".join((FUNCTIONS[name].__doc__ or "").split())
    return re.split(r"(?<=\.)\s", text, maxsplit=1)[0]


def _ready(name: str, text: str, line: str = "") -> ReadyCheck:
    return ReadyCheck(name=name, text=text, line=line or _line(name))


READY: tuple[ReadyCheck, ...] = (
    _ready("rounded_as_asked", "rounded_as_asked(question, answer)"),
    _ready("bare_value", "bare_value(question, answer)"),
    _ready("one_of_options", "one_of_options(question, answer)"),
    _ready("is_number", "is_number(question, answer)"),
    _ready("without_units", "without_units(question, answer)"),
    _ready("not_empty", "not_empty(question, answer)"),
    _ready("no_traceback", "no_traceback(steps, answer)"),
    _ready("file_was_read", "file_was_read(question, steps, files)"),
    _ready("p_value", 'within(question, answer, 0, 1, when="p-value")', "Flags a p-value outside 0..1."),
    _ready("correlation", 'within(question, answer, -1, 1, when="correlation")', "Flags a correlation outside -1..1."),
    _ready("probability", 'within(question, answer, 0, 1, when="probability")', "Flags a probability outside 0..1."),
)
"""What is tried on the record after a failure."""


def for_curator() -> str:
    """The library for the curator's prompt: each function as it is called, and what it flags; one line each."""
    return "\n".join(f"- `{shown(name)}`: {_line(name)}" for name in FUNCTIONS)
