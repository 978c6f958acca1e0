"""The examples that wrap agents of other makes: they run offline, and the figures that they print are better after learning."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


def example(name: str) -> ModuleType:
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def said(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> str:
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    assert example(name).main() == 0
    return capsys.readouterr().out


def test_a_function_answers_letters_that_it_never_saw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = said("wrap_function", capsys, monkeypatch, "--home", tmp_path)
    before, after = (tuple(map(int, found)) for found in re.findall(r"(\d+) of (\d+) (?:unseen letters )?right", out))
    assert before == (0, 8)
    assert after[1] == 8
    assert after[0] >= 7
    assert "-> billing, with 4 cases" in out
    assert (tmp_path / "agentfly.db").is_file()


def test_the_letters_are_sorted_into_those_to_learn_from_and_others() -> None:
    module = example("wrap_function")
    learn, test = ({task.question for task in group} for group in (module.LEARN, module.TEST))
    assert (len(learn), len(test), learn & test) == (16, 8, set())
    assert module.sort_letter(module.TEST[0].question) == "unknown"


def test_a_graph_keeps_to_what_it_was_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, learned, second, third, record = said("wrap_langgraph", capsys, monkeypatch, "--home", tmp_path).splitlines()
    assert first.endswith("-> That would be 2.50 EUR!")
    assert "playbook version 1" in learned
    assert second.endswith("book cost? -> 1200")
    assert third.endswith("lamp cost? -> 3190")
    assert '{"name": "price", "arguments": {"item": "pen"}}' in record


@pytest.mark.skipif(importlib.util.find_spec("langchain") is not None, reason="langchain is installed")
def test_a_real_chat_model_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["wrap_langgraph", "--chat", "openai:gpt-5-mini"])
    with pytest.raises(SystemExit, match="needs the package langchain"):
        example("wrap_langgraph").main()
