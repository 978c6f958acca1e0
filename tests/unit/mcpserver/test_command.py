"""The command: what it refuses before anything is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentfly.cli.main import run_cli


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--read-only"], "no home at "),
        (["--root", "missing"], "there is no such folder"),
        (["--http", "nowhere"], "write it as PORT or HOST:PORT"),
        (["--http", "192.0.2.1:80"], "cannot listen on 192.0.2.1:80: "),
        (["--http", "a..b:80"], "cannot listen on a..b:80: "),
        (["--allow-host", "x"], "--allow-host goes with --http"),
        (["--set", "limits.stepz=1"], "unknown setting"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_cli(["mcp", *arguments]) == 2
    done = capsys.readouterr()
    assert done.out == ""
    assert done.err.startswith("agentfly: ")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_a_token_that_is_no_secret_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AGENTFLY_MCP_TOKEN", "short")
    assert run_cli(["mcp", "--http", "0"]) == 2
    assert "at least 16" in capsys.readouterr().err
