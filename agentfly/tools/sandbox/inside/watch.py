"""What a check is kept from, and how an attempt is noticed even where the check hides it.

The wall is the sandbox around the process. This makes reaching for it known, so that a check which tries is never kept.
"""

from __future__ import annotations

import builtins
import codecs
import contextlib
import importlib
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

Stop = Callable[[str], NoReturn]
"""Reports why the check is no good and ends the process."""

_ALLOWED = (
    "re",
    "math",
    "datetime",
    "string",
    "json",
    "json.decoder",
    "json.encoder",
    "statistics",
    "unicodedata",
    "decimal",
    "fractions",
    "itertools",
    "collections",
    "collections.abc",
    "functools",
)
_LATER = ("_pylong", "_strptime", "calendar", "heapq", "locale", "random", "time", "typing", "warnings")
"""What the allowed ones load when they are used; not every Python has all of them."""
_INNER = {name: types.ModuleType(name) for name in ("_pylong", "_strptime", "time", "warnings")}
"""C code asks the running code's import for these, does not look at what it gets, and takes the real ones."""
_CODECS = (
    *("ascii", "latin-1", "iso8859-15", "cp1252", "cp437", "utf-8", "utf-8-sig", "unicode_escape", "idna", "punycode"),
    *("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"),
)
_WITHHELD = frozenset(
    {
        "Formatter",  # it reads any attribute of any object, as do the next two
        "update_wrapper",
        "wraps",
        "namedtuple",  # it compiles code
    }
)
_NOT_GIVEN = frozenset({"getattr", "setattr", "delattr", "globals", "locals", "vars", "breakpoint"})
_QUIET = frozenset({"builtins.id", "sys.unraisablehook"})
_UNTOLD = (
    ("time", "sleep", "sleep"),
    ("_thread", "start_new_thread", "start a thread"),
    ("threading", "_start_new_thread", "start a thread"),
)
"""Functions that not every Python raises an event for."""
_TOLD = (
    ("open", "open a file"),
    ("socket.", "open a socket"),
    ("subprocess.", "start a process"),
    ("os.fork", "start a process"),
    ("os.exec", "start a process"),
    ("os.posix_spawn", "start a process"),
    ("os.spawn", "start a process"),
    ("os.system", "start a process"),
    ("pty.", "start a process"),
    ("_thread.", "start a thread"),
    ("os.kill", "send a signal"),
    ("signal.", "send a signal"),
    ("ctypes.", "use ctypes"),
    ("import", "import a module"),
    ("compile", "run code that it made"),
    ("exec", "run code that it made"),
    ("code.", "run code that it made"),
    ("function.", "run code that it made"),
    ("builtins.input", "read input"),
    ("time.sleep", "sleep"),
    ("sys._getframe", "look into the interpreter"),
    ("sys._current", "look into the interpreter"),
    ("gc.", "look into the interpreter"),
    ("object.", "look into the interpreter"),
)


def modules() -> dict[str, types.ModuleType]:
    """What a check may import, by name: copies that show only what each module is for, and no other module.

    Also loads what these would load later, for at that time it would be taken for the check's doing.
    """
    for name in _LATER:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for name in _CODECS:
        codecs.lookup(name)
    found = {name: _copy(name) for name in _ALLOWED}
    for name, module in found.items():
        parent, _, own = name.rpartition(".")
        if parent:
            setattr(found[parent], own, module)
    return found


def _copy(name: str) -> types.ModuleType:
    real, copy = importlib.import_module(name), types.ModuleType(name)
    for key in getattr(real, "__all__", None) or dir(real):
        value = getattr(real, key)
        if not key.startswith("_") and key not in _WITHHELD and not isinstance(value, types.ModuleType):
            setattr(copy, key, value)
    return copy


def builtins_for(allowed: Mapping[str, types.ModuleType], stop: Stop) -> dict[str, Any]:
    """The builtins of a check. Those that do harm are left in where the watch notices their use."""

    def load(name: str, scope: Any = None, inner: Any = None, wanted: Sequence[str] | None = (), level: int = 0) -> Any:
        if name in _INNER and wanted is not None and not wanted:  # an import statement says None, or names
            return _INNER[name]
        module = None if level else allowed.get(name)
        if module is None:
            stop(f"it tried to import {name}")
        for key in wanted or ():
            if key != "*" and not hasattr(module, key):
                raise ImportError(f"cannot import name {key!r} from {name!r}")
        return module if wanted else allowed[name.partition(".")[0]]

    given = {name: value for name, value in vars(builtins).items() if name not in _NOT_GIVEN}
    return {**given, "__import__": load}


def watch(codes: Sequence[types.CodeType], stop: Stop) -> None:
    """From here on, end this process as soon as it does what a check must not do. There is no way back.

    Args:
        codes: the checks themselves, which may be executed.
        stop: says so; it is called before the thing is done.
    """
    quiet, own = _QUIET, tuple(codes)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event not in quiet and not (event == "exec" and any(args[0] is code for code in own)):
            stop(f"it tried to {_named(event)}")

    for name, function, told in _UNTOLD:
        if name in sys.modules:
            setattr(sys.modules[name], function, _refusal(stop, told))
    sys.unraisablehook = lambda _: None  # a `__del__` that raises: telling where would open files
    sys.addaudithook(hook)


def _refusal(stop: Stop, told: str) -> Callable[..., NoReturn]:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        stop(f"it tried to {told}")

    return refuse


def _named(event: str) -> str:
    for start, told in _TOLD:
        if event.startswith(start):
            return told
    return f"do what checks must not do ({event})"
