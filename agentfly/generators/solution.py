"""The working code of an attempt, cut down to what led to the answer. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from agentfly.generators.naming import loaded, names_of, stored
from agentfly.parsing import parse


@dataclass(frozen=True, slots=True)
class Ran:
    """A block that was run."""

    code: str
    error: str | None = None


def distil(blocks: Sequence[Ran]) -> str:
    """The last block and, before it, what it needs of the earlier ones.

    An earlier block is kept when it touches a name that what follows reads without having set it. Of a block that failed, the statements
    before the failing one count, because their variables were there. Two names of one object, and functions that set what is outside of
    them, are not followed.

    Args:
        blocks: in the order in which they ran; the last one gave the answer.
    """
    if not blocks:
        return ""
    codes = [b.code if b.error is None else _before_failure(b.code, b.error) for b in blocks]
    later: set[str] = set()
    while True:
        kept = _kept(codes, later)
        called = set().union(*(names_of(_parse(code)).later for code in kept))
        if called <= later:
            return _without_repeated_imports("\n".join(code.strip() for code in kept if code.strip()))
        later |= called


def _kept(codes: Sequence[str], later: set[str]) -> list[str]:
    """The last of some blocks, and what it needs of those before.

    Args:
        codes: in the order in which they ran.
        later: names that functions read when they are called, whoever set them last.
    """
    kept = [codes[-1]]
    stores = [stored([_parse(code)]) for code in codes]
    needed = names_of(_parse(codes[-1])).reads
    for number in range(len(codes) - 2, -1, -1):
        wanted = (needed | later) & set().union(*stores[: number + 1])
        if wanted & (stores[number] | loaded(_parse(codes[number]))) and not _only_shows(codes[number]):
            kept.insert(0, codes[number])
            names = names_of(_parse(codes[number]))
            needed = (needed - names.sets) | names.reads
    return kept


def written_down(code: str) -> bool:
    """Whether code only states its answer: it reads no file and calls nothing but ``final_answer`` and ``print``."""
    calls = {ast.unparse(node.func) for node in ast.walk(_parse(code)) if isinstance(node, ast.Call)}
    return calls <= {"final_answer", "print", "str", "int", "float", "round", "list"}


def _without_repeated_imports(code: str) -> str:
    """Each block imports what it needs: in one piece, once is enough."""
    seen: set[str] = set()
    repeated: set[int] = set()
    for node in _parse(code).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)) and node.lineno == node.end_lineno:
            repeated |= {node.lineno} if ast.unparse(node) in seen else set()
            seen.add(ast.unparse(node))
    lines = enumerate(code.splitlines(), start=1)
    return "\n".join(line for number, line in lines if number not in repeated or ";" in line)


def _only_shows(code: str) -> bool:
    """Whether every statement only prints or echoes something."""
    return all(
        isinstance(node, ast.Expr)
        and (not isinstance(node.value, ast.Call) or ast.unparse(node.value.func) in {"print", "display"})
        for node in _parse(code).body
    )


def _before_failure(code: str, error: str) -> str:
    """The statements that were done when line n failed, by the error's ``line n``."""
    at = re.search(r"^block \d+, line (\d+)", error, re.M)
    if at is None:
        return ""
    done = [node for node in _parse(code).body if (node.end_lineno or 0) < int(at.group(1))]
    return "\n".join(code.splitlines()[: done[-1].end_lineno]) if done else ""


def _parse(code: str) -> ast.Module:
    try:
        return parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module(body=[], type_ignores=[])
