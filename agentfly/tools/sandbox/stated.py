"""Blocks that state their answer and do nothing else: there is nothing to run, so no process is needed for them."""

from __future__ import annotations

import ast
import json
import warnings
from typing import Any

from agentfly.parsing import parse
from agentfly.tools.sandbox.inside.values import plain

LONGEST = 10_000
"""Characters of a block that is looked at; what is longer is run like any other."""


def stated(code: str) -> list[Any]:
    """The answer that a block states, as the worker would hand it over; empty where the block does more than that.

    Args:
        code: of a block that no other ran before. Only ``final_answer`` with a literal will do: numbers, texts, lists, dicts.
    """
    if len(code) > LONGEST or "final_answer" not in code:
        return []
    try:
        with warnings.catch_warnings(action="ignore"):
            body = parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    match body:
        case [ast.Expr(ast.Call(ast.Name("final_answer"), [argument], []))] if _literal(argument):
            answer = plain(ast.literal_eval(argument))
            return [answer] if _written(answer) else []
    return []


def _written(answer: Any) -> bool:
    """Whether it can be written anywhere: half a surrogate pair cannot."""
    try:
        return bool(json.dumps(answer, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return False


def _literal(node: ast.expr | None) -> bool:
    match node:
        case ast.Constant(value):
            return value is None or type(value) in (bool, int, float, str)
        case ast.UnaryOp(ast.USub(), ast.Constant(value)):
            return type(value) in (int, float)
        case ast.List(items) | ast.Tuple(items):
            return all(map(_literal, items))
        case ast.Dict(keys, values):
            return all(isinstance(key, ast.Constant) and isinstance(key.value, str) for key in keys) and all(
                map(_literal, values)
            )
    return False
