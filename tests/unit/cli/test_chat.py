"""`agentfly chat` with lines from a pipe."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Talk = Callable[..., Any]


@pytest.fixture
def talk(agents: dict[str, Any], agentfly: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Talk:
    def say(*lines: str, arguments: tuple[object, ...] = ()) -> Any:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(line + "\n" for line in lines)))
        return agentfly("chat", *arguments)

    return say


def test_it_answers_and_ends_with_the_input(talk: Talk, agents: dict[str, Any]) -> None:
    done = talk("What is the mean?", "", "and \\", "the sum?")
    assert done.code == 0
    assert [asked["question"] for asked in agents["made"][0].asked] == ["What is the mean?", "and \nthe sum?"]
    assert done.out.count("answer    42.5") == 2
    assert "2 steps · 1,280 tokens" in done.out
    assert "you ›" not in done.out
    assert "\x1b" not in done.out
    assert agents["made"][0].closed == 1


def test_feedback_teaches_and_shows_what_was_learned(talk: Talk, agents: dict[str, Any]) -> None:
    done = talk("What is it?", "/good", "/bad it was [b]not[/b] rounded")
    (agent,) = agents["made"]
    assert [(f.reward, f.text, f.source) for f in agent.feedback] == [
        (1.0, "", "human"),
        (0.0, "it was [b]not[/b] rounded", "human"),
    ]
    assert done.out.count("learned   playbook version 2 · case case-0003") == 2
    assert "add strategies: Round [red]markup[/red]" in done.out


def test_teach_puts_the_rule_in_and_shows_its_id(talk: Talk, agents: dict[str, Any]) -> None:
    done = talk("/teach Always say the unit. [red]", "/playbook")
    assert agents["made"][0].taught == ["Always say the unit. [red]"]
    assert "playbook version 2" in done.out
    assert done.out.count("str-00002") == 2
    assert done.out.count("Always say the unit. [red]") == 2


def test_why_shows_similarity_and_bullets(talk: Talk) -> None:
    out = talk("What is it?", "/why").out
    assert "0.83 ✓ case-0001 Median of price?" in out
    assert "0.41 ✗ case-0002" in out
    assert "str-00001" in out


def test_steps_shows_the_code(talk: Talk) -> None:
    assert "print(round(data['price'].mean(), 2))" in talk("What is it?", "/steps").out


def test_a_file_goes_with_the_next_question_only(talk: Talk, agents: dict[str, Any], tmp_path: Path) -> None:
    for name in ("a.csv", "b c.csv"):
        (tmp_path / name).write_text("x")
    talk(f"/file '{tmp_path / 'b c.csv'}'", "one?", "two?", arguments=("--file", tmp_path / "a.csv"))
    files = [[file.name for file in asked["files"]] for asked in agents["made"][0].asked]
    assert files == [["a.csv", "b c.csv"], []]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/why", "there is no answer yet"),
        ("/good", "there is no answer yet"),
        ("/bad", "say what was wrong"),
        ("/teach", "say what to teach"),
        ("/file", "which file?"),
        ("/file /nowhere/x.csv", "no such file"),
        ("/dance", "no command /dance"),
    ],
)
def test_a_mistake_is_told_and_the_chat_goes_on(talk: Talk, agents: dict[str, Any], line: str, said: str) -> None:
    done = talk(line, "What is it?")
    assert done.code == 0
    assert said in done.out
    assert "answer    42.5" in done.out


def test_a_path_is_a_question_not_a_command(talk: Talk, agents: dict[str, Any]) -> None:
    talk("/tmp/x.csv has which columns?")
    assert agents["made"][0].asked[0]["question"] == "/tmp/x.csv has which columns?"


def test_a_provider_that_fails_does_not_end_the_chat(talk: Talk, agents: dict[str, Any]) -> None:
    from agentfly.errors import ProviderError

    agents["fails"] = ProviderError("429 \x1b[31m")
    done = talk("one?", "/help")
    assert done.code == 0
    assert "429 \\x1b[31m" in done.out
    assert "/teach TEXT" in done.out


def test_quit_ends_it(talk: Talk, agents: dict[str, Any]) -> None:
    talk("/quit", "one?")
    assert agents["made"][0].asked == []


def test_bad_settings_are_told_before_anything_is_made(talk: Talk, agents: dict[str, Any]) -> None:
    assert talk("q", arguments=("--strategy", "magic")).code == 2
    assert agents["made"] == []
