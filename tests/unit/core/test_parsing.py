"""Python source as a tree: many threads may ask for one."""

from __future__ import annotations

import ast
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentfly.parsing import parse


def test_threads_parse_without_meeting() -> None:
    code = "x = " + "[" * 40 + "1" + "]" * 40
    with ThreadPoolExecutor(8) as pool:
        trees = list(pool.map(lambda _: parse(code), range(400)))
    assert {ast.dump(tree) for tree in trees} == {ast.dump(ast.parse(code))}


def test_what_is_no_python_is_said_and_the_next_is_parsed() -> None:
    with pytest.raises(SyntaxError):
        parse("1 +")
    assert parse("1").body
