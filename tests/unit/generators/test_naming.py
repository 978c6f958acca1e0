"""Names that code reads and sets."""

from __future__ import annotations

import ast

import pytest

from agentfly.generators.naming import names_of


@pytest.mark.parametrize(
    ("code", "reads", "sets"),
    [
        ("x = a\ny = x", "a", "x y"),
        ("x += 1", "x", ""),
        ("x = 1\nx += b", "b", "x"),
        ("a.b = c\nd[e] = f", "a c d e f", ""),
        ("x: int\ny: int = z", "int z", "y"),
        ("if a:\n  b = 1\nelse:\n  b = 2\nb", "a", "b"),
        ("if a:\n  b = 1\nb", "a b", ""),
        ("for i in rows:\n  total = i\ntotal", "rows total", ""),
        ("while go:\n  x = 1\nx", "go x", ""),
        ("with open(p) as f:\n  t = f", "open p", "f t"),
        ("try:\n  x = a\nexcept E as e:\n  x = e\nx", "E a", "x"),
        ("try:\n  x = a\nexcept E:\n  pass\nx", "E a x", ""),
        ("import os.path, re as r\nfrom m import n\nos, r, n", "", "os r n"),
        ("[i for i in x if i > y]", "x y", ""),
        ("[x for x in x]", "x", ""),
        ("{k: v for k in a for v in k}", "a", ""),
        ("(lambda q, r=s: q + r)", "s", ""),
        ("def f(a, b=c) -> D:\n  e = a\n  return e", "c D", "f"),
        ("@d\nclass A(B):\n  x = y", "B d y", "A"),
        ("match a:\n  case [b, *c]:\n    b\n  case D(e) if e:\n    pass", "D a", ""),
        ("x = 1\ndel x\nx", "x", ""),
        ("x, (y, *z) = w", "w", "x y z"),
    ],
)
def test_reads_and_sets(code: str, reads: str, sets: str) -> None:
    names = names_of(ast.parse(code))
    assert names.reads == set(reads.split())
    assert names.sets == set(sets.split())


def test_what_functions_read_they_read_when_they_are_called() -> None:
    code = "a = 1\ndef f(b):\n  global c\n  c = a + b + len(d)\n  e = c\n  def g(): return e + h\ni = lambda j: j + k"
    names = names_of(ast.parse(code))
    assert names.reads == set()
    assert {"a", "c", "d", "h", "k", "len"} <= names.later
    assert not {"b", "j"} & names.later


def test_code_that_is_nested_too_deeply_reads_all_that_it_names() -> None:
    names = names_of(ast.parse(f"a = b\nc = {' + '.join(['a'] * 900)}"))
    assert (names.reads, names.sets, names.later) == ({"a", "b"}, set(), set())
