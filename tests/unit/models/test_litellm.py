"""Providers: retries, limits, errors, usage, JSON modes, against a server that misbehaves on request."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from support.fake_provider import FakeProvider, Fault

from agentfly.errors import ModelUnavailableError, ProviderError, ProviderTimeout
from agentfly.models.failures import parse_retry_after
from agentfly.models.litellm import LiteLLMModel, check_name
from agentfly.protocols import CallOptions
from agentfly.types import Message, ToolCall

ASK = [Message("user", "hello")]
SCHEMA = {"title": "A", "type": "object", "properties": {"x": {"type": "integer", "default": 1}}}
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture(params=["directly", "through litellm"])
def model(request: pytest.FixtureRequest, fake_provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> LiteLLMModel:
    """A model behind a server of one's own; where a variable says how it is to be called, litellm calls it."""
    if request.param == "through litellm":
        monkeypatch.setenv("OPENAI_ORGANIZATION", "org-1")
    return LiteLLMModel("openai/any", api_base=fake_provider.base, retries=3)


def listener(streamed: bool) -> object:
    return (lambda piece: None) if streamed else None


@STREAMED
async def test_server_errors_are_retried_and_counted(
    model: LiteLLMModel, fake_provider: FakeProvider, streamed: bool
) -> None:
    fake_provider.script = [Fault(status=500), Fault(status=503)]
    reply = await model.complete(ASK, on_text=listener(streamed))
    assert reply.text == "Hello from the fake."
    assert (reply.usage.calls, reply.usage.failed_calls) == (3, 2)


@STREAMED
@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
async def test_retry_after_is_honoured(
    model: LiteLLMModel, fake_provider: FakeProvider, streamed: bool, as_date: bool
) -> None:
    when = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
    told = format_datetime(when, usegmt=True) if as_date else "2"
    fake_provider.script = [Fault(status=429, headers={"Retry-After": told})]
    await model.complete(ASK, on_text=listener(streamed))
    first, second = (request.at + time.time() - time.monotonic() for request in fake_provider.requests)
    assert second > (when.timestamp() if as_date else first + 2) - 0.1


async def test_a_wait_longer_than_the_time_left_is_not_waited_for(
    model: LiteLLMModel, fake_provider: FakeProvider
) -> None:
    fake_provider.script = [Fault(status=429, headers={"Retry-After": "60"})] * 2
    began = time.monotonic()
    with pytest.raises(ProviderError, match="asks to wait 60 s") as caught:
        await model.complete(ASK, CallOptions(timeout=20))
    assert time.monotonic() - began < 10
    assert caught.value.usage.calls == len(fake_provider.requests) == 1


async def test_it_gives_up_after_the_retries(model: LiteLLMModel, fake_provider: FakeProvider) -> None:
    fake_provider.script = [Fault(status=500)] * 9
    with pytest.raises(ProviderError, match="after 4 tries: fault 500") as caught:
        await model.complete(ASK)
    assert len(fake_provider.requests) == 4
    assert (caught.value.usage.calls, caught.value.usage.failed_calls) == (4, 4)


@STREAMED
@pytest.mark.parametrize("status", [400, 402, 413])
async def test_other_refusals_are_not_retried(
    model: LiteLLMModel, fake_provider: FakeProvider, status: int, streamed: bool
) -> None:
    fake_provider.script = [Fault(status=status)] * 4
    with pytest.raises(ProviderError, match=f"refused the request.*{status}") as caught:
        await model.complete(ASK, on_text=listener(streamed))
    assert len(fake_provider.requests) == caught.value.usage.failed_calls == 1


