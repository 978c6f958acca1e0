"""Tries of a model call: as the provider asks, and without a place among the calls under way while waiting."""

from __future__ import annotations

import time

import pytest
from support.fake_provider import FakeProvider, Fault

from agentfly.bench.running.retrying import tried
from agentfly.bench.running.throttle import Throttle
from agentfly.errors import ModelUnavailableError, ProviderError
from agentfly.models.litellm import LiteLLMModel
from agentfly.protocols import CallOptions
from agentfly.types import Message, Reply

ASKED = [Message("user", "hello")]


def model_of(provider: FakeProvider) -> LiteLLMModel:
    return LiteLLMModel("openai/fake-model", api_base=provider.base, api_key="x", retries=0)


async def call(model: LiteLLMModel, throttle: Throttle | None = None, retries: int = 4, seconds: float = 30.0) -> Reply:
    async def ask(left: float) -> Reply:
        return await model.complete(ASKED, CallOptions(timeout=left))

    try:
        return await tried(ask, throttle or Throttle(1), retries=retries, seconds=seconds)
    finally:
        await model.aclose()


async def test_what_may_pass_is_tried_again_and_all_of_it_is_billed(fake_provider: FakeProvider) -> None:
    fake_provider.script = [
        Fault(status=500),
        Fault(body="<html>garbage"),
        Fault(status=429, headers={"retry-after": "0"}),
    ]
    reply = await call(model_of(fake_provider))
    assert reply.text == "Hello from the fake."
    assert (reply.usage.calls, reply.usage.failed_calls) == (4, 3)


async def test_it_waits_as_long_as_it_is_told(fake_provider: FakeProvider) -> None:
    fake_provider.script = [Fault(status=429, headers={"retry-after": "0.4"})]
    began = time.monotonic()
    await call(model_of(fake_provider))
    assert time.monotonic() - began >= 0.4


async def test_no_place_is_held_while_waiting(fake_provider: FakeProvider) -> None:
    fake_provider.script = [Fault(status=429, headers={"retry-after": "5"}), "other"]
    throttle, began = Throttle(1), time.monotonic()
    model = model_of(fake_provider)
    import asyncio

    waiting = asyncio.create_task(call(model, throttle))
    while not fake_provider.requests:
        await asyncio.sleep(0.01)
    assert (await call(model_of(fake_provider), throttle)).text == "other"
    assert time.monotonic() - began < 5
    waiting.cancel()


@pytest.mark.parametrize("status", [400, 422])
async def test_a_request_that_is_refused_is_not_made_again(fake_provider: FakeProvider, status: int) -> None:
    fake_provider.script = [Fault(status=status)]
    with pytest.raises(ProviderError, match="refused the request"):
        await call(model_of(fake_provider))
    assert len(fake_provider.requests) == 1


async def test_a_refused_key_is_not_tried_again(fake_provider: FakeProvider) -> None:
    fake_provider.script = [Fault(status=401)]
    with pytest.raises(ModelUnavailableError):
        await call(model_of(fake_provider))


async def test_in_the_end_it_gives_up_and_says_what_it_cost(fake_provider: FakeProvider) -> None:
    fake_provider.script = [Fault(status=500)] * 9
    with pytest.raises(ProviderError) as caught:
        await call(model_of(fake_provider), retries=2)
    assert (caught.value.usage.calls, caught.value.usage.failed_calls) == (3, 3)


async def test_a_wait_that_there_is_no_time_for_is_not_begun(fake_provider: FakeProvider) -> None:
    fake_provider.script = [Fault(status=429, headers={"retry-after": "60"})]
    began = time.monotonic()
    with pytest.raises(ProviderError):
        await call(model_of(fake_provider), seconds=10.0)
    assert time.monotonic() - began < 5


async def test_each_answer_tells_the_throttle(fake_provider: FakeProvider) -> None:
    fake_provider.script = [Fault(status=429, headers={"retry-after": "0"})] * 15 + [Fault(status=500)]
    throttle = Throttle(8)
    with pytest.raises(ProviderError):
        await call(model_of(fake_provider), throttle, retries=15)
    assert throttle.limit == 4
