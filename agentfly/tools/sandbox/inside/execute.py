"""Running one block: last expression echoed, exceptions told in terms of the block's own lines."""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import linecache
import os
import re
import signal
import sys
import traceback

from .values import plain, simple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType, TracebackType
    from typing import Any

ECHO = 20_000
MESSAGE = 1_500
_KNOWN = ("numpy", "pandas", "scipy", "sklearn", "statsmodels", "matplotlib", "sympy", "networkx", "openpyxl", "PIL", "bs4", "lxml")
"""What code asks for most often, of what may be installed."""


class Finished(BaseException):
    """Ends a block after ``final_answer``; not an Exception, so that the block's own handlers let it through."""


class TimeUp(BaseException):
    """Ends a block whose time is over."""


class Clock:
    """The time limit of a block, as an alarm in the main thread. It stands still while a tool is called."""

    def install(self) -> None:
        """Take the alarm signal; the code may have taken it for itself."""
        signal.signal(signal.SIGALRM, self._ring)

    def start(self, seconds: float) -> None:
        """Let the alarm ring after `seconds`, and again and again in case the code swallows it."""
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), 0.05)

    def stop(self) -> float:
        """Stop the alarm; the seconds that were left."""
        return signal.setitimer(signal.ITIMER_REAL, 0)[0]

    def _ring(self, signum: int, frame: FrameType | None) -> None:
        raise TimeUp


class Block:
    """Blocks that share their variables."""

    def __init__(self, namespace: dict[str, Any], clock: Clock) -> None:
        self.namespace = namespace
        self.answer: list[Any] = []
        self.clock = clock
        self._count = 0

    def final_answer(self, answer: Any = None) -> None:
        """Give the final answer to the task. Nothing after it runs."""
        if not self.answer:  # the first counts: handlers in the code may catch the exception below and call again
            self.answer.append(plain(answer))
        raise Finished

    def run(self, code: str, seconds: float) -> dict[str, Any]:
        """Run `code` and say what came of it, as the fields of `agentfly.protocols.Execution`."""
        self._count += 1
        name = f"<block {self._count}>"
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        self.answer.clear()
        process = os.getpid()
        result: dict[str, Any] = {}
        try:
            try:
                body, last = _compile(code, name)
                _plain_numbers(code)
                self.clock.install()
                self.clock.start(seconds)
                exec(body, self.namespace)  # noqa: S102  # the sandbox is the process, not this call
                result["value"] = _echo(eval(last, self.namespace) if last else None)  # noqa: S307
            finally:
                self.clock.stop()
        except Finished:
            pass
        except TimeUp as error:
            told = f"TimeoutError: the block ran for more than {seconds:g} s and was stopped; variables are kept."
            result |= {"timed_out": True, "error": "\n".join([*_frames(error.__traceback__), told])}
        except SystemExit as stop:
            if stop.code not in (None, 0):
                result["error"] = f"SystemExit: {stop.code}"[:MESSAGE]
        except MemoryError as error:
            traceback.clear_frames(error.__traceback__)
            result["error"] = _explain(error, self.namespace)
        except BaseException as error:  # noqa: BLE001  # whatever the code raises is its own
            result["error"] = _explain(error, self.namespace)
        if os.getpid() != process:
            os._exit(0)  # a fork made by the code ran on to here: only the worker itself reports
        if self.answer:
            result |= {"answered": True, "answer": self.answer[0]}
        _flush()
        return result


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(Exception):  # the code may have closed or replaced it
            stream.flush()  # type: ignore[union-attr]


def _compile(code: str, name: str) -> tuple[CodeType, CodeType | None]:
    """The block without its last expression, and that expression."""
    tree = ast.parse(code, name)
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        expression = tree.body.pop()
        assert isinstance(expression, ast.Expr)
        last = compile(ast.Expression(expression.value), name, "eval")
    return compile(tree, name, "exec"), last


def _echo(value: Any) -> str | None:
    value = simple(value)
    return None if value is None else repr(value)[:ECHO]


def _plain_numbers(code: str) -> None:
    """Have numpy print 1.5 and not np.float64(1.5) within lists: models copy what they see."""
    if getattr(_plain_numbers, "done", False) or not re.search(r"\b(?:numpy|pandas|scipy|sklearn)\b", code):
        return
    _plain_numbers.done = True  # type: ignore[attr-defined]
    with contextlib.suppress(Exception):  # the code that needs it will see the error itself
        importlib.import_module("numpy").set_printoptions(legacy="1.25")


def _explain(error: BaseException, namespace: dict[str, Any]) -> str:
    """The lines of the code that were running and the exception, without the frames of libraries."""
    try:
        message = "".join(traceback.format_exception_only(error)).strip()
        if isinstance(error, SyntaxError):
            return message[:MESSAGE]
        lines = _frames(error.__traceback__)
        facts = _facts(error, namespace)
    except Exception:  # noqa: BLE001  # an exception class of the code may itself fail to print
        return type(error).__name__
    if len(message) > MESSAGE:  # libraries put the point at the end as often as at the start
        message = message[: MESSAGE // 2] + " ... " + message[-MESSAGE // 2 :]
    return "\n".join([*lines, message, *facts])


def _frames(tb: TracebackType | None) -> list[str]:
    found = []
    for frame in traceback.extract_tb(tb):
        if frame.filename.startswith("<block "):
            where = f" in {frame.name}" if frame.name != "<module>" else ""
            found.append(f"{frame.filename[1:-1]}, line {frame.lineno}{where}: {frame.line}")
    return found if len(found) <= 6 else [*found[:3], "...", *found[-3:]]


def _facts(error: BaseException, namespace: dict[str, Any]) -> list[str]:
    """What there really is, where the code asked for something that there is not."""
    if isinstance(error, FileNotFoundError):
        names = sorted(name for name in os.listdir() if not name.startswith("."))[:30]  # noqa: PTH208
        return [f"Files here: {', '.join(names) or 'none'}"]
    if isinstance(error, ModuleNotFoundError):
        return [] if _is_there((error.name or "").partition(".")[0]) else [_packages()]
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(error, (KeyError, AttributeError, ValueError, IndexError, TypeError)):
        return []
    frames = [(n, v) for n, v in namespace.items() if not n.startswith("_") and isinstance(v, pandas.DataFrame)]
    facts = [f"Columns of {name}, with a value of each: {_columns(frame)}" for name, frame in frames[-2:]]
    if _of_gaps(error):
        gaps = list(dict.fromkeys(f"{gap!r}" for _, frame in frames for gap in frame.columns[frame.isna().any()]))[:20]
        if gaps:
            facts.append(f"A missing value is the float nan; there are some in {', '.join(gaps)}. Call dropna() first.")
    return facts


def _of_gaps(error: BaseException) -> bool:
    """Whether an error is one that missing values make: text functions on nan, models that take no NaN."""
    told = str(error)
    return ("'float'" in told and "'str'" in told) if isinstance(error, TypeError) else "contains NaN" in told


def _packages() -> str:
    there = ", ".join(name for name in _KNOWN if _is_there(name))
    return f"Nothing can be installed here. There are {there or 'no packages'}, and Python's standard library."


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _columns(frame: Any) -> str:
    """Names as code must write them, and a value, so that text that looks like a number is seen to be text."""
    first = frame.iloc[0].tolist() if len(frame) else [None] * frame.shape[1]
    pairs = [f"{name!r}: {repr(simple(value))[:30]}" for name, value in zip(frame.columns[:60], first, strict=False)]
    return ", ".join(pairs)[:700]