@STREAMED
@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_one_line_that_names_the_variable(
    model: LiteLLMModel, fake_provider: FakeProvider, status: int, streamed: bool
) -> None:
    fake_provider.script = [Fault(status=status)] * 2
    with pytest.raises(ModelUnavailableError, match=r"openai/any.*OPENAI_API_KEY") as caught:
        await model.complete(ASK, on_text=listener(streamed))
    assert "\n" not in str(caught.value)
    assert len(fake_provider.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=404),
        Fault(status=400, body='{"error": {"message": "The model `any` does not exist"}}'),
        Fault(status=400, body='{"error": {"message": "any is not a valid model ID"}}'),
    ],
)
async def test_an_unknown_model_is_said_so(model: LiteLLMModel, fake_provider: FakeProvider, fault: Fault) -> None:
    fake_provider.script = [fault]
    with pytest.raises(ModelUnavailableError, match="no such model"):
        await model.complete(ASK)


@STREAMED
async def test_a_hang_ends_at_the_limit(model: LiteLLMModel, fake_provider: FakeProvider, streamed: bool) -> None:
    fake_provider.script = [Fault(hang=60)]
    began = time.monotonic()
    with pytest.raises(ProviderTimeout, match="within 1 s") as caught:
        await model.complete(ASK, CallOptions(timeout=1), on_text=listener(streamed))
    assert time.monotonic() - began < 10
    assert caught.value.usage.failed_calls == 1
    assert caught.value.usage.seconds > 0.5


async def test_a_hang_in_mid_stream_ends_at_the_limit_and_bills_what_came(
    model: LiteLLMModel, fake_provider: FakeProvider
) -> None:
    fake_provider.script = [Fault(hang_after=60)]
    pieces: list[str] = []
    began = time.monotonic()
    with pytest.raises(ProviderTimeout) as caught:
        await model.complete(ASK, CallOptions(timeout=1), pieces.append)
    assert time.monotonic() - began < 10
    assert pieces == ["Hello "]
    assert caught.value.usage.prompt_tokens > 0
    assert caught.value.usage.completion_tokens > 0


async def test_an_attempt_that_has_time_left_does_not_make_a_call_longer(fake_provider: FakeProvider) -> None:
    fake_provider.script = [Fault(hang=60)]
    model = LiteLLMModel("openai/any", api_base=fake_provider.base, call_seconds=1)
    with pytest.raises(ProviderTimeout, match="within 1 s"):
        await model.complete(ASK, CallOptions(timeout=300))


async def test_the_limit_covers_the_retries(model: LiteLLMModel, fake_provider: FakeProvider) -> None:
    fake_provider.script = [Fault(status=500, hang=0.4)] * 20
    model = LiteLLMModel("openai/any", api_base=fake_provider.base, retries=20, call_seconds=1.5)
    began = time.monotonic()
    with pytest.raises(ProviderTimeout, match="the last problem: fault 500") as caught:
        await model.complete(ASK)
    assert time.monotonic() - began < 6
    assert caught.value.usage.failed_calls == len(fake_provider.requests)


async def test_a_stream_that_breaks_off_is_retried(model: LiteLLMModel, fake_provider: FakeProvider) -> None:
    fake_provider.script = [Fault(cut_after=True)]
    reply = await model.complete(ASK, on_text=lambda piece: None)
    assert reply.text == "Hello from the fake."
    assert (reply.usage.calls, reply.usage.failed_calls) == (2, 1)


@STREAMED
@pytest.mark.parametrize("garbage", ["<html><body>oops</body></html>", "", "{}", '{"choices": []}', "[1, 2]", "{"])
async def test_garbage_is_retried_and_then_an_error(
    model: LiteLLMModel, fake_provider: FakeProvider, garbage: str, streamed: bool
) -> None:
    fake_provider.script = [Fault(body=garbage)]
    assert (await model.complete(ASK, on_text=listener(streamed))).text == "Hello from the fake."
    fake_provider.script = [Fault(body=garbage)] * 9
    once = LiteLLMModel("openai/any", api_base=fake_provider.base, retries=0)
    with pytest.raises(ProviderError) as caught:
        await once.complete(ASK, on_text=listener(streamed))
    assert "\n" not in str(caught.value)
    assert "<" not in str(caught.value)


async def test_no_server_is_an_error_and_no_crash() -> None:
    model = LiteLLMModel("openai/any", api_base="http://127.0.0.1:9/v1", retries=1)
    with pytest.raises(ProviderError, match="after 2 tries"):
        await model.complete(ASK)


