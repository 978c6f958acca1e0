"""Every provider, through litellm (sole import of litellm)."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from agentfly.errors import ModelUnavailableError, ProviderError, ProviderTimeout
from agentfly.models import jsonmode
from agentfly.models.answer import Answer
from agentfly.models.detached import detached
from agentfly.models.estimate import estimate
from agentfly.models.failures import Failure, diagnose, key_variable
from agentfly.protocols import CallOptions
from agentfly.types import Message, Reply, Usage

_loaded = threading.Event()
_BACKOFF = wait_random_exponential(multiplier=0.5, max=20)


def load_litellm() -> Any:
    """Import litellm without its price download, banners and logs. Takes seconds the first time."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.drop_params = True  # a provider without `seed`, say, is asked without it
    if not os.environ.get("LITELLM_LOG"):
        for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    _loaded.set()
    return litellm


def check_name(name: str) -> None:
    """Refuse a model name that litellm has no provider for. No network.

    Raises:
        ModelUnavailableError: unknown provider.
    """
    litellm = load_litellm()
    try:
        litellm.get_llm_provider(name)
    except litellm.BadRequestError:
        raise ModelUnavailableError(
            f"unknown model {name!r}: no provider of that name; names look like openai/gpt-5-mini, "
            "anthropic/claude-sonnet-4-5, ollama_chat/qwen2.5-coder, or embedded"
        ) from None


