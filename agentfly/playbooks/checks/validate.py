"""Why a text cannot be a check, found by reading it. Nothing of it runs.

This keeps nonsense out of the playbook, with a reason that whoever wrote it can act on. What keeps harm away is the
sandbox: reading code proves little about what it does.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import warnings
from collections.abc import Iterator

from agentfly.parsing import parse
from agentfly.playbooks.checks.catalogue import FUNCTIONS, SIGNATURES, shown
from agentfly.playbooks.rules import Rules

GIVEN = ("question", "answer", "steps", "files")
"""Names that every check finds."""
_MODULES = "re math datetime string json statistics unicodedata decimal fractions itertools collections functools"
_NAMES = """
abs all any ascii bin bool bytes callable chr complex dict divmod enumerate filter float format frozenset hash hex int
isinstance issubclass iter len list map max min next oct ord pow range repr reversed round set slice sorted str sum tuple
type zip True False None Ellipsis NotImplemented ArithmeticError AssertionError AttributeError Exception IndexError KeyError
LookupError NameError OverflowError RuntimeError StopIteration TypeError UnicodeError ValueError ZeroDivisionError
"""
IMPORTS = frozenset(_MODULES.split())
"""Modules that a check may import."""
BUILTINS = frozenset(_NAMES.split())
"""Builtins that a check may use."""
_INTERNALS = ("f_", "gi_", "cr_", "ag_", "tb_", "co_", "func_", "im_")
_REFUSED: dict[type[ast.AST], str] = {
    ast.ClassDef: "a class",
    ast.AsyncFunctionDef: "async code",
    ast.AsyncFor: "async code",
    ast.AsyncWith: "async code",
    ast.Await: "async code",
    ast.Yield: "yield",
    ast.YieldFrom: "yield",
}
_DEEPEST = 60
_MAX_CHARS = Rules().check_chars


def problem(text: str, limit: int = _MAX_CHARS) -> str:
    """Why a text cannot be a check.

    Args:
        text: what a model or a person wrote.
        limit: most characters.

    Returns:
        One line; empty where nothing speaks against it. Total: no text raises.
    """
    if len(text) > limit:  # before any work on it: the text may be megabytes
        return f"the check has {len(text)} characters; {limit} are allowed"
    try:
        tree = _parsed(text)
    except SyntaxError as error:
        line = f"line {error.lineno}: " if error.lineno else ""
        return f"the check is not Python: {line}{error.msg}"
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return f"the check is not Python: {str(error) or 'it is nested too deeply'}"
    found = next(_problems(tree), None)
    return "" if found is None else found


def _parsed(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # models forget the r before patterns
        tree = parse(text)
        if _too_deep(tree):
            raise RecursionError("it is nested too deeply")
        compile(tree, "<check>", "exec")  # finds what the grammar lets pass, such as return outside a function
    return tree


def _too_deep(tree: ast.AST) -> bool:
    level: list[ast.AST] = [tree]
    for _ in range(_DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return False
    return True


def _problems(tree: ast.Module) -> Iterator[str]:
    bound = {name for node in ast.walk(tree) for name in _bound_by(node)}
    for node in ast.walk(tree):
        place = f"line {node.lineno}: " if isinstance(node, ast.stmt | ast.expr) else ""
        for found in (_forbidden(node), _unknown(node, bound), _misused(node, bound)):
            if found:
                yield place + found
    yield from _without_result(tree, bound)


def _bound_by(node: ast.AST) -> Iterator[str]:
    """Names that a node gives a meaning to. Scopes are not told apart: this is about typing errors."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
        case ast.FunctionDef(name=name) | ast.ExceptHandler(name=str(name)) | ast.arg(arg=name):
            yield name
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            for alias in names:
                yield alias.asname or alias.name.partition(".")[0]
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield name


def _forbidden(node: ast.AST) -> str:
    if type(node) in _REFUSED:
        return f"{_REFUSED[type(node)]} has no place in a check"
    match node:
        case ast.Import(names=names):
            return _import([alias.name for alias in names])
        case ast.ImportFrom(module=module, level=level, names=names):
            star = any(alias.name == "*" for alias in names)
            return "import * has no place in a check" if star else _import(["." * level + (module or "")])
        case ast.Attribute(attr=name) if name.startswith(("_", *_INTERNALS)):
            return f"the attribute {name} is out of bounds for a check"
        case ast.Name(id=name) | ast.FunctionDef(name=name) | ast.arg(arg=name) if name.startswith("__"):
            return f"the name {name} is out of bounds for a check"
    return ""


def _import(names: list[str]) -> str:
    refused = next((name for name in names if name.partition(".")[0] not in IMPORTS), None)
    return f"{refused} cannot be imported; a check may import {', '.join(sorted(IMPORTS))}" if refused else ""


def _unknown(node: ast.AST, bound: set[str]) -> str:
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
        return ""
    known = {*bound, *GIVEN, *FUNCTIONS, *BUILTINS}
    if node.id in known:
        return ""
    if node.id in IMPORTS:
        return f"import {node.id} is missing"
    if hasattr(builtins, node.id):
        return f"{node.id} is out of bounds for a check"
    near = difflib.get_close_matches(node.id, sorted({*FUNCTIONS, *GIVEN, *bound, *BUILTINS}), 1)
    return f"there is nothing of the name {node.id}" + (f"; did you mean {near[0]}?" if near else "")


def _misused(node: ast.AST, bound: set[str]) -> str:
    """A function of the library that is called with the wrong arguments."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return ""
    name = node.func.id
    starred = any(isinstance(argument, ast.Starred) for argument in node.args)
    if name in bound or name not in SIGNATURES or starred or any(word.arg is None for word in node.keywords):
        return ""
    try:
        SIGNATURES[name].bind(*node.args, **{word.arg: word.value for word in node.keywords if word.arg})
    except TypeError as error:
        return f"{name}: {error}; call it as {shown(name)}"
    return ""


def _without_result(tree: ast.Module, bound: set[str]) -> Iterator[str]:
    """A check says what it found by its last expression, or else by a function `check`."""
    last = tree.body[-1] if tree.body else None
    made = next((node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check"), None)
    if isinstance(last, ast.Expr):
        if isinstance(last.value, ast.Constant):
            yield "it says the same of every answer: end with an expression that looks at question and answer"
        elif isinstance(last.value, ast.Name) and last.value.id in SIGNATURES and last.value.id not in bound:
            yield f"it does not call {last.value.id}: write {shown(last.value.id)}"
    elif made is None:
        yield "it has no result: end with an expression, or write def check(question, answer, steps): ..."
    else:
        positional = [argument.arg for argument in (*made.args.posonlyargs, *made.args.args)]
        if positional != list(GIVEN[:3]) or made.args.vararg or made.args.kwonlyargs:
            yield f"line {made.lineno}: write def check(question, answer, steps): ..."