@STREAMED
async def test_tokens_are_the_servers_and_estimated_where_it_sends_none(
    model: LiteLLMModel, fake_provider: FakeProvider, streamed: bool
) -> None:
    counted = (await model.complete(ASK, on_text=listener(streamed))).usage
    assert (counted.prompt_tokens, counted.completion_tokens, counted.cached_tokens) == (100, 4, 40)
    fake_provider.script = [Fault(usage=False)]
    guessed = (await model.complete(ASK, on_text=listener(streamed))).usage
    assert 1 <= guessed.prompt_tokens < 50
    assert 1 <= guessed.completion_tokens < 20


async def test_cost_comes_from_the_local_price_list(
    fake_provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-1")
    monkeypatch.setenv("OPENAI_API_BASE", fake_provider.base)
    known = await LiteLLMModel("openai/gpt-4o-mini").complete(ASK)
    assert 0 < known.usage.cost_usd < 0.001
    unknown = await LiteLLMModel("openai/any").complete(ASK)
    assert unknown.usage.cost_usd == 0
    assert fake_provider.requests[-1].headers["authorization"] == "Bearer secret-1"


@STREAMED
async def test_tool_calls_are_read(model: LiteLLMModel, fake_provider: FakeProvider, streamed: bool) -> None:
    fake_provider.script = [Fault(tool_calls=[("look", '{"at": "x"}'), ("stop", "{}")])]
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
    reply = await model.complete(ASK, CallOptions(tools=(tool,)), listener(streamed))
    assert reply.finish_reason == "tool_calls"
    assert reply.tool_calls == (
        ToolCall(id="call_0", name="look", arguments='{"at": "x"}'),
        ToolCall(id="call_1", name="stop", arguments="{}"),
    )
    sent = fake_provider.requests[0].body
    assert sent["tools"] == [tool]
    assert not [key for key in sent if "mcp" in key]


async def test_a_conversation_with_tool_results_is_sent_as_openai_wants_it(
    model: LiteLLMModel, fake_provider: FakeProvider
) -> None:
    call = ToolCall(id="c1", name="look", arguments="{}")
    await model.complete([*ASK, Message("assistant", "", (call,)), Message("tool", "seen", (), "c1")])
    _, asked, result = fake_provider.requests[0].body["messages"]
    assert asked["tool_calls"][0]["function"] == {"name": "look", "arguments": "{}"}
    assert (result["role"], result["tool_call_id"], result["content"]) == ("tool", "c1", "seen")


async def test_parameters_are_sent(fake_provider: FakeProvider) -> None:
    model = LiteLLMModel("openai/any", api_base=fake_provider.base, temperature=0.3, seed=7)
    await model.complete(ASK, CallOptions(max_tokens=5, stop=("END",), seed=8))
    sent = fake_provider.requests[0].body
    assert sent["model"] == "any"
    assert (sent["temperature"], sent["seed"], sent["max_tokens"], sent["stop"]) == (0.3, 8, 5, ["END"])
    assert "response_format" not in sent
    assert "tools" not in sent


async def test_a_schema_is_sent_strictly(model: LiteLLMModel, fake_provider: FakeProvider) -> None:
    await model.complete(ASK, CallOptions(json_schema=SCHEMA))
    asked = fake_provider.requests[0].body["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["strict"] is True
    assert asked["json_schema"]["schema"]["required"] == ["x"]
    assert asked["json_schema"]["schema"]["additionalProperties"] is False


async def test_a_refused_schema_goes_down_step_by_step_and_is_remembered(
    model: LiteLLMModel, fake_provider: FakeProvider
) -> None:
    refusal = Fault(status=400, body='{"error": {"message": "response_format is not supported"}}')
    fake_provider.script = [refusal, refusal]
    reply = await model.complete(ASK, CallOptions(json_schema=SCHEMA))
    kinds = [request.body.get("response_format", {}).get("type") for request in fake_provider.requests]
    assert kinds == ["json_schema", "json_object", None]
    assert json.dumps(SCHEMA) in fake_provider.requests[-1].body["messages"][-1]["content"]
    assert reply.usage.failed_calls == 2
    await model.complete(ASK, CallOptions(json_schema=SCHEMA))
    assert "response_format" not in fake_provider.requests[-1].body
    assert len(fake_provider.requests) == 4


async def test_calls_refused_side_by_side_go_down_one_step_only(
    model: LiteLLMModel, fake_provider: FakeProvider
) -> None:
    refusal = Fault(status=400, body='{"error": {"message": "json_schema is not supported"}}', hang=0.2)
    fake_provider.script = [refusal] * 3
    await asyncio.gather(*(model.complete(ASK, CallOptions(json_schema=SCHEMA)) for _ in range(3)))
    kinds = [request.body["response_format"]["type"] for request in fake_provider.requests]
    assert kinds == ["json_schema"] * 3 + ["json_object"] * 3


@STREAMED
async def test_a_missing_key_is_said_without_asking_anyone(
    streamed: bool,
) -> None:
    for name, variable in {"openai/gpt-5-mini": "OPENAI", "anthropic/x": "ANTHROPIC", "gemini/x": "GEMINI"}.items():
        with pytest.raises(ModelUnavailableError, match=f"set {variable}_API_KEY") as caught:
            await LiteLLMModel(name).complete(ASK, on_text=listener(streamed))
        assert "Traceback" not in str(caught.value)


async def test_another_complaint_does_not_change_the_json_mode(
    model: LiteLLMModel, fake_provider: FakeProvider
) -> None:
    fake_provider.script = [Fault(status=400, body='{"error": {"message": "prompt too long"}}')]
    with pytest.raises(ProviderError, match="prompt too long"):
        await model.complete(ASK, CallOptions(json_schema=SCHEMA))
    await model.complete(ASK, CallOptions(json_schema=SCHEMA))
    assert fake_provider.requests[-1].body["response_format"]["type"] == "json_schema"


@STREAMED
async def test_cancelling_is_immediate(model: LiteLLMModel, fake_provider: FakeProvider, streamed: bool) -> None:
    await model.complete(ASK)
    fake_provider.script = [Fault(hang_after=30) if streamed else Fault(hang=30)]
    task = asyncio.create_task(model.complete(ASK, on_text=listener(streamed)))
    while len(fake_provider.requests) < 2:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 10


async def test_a_time_limit_of_the_callers_own_stays_the_callers(
    model: LiteLLMModel, fake_provider: FakeProvider
) -> None:
    fake_provider.script = [Fault(hang=60)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await model.complete(ASK, CallOptions(timeout=50))


@pytest.mark.parametrize("name", ["nosuch/x", "embeded", "x/", "/"])
def test_unknown_providers_are_refused_without_a_call(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelUnavailableError, match="unknown model"):
        check_name(name)
    assert capfd.readouterr() == ("", "")


def test_nothing_is_printed_and_no_price_list_is_fetched(fake_provider: FakeProvider) -> None:
    """In a process of its own: a first import, a good call, a refused call, and the end of the interpreter."""
    program = f"""
import asyncio, socket, sys
from agentfly.models.litellm import LiteLLMModel
assert "litellm" not in sys.modules
real = socket.getaddrinfo
def only_loopback(host, *rest, **kw):
    if host != "127.0.0.1": print("asked for", host)
    return real(host, *rest, **kw)
socket.getaddrinfo = only_loopback
from agentfly.types import Message
model = LiteLLMModel("openai/any", api_base={fake_provider.base!r}, retries=0)
asyncio.run(model.complete([Message("user", "hi")], on_text=lambda piece: None))
try:
    asyncio.run(model.complete([Message("user", "hi")]))
except Exception as error:
    assert "fault 500" in str(error)
"""
    fake_provider.script = [Fault(), Fault(status=500)]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("-4", 0.0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 9.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_retry_after_in_both_forms(value: str, seconds: float | None) -> None:
    assert parse_retry_after(value, now=946684790.0) == seconds