class LiteLLMModel:
    """A chat model behind a provider's API.

    Args:
        name: as litellm spells it, ``provider/model``.
        api_base: address of an OpenAI-compatible server, instead of the provider's own.
        api_key: instead of the provider's environment variable.
        retries: further tries after rate limits, timeouts, broken connections, server errors and garbage.
        call_seconds: longest time of one call, retries included, where `CallOptions.timeout` is not given.
        temperature: where `CallOptions.temperature` is not given; None leaves the provider's default.
        seed: likewise.
        max_tokens: likewise.
        label: `name` to report, by default the same.
    """

    def __init__(
        self,
        name: str,
        *,
        api_base: str | None = None,
        api_key: str | None = None,
        retries: int = 4,
        call_seconds: float = 120.0,
        temperature: float | None = None,
        seed: int | None = None,
        max_tokens: int | None = None,
        label: str | None = None,
    ) -> None:
        self._model = name
        self._label = label or name
        self._address = {"api_base": api_base, "api_key": api_key or _placeholder_key(name, api_base)}
        self._retries = retries
        self._call_seconds = call_seconds
        self._defaults = {"temperature": temperature, "seed": seed, "max_tokens": max_tokens}
        self._json_mode: jsonmode.JsonMode | None = None  # found out at the first structured call

    @property
    def name(self) -> str:
        return self._label

    async def complete(
        self,
        messages: Sequence[Message],
        options: CallOptions = CallOptions(),
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """As `Model.complete`. When a stream breaks off and is retried, `on_text` sees the text from its start again."""
        budget = options.timeout if options.timeout is not None else self._call_seconds
        call = _Call(self, list(messages), options, on_text, time.monotonic() + budget)
        try:
            async with asyncio.timeout(budget) as limit:
                reply = await self._retrying(call)
        except TimeoutError:
            if not limit.expired():
                raise
            call.close_meter()
            last = f"; the last problem: {call.problem}" if call.problem else ""
            raise ProviderTimeout(f"{self._label} did not answer within {budget:g} s{last}", usage=call.usage) from None
        return reply

    async def aclose(self) -> None:
        """Nothing to release: connections belong to litellm and are shared."""

    async def _retrying(self, call: _Call) -> Reply:
        call.litellm = load_litellm() if _loaded.is_set() else await detached(load_litellm, "import-litellm")
        trial = AsyncRetrying(
            retry=retry_if_exception_type(_Transient),
            stop=_stop_when(call, self._retries),
            wait=_wait,
            reraise=True,
            sleep=asyncio.sleep,
        )
        try:
            return await trial(call.once)
        except _Transient as error:
            raise ProviderError(f"{self._label} failed{_circumstances(call, error)}", usage=call.usage) from None

    def json_mode(self, litellm: Any) -> jsonmode.JsonMode:
        """How to ask this model for JSON, as far as is known yet."""
        if self._json_mode is None:
            self._json_mode = self._guess_json_mode(litellm)
        return self._json_mode

    def lower_json_mode(self, complaint: str) -> bool:
        """Go down one step after a refusal; False when that would not help."""
        lower = jsonmode.lower(self._json_mode or "words", complaint)
        self._json_mode = lower or self._json_mode
        return lower is not None

    def _guess_json_mode(self, litellm: Any) -> jsonmode.JsonMode:
        if litellm.supports_response_schema(model=self._model):
            return "schema"
        bare, provider, *_ = litellm.get_llm_provider(self._model)
        known = bare in litellm.model_cost or self._model in litellm.model_cost
        params = litellm.get_supported_openai_params(model=bare, custom_llm_provider=provider) or []
        if "response_format" not in params:
            return "words"
        return "object" if known else "schema"  # an unknown server says no when it cannot

    def parameters(self, messages: list[Message], options: CallOptions, litellm: Any) -> dict[str, Any]:
        """Arguments of `litellm.acompletion`, the timeout aside."""
        sampling = {
            "temperature": options.temperature,
            "seed": options.seed,
            "max_tokens": options.max_tokens,
        }
        sent: dict[str, Any] = {
            "model": self._model,
            "num_retries": 0,
            "max_retries": 0,
            **self._address,
            **{key: self._defaults[key] if value is None else value for key, value in sampling.items()},
            "stop": list(options.stop) or None,
        }
        if options.tools:
            sent["tools"] = [dict(tool) for tool in options.tools]
            sent["_skip_mcp_handler"] = True  # litellm would import the optional package mcp to look for its gateway
        if options.json_schema is not None:
            mode = self.json_mode(litellm)
            sent["response_format"] = jsonmode.response_format(mode, options.json_schema)
            if mode != "schema":
                messages = jsonmode.in_words(messages, options.json_schema)
        sent["messages"] = [_as_openai(message) for message in messages]
        return {key: value for key, value in sent.items() if value is not None}

    def cost(self, used: Usage, litellm: Any) -> float:
        """US dollars by litellm's price list; 0 for models that it does not know and servers of one's own."""
        bare, provider, *_ = litellm.get_llm_provider(self._model)
        if self._address["api_base"] or not (bare in litellm.model_cost or self._model in litellm.model_cost):
            return 0.0
        prompt, completion = litellm.cost_per_token(
            model=self._model,
            custom_llm_provider=provider,
            prompt_tokens=used.prompt_tokens,
            completion_tokens=used.completion_tokens,
            cache_read_input_tokens=used.cached_tokens,
        )
        return float(prompt + completion)

    def refuse(self, failure: Failure, usage: Usage) -> Exception:
        """The error that a person sees for a failure that no retry mends."""
        if failure.kind == "refused":
            return ModelUnavailableError(
                f"{self._label}: the provider refused the key; set {key_variable(self._model)} ({failure.text})"
            )
        if failure.kind == "unknown_model":
            where = f" at {self._address['api_base']}" if self._address["api_base"] else ""
            return ModelUnavailableError(f"{self._label}: no such model{where} ({failure.text})")
        return ProviderError(f"{self._label} refused the request: {failure.text}", usage=usage)


class _Transient(Exception):
    """A failure that may pass."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class _Call:
    """One call in progress: its tries, and what they have cost so far."""

    def __init__(
        self,
        model: LiteLLMModel,
        messages: list[Message],
        options: CallOptions,
        on_text: Callable[[str], None] | None,
        deadline: float,
    ) -> None:
        self.model, self.messages, self.options, self.on_text = model, messages, options, on_text
        self.deadline = deadline
        self.litellm: Any = None
        self.usage = Usage()
        self.problem = ""
        self._began: float | None = None
        self._answer = Answer()

    @property
    def remaining(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    async def once(self) -> Reply:
        """One try, and another at once in a weaker JSON mode where the provider does not have the one asked for."""
        while True:
            try:
                return await self._try()
            except _Refused as error:
                failure = error.failure
            asked = self.options.json_schema is not None and failure.kind in {"bad_request", "fatal"}
            if not (asked and self.model.lower_json_mode(failure.text)):
                raise self.model.refuse(failure, self.usage)

    async def _try(self) -> Reply:
        self._began, self._answer = time.monotonic(), Answer()
        try:
            await self._exchange()
            reply = self._answer.reply(self.model.name)
        except _CallerError as error:
            self.close_meter()
            raise error.error from None
        except ImportError:
            raise  # an optional package that litellm wants for this provider; asking again will not install it
        except Exception as error:
            self.close_meter()
            failure = diagnose(error)
            self.problem = failure.text
            raise (_Transient if failure.kind == "transient" else _Refused)(failure) from error
        self.close_meter(failed=False)
        return replace(reply, usage=self.usage)

    async def _exchange(self) -> None:
        sent = self.model.parameters(self.messages, self.options, self.litellm)
        sent["timeout"] = max(0.1, self.remaining)
        if self.on_text is None:
            self._answer.take_whole(await self.litellm.acompletion(**sent))
            return
        sent |= {"stream": True, "stream_options": {"include_usage": True}}
        stream = await self.litellm.acompletion(**sent)
        try:
            async for chunk in stream:
                piece = self._answer.take_chunk(chunk)
                if piece:
                    self._tell(piece)
        finally:
            await _close(stream)

    def _tell(self, piece: str) -> None:
        assert self.on_text is not None
        try:
            self.on_text(piece)
        except Exception as error:
            raise _CallerError(error) from error

    def close_meter(self, failed: bool = True) -> None:
        """Count the try that is under way, if one is."""
        if self._began is None:
            return
        counted = self._answer.usage
        if counted is None and (not failed or self._answer.text):
            counted = estimate(self.messages, self._answer.text)
        counted = counted or Usage()
        self.usage += Usage(
            calls=1,
            failed_calls=int(failed),
            seconds=time.monotonic() - self._began,
            prompt_tokens=counted.prompt_tokens,
            completion_tokens=counted.completion_tokens,
            cached_tokens=counted.cached_tokens,
            cost_usd=self._cost(counted),
        )
        self._began = None

    def _cost(self, counted: Usage) -> float:
        return self.model.cost(counted, self.litellm) if counted.tokens else 0.0


class _Refused(Exception):
    """A failure that will not pass."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class _CallerError(Exception):
    """`on_text` raised: not the provider's failure."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def _wait(state: RetryCallState) -> float:
    """Seconds until the next try: what the provider asks for, else exponential with full jitter."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.failure.retry_after if isinstance(error, _Transient) else None
    return _BACKOFF(state) if asked is None else asked


def _stop_when(call: _Call, retries: int) -> Callable[[RetryCallState], bool]:
    """Stop when the tries are used up, or when the provider asks for a wait that there is no time for."""
    enough = stop_after_attempt(retries + 1)

    def stop(state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        asked = error.failure.retry_after if isinstance(error, _Transient) else None
        return enough(state) or (asked is not None and asked >= call.remaining)

    return stop


def _circumstances(call: _Call, error: _Transient) -> str:
    tries, asked = call.usage.failed_calls, error.failure.retry_after
    after = f" after {tries} tries" if tries > 1 else ""
    waiting = ""
    if asked is not None and asked >= call.remaining:
        waiting = f" (it asks to wait {asked:.0f} s, longer than the call may take)"
    return f"{after}: {error.failure.text}{waiting}"


async def _close(stream: Any) -> None:
    """Drop a stream, finished or not, so that the server stops generating."""
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()


def _placeholder_key(name: str, api_base: str | None) -> str | None:
    """Local servers need no key, but the client insists on one."""
    if api_base and name.startswith("openai/") and not os.environ.get("OPENAI_API_KEY"):
        return "none"
    return None


def _as_openai(message: Message) -> dict[str, Any]:
    out: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        out["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        out["tool_call_id"] = message.tool_call_id
    return out
