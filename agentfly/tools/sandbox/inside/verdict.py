"""What one check says of answers. Runs in a process of its own that ends afterwards, so that no check sees another's doings."""

from __future__ import annotations

import ast
import resource
import signal
import types
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from .report import FINE, MESSAGE, PROBLEM, Report, one_line
from .watch import watch

STANDARD = "The answer does not pass a check."
SUBJECT = ("question", "answer", "steps", "files")
_NAME = "<check>"
_VERDICT = "(verdict)"  # no name that a check can write
_CALL = "check(question, answer, steps)"
_CALLS = (
    ast.Module,
    ast.Expr,
    ast.Call,
    ast.keyword,
    ast.Constant,
    ast.Load,
    ast.BoolOp,
    ast.boolop,
    ast.UnaryOp,
    ast.unaryop,
)
_VALUES = (ast.List, ast.Tuple, ast.Dict, ast.Set)
_type_name = type.__dict__["__name__"].__get__  # a class cannot lie to it


class Refused(Exception):
    """The source is no check."""


class Check(NamedTuple):
    """A check, ready to run."""

    code: types.CodeType
    calls_only: bool
    """Whether it does nothing but call the library with what it is given and constants."""


class World(NamedTuple):
    """What all checks find, made once: a fork pays for each page of memory that it touches."""

    names: Mapping[str, Any]
    """Builtins, and the library's functions among them."""
    library: frozenset[str]
    """Names of the latter."""
    report: Report


def judge(
    checks: Mapping[int, Check], subjects: Sequence[Mapping[str, Any]], seconds: float, waiting: float, world: World
) -> None:
    """Put answers to checks. The kernel ends the process when the time of one is over, whatever code then runs.

    Args:
        checks: by the number under which they are told of.
        subjects: what they look at, see `SUBJECT`.
        seconds: of processor time for each check and answer, so that a busy machine fails no check.
        waiting: seconds by the clock for each check and answer.
        world: what checks may use; its report is open.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, hard))
    watch([check.code for check in checks.values()], world.report.stop)
    for number, check in checks.items():
        for subject in subjects:
            world.report.begin(number)
            _clock(seconds, waiting)
            kind, text = _verdict(check.code, {**subject, "__builtins__": world.names, "__name__": "check"})
            world.report.tell(kind, text)
            if kind == PROBLEM:
                break
    _clock(0, 0)


def _verdict(code: types.CodeType, scope: dict[str, Any]) -> tuple[str, str]:
    try:
        exec(code, scope)  # noqa: S102  # the sandbox is the process, not this call
        value = scope.get(_VERDICT)
        scope.clear()  # what the check left behind ends within its time
    except BaseException as error:  # noqa: BLE001  # whatever the check raises is its own
        return PROBLEM, f"it raised {_told(error)}"
    if value is None or value is True:
        return FINE, ""
    if value is False:
        return MESSAGE, STANDARD
    if type(value) is str:
        return (MESSAGE, one_line(value) or STANDARD) if value else (FINE, "")
    return PROBLEM, f"it returned {_type_name(type(value))}, neither text nor True, False or None"


def _told(error: BaseException) -> str:
    kind = _type_name(type(error))
    if isinstance(error, SyntaxError):
        return f"{kind}: {error.msg} (line {error.lineno})"
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001  # an exception class of the check
        text = ""
    return f"{kind}: {text}" if text else kind


@lru_cache(maxsize=64)
def compiled(text: str, library: frozenset[str]) -> Check:
    """A check, ready to run.

    Raises:
        Refused: its source is no check, and why.
    """
    try:
        return _compiled(text, library)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Refused(f"it cannot be compiled: {_told(error)}") from None


def _compiled(text: str, library: frozenset[str]) -> Check:
    tree = ast.parse(text, _NAME)
    _refuse_hidden_names(tree)
    calls_only = _calls_only(tree, library)
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        tree.body.pop()
        value = last.value
    elif any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in tree.body):
        value = ast.parse(_CALL, _NAME, "eval").body
    else:
        raise Refused(f"it gives no verdict: its last line is no expression and it does not define {_CALL}")
    verdict = ast.copy_location(ast.Assign([ast.Name(_VERDICT, ast.Store())], value), value)
    tree.body.append(ast.fix_missing_locations(verdict))
    return Check(compile(tree, _NAME, "exec", dont_inherit=True), calls_only)


def _calls_only(tree: ast.Module, library: frozenset[str]) -> bool:
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    if len(tree.body) != 1 or any(not isinstance(func, ast.Name) or func.id not in library for func in called):
        return False
    return all(
        node.id in SUBJECT or node in called if isinstance(node, ast.Name) else isinstance(node, (*_CALLS, *_VALUES))
        for node in ast.walk(tree)
    )


def _refuse_hidden_names(tree: ast.AST) -> None:
    """Names of the interpreter's own, such as ``__class__``, lead from any object to all others."""
    for node in ast.walk(tree):
        names: Sequence[str] = ()
        if isinstance(node, ast.Name):
            names = (node.id,)
        elif isinstance(node, ast.Attribute):
            names = (node.attr,)
        elif isinstance(node, ast.alias):
            names = (node.name,)
        elif isinstance(node, ast.MatchClass):
            names = node.kwd_attrs
        for name in names:
            if name.startswith("__") and name.endswith("__"):
                raise Refused(f"it uses {name}")


def _clock(seconds: float, waiting: float) -> None:
    """Both alarms keep the kernel's own action, which is the end of the process."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, waiting)
