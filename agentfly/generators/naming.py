"""Which names code reads before it sets them, and which it sets for certain. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_LOOPS = (ast.For, ast.AsyncFor)
_WITHS = (ast.With, ast.AsyncWith)


@dataclass(slots=True)
class Names:
    """The names of a piece of code, as what runs before and after it sees them."""

    reads: set[str] = field(default_factory=set)
    """Read where the code itself has not set them for certain: they come from before it."""
    sets: set[str] = field(default_factory=set)
    """Set whatever happens, if the code comes to its end."""
    later: set[str] = field(default_factory=set)
    """Read in the bodies of functions, with the values that they have when these are called."""


def names_of(tree: ast.Module) -> Names:
    """The names of a module, in the order in which its statements run.

    What is set in a branch, a loop or an attempt that may fail counts only where every way through sets it. Of code that is nested too
    deeply to be followed, all that it reads anywhere counts as read, and nothing as set.
    """
    names = Names()
    try:
        _Reader(names.reads, names.later).block(tree.body, names.sets)
    except RecursionError:
        return Names(reads=loaded(tree))
    return names


class _Reader:
    """Goes through code with the names that are set so far."""

    def __init__(self, reads: set[str], later: set[str]) -> None:
        self._reads, self._later = reads, later

    def block(self, body: Iterable[ast.stmt], bound: set[str]) -> set[str]:
        for statement in body:
            self._statement(statement, bound)
        return bound

    def _statement(self, node: ast.stmt, bound: set[str]) -> None:
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            self._definition(node, bound)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            bound |= stored([node])
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            self._each([node.value, *targets], bound)
            self._each([node.annotation] if isinstance(node, ast.AnnAssign) else [], bound)
            bound |= stored(targets) if node.value is not None else set()
        elif isinstance(node, ast.AugAssign):
            self._each([node.value, node.target], bound)
            self._reads |= stored([node.target]) - bound
        elif isinstance(node, ast.Delete):
            self._reads |= stored(node.targets) - bound
            self._each(node.targets, bound)
            bound -= stored(node.targets)
        else:
            self._compound(node, bound)

    def _compound(self, node: ast.stmt, bound: set[str]) -> None:
        if isinstance(node, ast.If):
            self._each([node.test], bound)
            bound |= self.block(node.body, set(bound)) & self.block(node.orelse, set(bound))
        elif isinstance(node, _LOOPS):
            self._each([node.iter, node.target], bound)
            self.block(node.body, bound | stored([node.target]))
            self.block(node.orelse, set(bound))
        elif isinstance(node, ast.While):
            self._each([node.test], bound)
            self.block(node.body, set(bound))
            self.block(node.orelse, set(bound))
        elif isinstance(node, _WITHS):
            for item in node.items:
                self._each([item.context_expr, item.optional_vars], bound)
                bound |= stored([item.optional_vars] if item.optional_vars else [])
            self.block(node.body, bound)
        elif isinstance(node, (ast.Try, ast.TryStar)):
            self._try(node, bound)
        elif isinstance(node, ast.Match):
            self._each([node.subject], bound)
            for case in node.cases:
                self._each([case.pattern, case.guard], bound | stored([case.pattern]))
                self.block(case.body, bound | stored([case.pattern]))
        else:
            self._each(ast.iter_child_nodes(node), bound)

    def _try(self, node: ast.Try | ast.TryStar, bound: set[str]) -> None:
        done = self.block(node.orelse, self.block(node.body, set(bound)))
        for handler in node.handlers:
            self._each([handler.type], bound)
            done &= self.block(handler.body, bound | ({handler.name} if handler.name else set()))
        self.block(node.finalbody, set(bound))
        bound |= done

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, bound: set[str]) -> None:
        self._each(node.decorator_list, bound)
        if isinstance(node, ast.ClassDef):
            self._each([*node.bases, *node.keywords], bound)
            self.block(node.body, set(bound))
        else:
            self._each([node.args, node.returns], bound)  # defaults and annotations
            shared = {name for inner in ast.walk(node) if isinstance(inner, ast.Global) for name in inner.names}
            own = _parameters(node.args) | (stored(node.body) - shared)
            _Reader(self._later, self._later).block(node.body, own)
            self._later |= shared
        bound.add(node.name)

    def _each(self, nodes: Iterable[ast.AST | None], bound: set[str]) -> None:
        for node in nodes:
            if node is not None:
                self._expression(node, bound)

    def _expression(self, node: ast.AST, bound: set[str]) -> None:
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load) and node.id not in bound:
                self._reads.add(node.id)
        elif isinstance(node, _COMPREHENSIONS):
            inner = set(bound)
            for generator in node.generators:
                self._each([generator.iter], inner)
                inner |= stored([generator.target])
                self._each(generator.ifs, inner)
            self._each([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt], inner)
        elif isinstance(node, ast.Lambda):
            self._each([node.args], bound)
            _Reader(self._later, self._later)._each([node.body], _parameters(node.args))
        else:
            self._each(ast.iter_child_nodes(node), bound)


def stored(nodes: Sequence[ast.AST]) -> set[str]:
    """Names that are set anywhere within some code, for certain or not."""
    found: set[str] = set()
    for node in nodes:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load):
                found.add(inner.id)
            elif isinstance(inner, (*_FUNCTIONS, ast.ClassDef)):
                found.add(inner.name)
            elif isinstance(inner, (ast.Import, ast.ImportFrom)):
                found |= {(alias.asname or alias.name).partition(".")[0] for alias in inner.names}
            elif isinstance(inner, (ast.MatchAs, ast.MatchStar, ast.ExceptHandler)) and inner.name:
                found.add(inner.name)
    return found


def loaded(tree: ast.AST) -> set[str]:
    """Names that are read anywhere within some code."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _parameters(args: ast.arguments) -> set[str]:
    every = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
    return {arg.arg for arg in every if arg is not None}
