from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from agentfly.scorers.command import CommandScorer
from agentfly.types import Attempt, Feedback, Task

TASK = Task("q", id="t-1", reference="the secret")


async def judge(command: str, workspace: Path, answer: str = "42", seconds: float = 10.0) -> Feedback | None:
    attempt = Attempt(task_id="t-1", answer=answer, status="answered")
    return await CommandScorer(command, seconds=seconds).score(TASK, attempt, workspace)


async def reward(command: str, workspace: Path, answer: str = "42") -> float | None:
    feedback = await judge(command, workspace, answer)
    return feedback.reward if feedback else None


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("true", 1.0),
        ("false", 0.0),
        ("exit 3", 0.0),
        ("grep -qx 42", 1.0),
        ('test "$AGENTFLY_ANSWER" = 42', 1.0),
        ('grep -qx 42 "$AGENTFLY_ANSWER_FILE"', 1.0),
        ('test "$AGENTFLY_TASK_ID" = t-1', 1.0),
        ("echo checked; echo 0.25", 0.25),
        ("echo 0", 0.0),
        ("echo 7", 1.0),  # no reward, so not taken for one
        ("echo nan", 1.0),
        ("echo 0.9; exit 1", 0.0),
    ],
)
async def test_rewards(command: str, expected: float, tmp_path: Path) -> None:
    assert await reward(command, tmp_path) == expected


async def test_runs_in_the_attempts_folder(tmp_path: Path) -> None:
    (tmp_path / "made.txt").write_text("x")
    assert await reward("test -f made.txt", tmp_path) == 1.0


async def test_output_becomes_the_text(tmp_path: Path) -> None:
    feedback = await judge("echo 3 tests failed >&2; exit 1", tmp_path)
    assert feedback == Feedback(reward=0.0, text="The command ends with status 1:\n3 tests failed", source="command")


@pytest.mark.parametrize(
    "answer", ["$(touch owned)", "'; touch owned; '", "`touch owned`", "a\0b", "\ud800", "x" * 500_000]
)
async def test_no_answer_can_act_on_the_shell(answer: str, tmp_path: Path) -> None:
    assert await reward('test -n "$AGENTFLY_ANSWER"', tmp_path, answer) == 1.0
    assert list(tmp_path.iterdir()) == []


async def test_a_link_left_by_the_model_is_not_written_through(tmp_path: Path) -> None:
    victim, workspace = tmp_path / "victim", tmp_path / "work"
    workspace.mkdir()
    victim.write_text("precious")
    for name in ("answer.txt", "answer"):
        (workspace / name).symlink_to(victim)
    assert await reward("true", workspace) == 1.0
    assert victim.read_text() == "precious"


async def test_keys_and_the_reference_stay_out_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-123")
    feedback = await judge("env; cat; cat $AGENTFLY_ANSWER_FILE; exit 1", tmp_path)
    assert feedback is not None
    assert "sk-123" not in feedback.text
    assert "the secret" not in feedback.text


@pytest.mark.parametrize(
    ("command", "reason"),
    [("no-such-program-here", "not found"), ("kill -9 $$", "signal 9"), ("sleep 30", "did not end within 0.3 s")],
)
async def test_its_own_failure_is_no_verdict(
    command: str, reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "agentfly.scorers"):
        assert await judge(command, tmp_path, seconds=0.3) is None
    assert reason in caplog.text


async def test_a_folder_that_is_gone_is_no_verdict(tmp_path: Path) -> None:
    assert await judge("true", tmp_path / "gone") is None


async def test_a_missing_answer_earns_nothing_and_runs_nothing(tmp_path: Path) -> None:
    feedback = await CommandScorer("touch ran").score(TASK, Attempt(task_id="t-1"), tmp_path)
    assert feedback is not None
    assert feedback.reward == 0.0
    assert not (tmp_path / "ran").exists()


async def test_what_it_leaves_in_the_background_is_ended(tmp_path: Path) -> None:
    assert await reward("(sleep 1; touch late) & true", tmp_path) == 1.0
    assert not (tmp_path / "late").exists()
    await asyncio.sleep(1.2)
    assert not (tmp_path / "late").exists()


async def test_endless_output_is_cut_and_ended(tmp_path: Path) -> None:
    assert await judge("yes", tmp_path, seconds=0.5) is None
    feedback = await judge("head -c 3000000 /dev/zero | tr '\\0' x; exit 1", tmp_path)
    assert feedback is not None
    assert len(feedback.text) < 2_200


async def test_cancellation_ends_the_command(tmp_path: Path) -> None:
    running = asyncio.create_task(judge("sleep 1; touch late", tmp_path))
    await asyncio.sleep(0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not (tmp_path / "late").exists()
    await asyncio.sleep(1.1)
    assert not (tmp_path / "late").exists()
