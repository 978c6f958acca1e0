"""The public fakes: scripted and replayed models, and the hash embedder."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from agentfly import testing
from agentfly.errors import ProviderError
from agentfly.models.scripted import pieces
from agentfly.protocols import CallOptions, Embedder
from agentfly.testing import HashEmbedder, ReplayMiss, ReplayModel, ScriptedModel, ScriptExhausted
from agentfly.types import Message, Reply, ToolCall, Usage

ASK = [Message("system", "s"), Message("user", "question one")]


async def test_replies_come_in_order_and_calls_are_recorded() -> None:
    special = Reply(text="b", finish_reason="length", usage=Usage(calls=1, prompt_tokens=9))
    model = ScriptedModel(["a", special, lambda messages: messages[-1].content.upper()])
    options = CallOptions(temperature=0.5)
    assert (await model.complete(ASK, options)).text == "a"
    second = await model.complete(ASK)
    assert (second.text, second.finish_reason, second.usage.prompt_tokens) == ("b", "length", 9)
    assert model.remaining == 1
    assert (await model.complete(ASK)).text == "QUESTION ONE"
    assert model.calls[0].options == options
    assert model.calls[2].messages == tuple(ASK)


async def test_an_exception_in_the_script_is_raised_and_the_script_goes_on() -> None:
    model = ScriptedModel([ProviderError("down"), "up"])
    with pytest.raises(ProviderError, match="down"):
        await model.complete(ASK)
    assert (await model.complete(ASK)).text == "up"


async def test_a_used_up_script_says_what_was_asked() -> None:
    model = ScriptedModel(["a"])
    await model.complete(ASK)
    with pytest.raises(ScriptExhausted, match=r"call 2.*question one"):
        await model.complete(ASK)
    assert issubclass(ScriptExhausted, AssertionError)


async def test_usage_is_estimated_the_same_way_each_time() -> None:
    model = ScriptedModel(lambda messages: "four")
    first, second = (await model.complete(ASK)).usage, (await model.complete(ASK)).usage
    assert first == second == Usage(calls=1, prompt_tokens=4 + 1 + 4 + 3, completion_tokens=1)


@pytest.mark.parametrize("text", ["", "one", "one two", " lead and trail \n", "a\n\n  b", "\n"])
def test_pieces_lose_nothing(text: str) -> None:
    assert "".join(pieces(text)) == text


async def test_a_recording_is_replayed_without_the_model(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "replies.jsonl"
    call = ToolCall(id="1", name="f", arguments="{}")
    real = ScriptedModel(["a", Reply(text="b ü", tool_calls=(call,)), "c"], name="real")
    recorder = ReplayModel(path, real)
    said = [await recorder.complete(ASK), await recorder.complete(ASK)]
    said.append(await recorder.complete(ASK, CallOptions(temperature=1.0)))
    replayed = ReplayModel(path, mode="replay")
    streamed: list[str] = []
    again = [await replayed.complete(ASK), await replayed.complete(ASK, on_text=streamed.append)]
    again.append(await replayed.complete(ASK, CallOptions(temperature=1.0, timeout=3)))
    assert again == said
    assert "".join(streamed) == "b ü"
    assert replayed.name == "real"


async def test_a_miss_is_a_clear_error_and_never_asks_in_replay_mode(tmp_path: Path) -> None:
    real = ScriptedModel(["x"])
    for model in (ReplayModel(tmp_path / "none.jsonl"), ReplayModel(tmp_path / "none.jsonl", real, "replay")):
        with pytest.raises(ReplayMiss, match="question one"):
            await model.complete(ASK)
    assert not real.calls


async def test_auto_asks_only_for_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    await ReplayModel(path, ScriptedModel(["a"])).complete(ASK)
    real = ScriptedModel(["b"])
    model = ReplayModel(path, real)
    assert (await model.complete(ASK)).text == "a"
    assert (await model.complete([Message("user", "new")])).text == "b"
    assert len(real.calls) == 1


async def test_record_mode_asks_always(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    await ReplayModel(path, ScriptedModel(["old"])).complete(ASK)
    assert (await ReplayModel(path, ScriptedModel(["new"]), "record").complete(ASK)).text == "new"
    assert (await ReplayModel(path).complete(ASK)).text == "new"
    with pytest.raises(ValueError, match="needs a model"):
        ReplayModel(path, mode="record")


async def test_failures_are_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with pytest.raises(ProviderError):
        await ReplayModel(path, ScriptedModel([ProviderError("x")])).complete(ASK)
    assert not path.exists()


async def test_half_a_line_from_a_killed_recorder_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    recorder = ReplayModel(path, ScriptedModel(["a", "b"]))
    await recorder.complete(ASK)
    whole = path.read_text()
    await recorder.complete(ASK)
    path.write_text(path.read_text()[: len(whole) + 40])
    assert (await ReplayModel(path, ScriptedModel(["c"])).complete(ASK)).text == "a"
    resumed = ReplayModel(path, ScriptedModel(["c"]))
    await resumed.complete(ASK)
    assert (await resumed.complete(ASK)).text == "c"
    final = ReplayModel(path)
    assert [(await final.complete(ASK)).text for _ in range(2)] == ["a", "c"]


@pytest.mark.parametrize("line", ["nonsense", '{"v": 99, "key": "k", "occurrence": 0, "reply": {"text": "t"}}', "[]"])
def test_a_damaged_recording_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ValueError, match="line 1"):
        ReplayModel(path)


async def test_recorders_side_by_side_keep_their_lines_apart(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    models = [ReplayModel(path, ScriptedModel(lambda m: m[-1].content * 500)) for _ in range(4)]
    await asyncio.gather(*(m.complete([Message("user", f"{i}-{j}")]) for i, m in enumerate(models) for j in range(5)))
    assert (await ReplayModel(path).complete([Message("user", "3-4")])).text == "3-4" * 500


def test_the_hash_embedder_gives_unit_vectors_by_shared_words() -> None:
    embedder = HashEmbedder()
    rows = embedder.embed(
        ["mean of the price column", "Mean of the PRICE column!", "mean of the cost column", "zebra", ""]
    )
    assert isinstance(embedder, Embedder)
    assert rows.shape == (5, 384)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, rtol=1e-5)
    assert rows[0] @ rows[1] == pytest.approx(1.0, abs=1e-6)
    assert rows[0] @ rows[2] > 0.5 > abs(rows[0] @ rows[3])
    np.testing.assert_array_equal(
        rows, HashEmbedder().embed(["mean of the price column"] * 2 + ["mean of the cost column", "zebra", ""])
    )
    assert embedder.embed([]).shape == (0, 384)


def test_everything_promised_is_exported() -> None:
    assert all(hasattr(testing, name) for name in testing.__all__)
