"""Python source as a tree, one thread at a time.

CPython up to 3.12 counts the depth of all trees that are being made in one place, so two threads that parse at once can meet
``SystemError: AST constructor recursion depth mismatch`` (python/cpython issue 106905 and its like).
"""

from __future__ import annotations

import ast
import threading

_ONE_AT_A_TIME = threading.Lock()


def parse(code: str) -> ast.Module:
    """As `ast.parse`.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it is no Python, or too much of it.
    """
    with _ONE_AT_A_TIME:
        return ast.parse(code)
