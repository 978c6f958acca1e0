"""Finding the code in a reply. Pure."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import lru_cache

from agentfly.parsing import parse

_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[ \t]*([\w+-]*)[^\n]*\n(.*?)(?:^[ \t]*(?:```|~~~)[ \t]*$|\Z)", re.M | re.S)
_PYTHON = frozenset({"python", "py", "python3", "ipython", "pycon"})
_SHELL = re.compile(r"^(\s*)[!%](?=\w)", re.M)


@dataclass(frozen=True, slots=True)
class Action:
    """What a reply asks to be done."""

    code: str
    """Empty where there is none that can be run."""
    thought: str
    """The text around the code."""
    problem: str = ""
    """Why there is nothing to run, for the model to read."""


def extract(reply: str, cut: bool = False) -> Action:
    """The Python code of a reply.

    Blocks marked as Python count; where there are none, unmarked blocks that parse; where there are no blocks, the reply
    itself if it is code. Several are joined in their order.

    Args:
        reply: the model's text.
        cut: whether the reply ended at the token limit.
    """
    fences = [(m.group(1).lower(), m.group(2).rstrip()) for m in _FENCE.finditer(reply)]
    blocks = [code for language, code in fences if language in _PYTHON]
    if not blocks:
        blocks = [code for language, code in fences if not language and is_code(code)]
    thought = _FENCE.sub("", reply).strip()
    if not blocks and not fences and (bare := _bare(reply)):
        blocks, thought = [bare], ""
    if not blocks:
        said = "Your reply was cut off before any code." if cut else "There was no Python code in your reply."
        return Action("", thought, said)
    code = _joined([_runnable(block) for block in blocks])
    if cut and not _parses(code):
        return Action("", thought, "Your reply was cut off in the middle of the code. Write a shorter block.")
    return Action(code, thought)


def _joined(blocks: list[str]) -> str:
    """All blocks; only the last where an earlier one spoils it."""
    whole = "\n\n".join(blocks)
    return blocks[-1] if not _parses(whole) and _parses(blocks[-1]) else whole


def _runnable(code: str) -> str:
    """Code with notebook commands (``!pip install x``, ``%matplotlib inline``) and prompts taken out."""
    code = re.sub(r"^(?:>>> |\.\.\. )", "", code, flags=re.M) if code.startswith(">>> ") else code
    return code if _parses(code) else _SHELL.sub(r"\1# ", code)


def _bare(text: str) -> str:
    """The reply itself, or its end, if that is code and not prose."""
    lines = text.strip().splitlines()
    for start, line in enumerate(lines):
        if start == 0 or re.match(r"(?:import|from|def|for|with|print|final_answer)\b|\w+\s*=", line):
            candidate = "\n".join(lines[start:])
            if is_code(candidate):
                return candidate
    return ""


@lru_cache(maxsize=256)  # the same solutions are shown again and again
def is_code(text: str) -> bool:
    """Whether it parses and does something: one word or one number is Python too."""
    try:
        tree = parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    doing = (ast.Call, ast.Assign, ast.AugAssign, ast.Import, ast.ImportFrom, ast.FunctionDef, ast.BinOp)
    return any(isinstance(node, doing) for node in ast.walk(tree))


def _parses(code: str) -> bool:
    try:
        parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
