"""Every provider, through litellm (sole import of litellm)."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tenacity import AsyncRetrying, retry_if_exception_type

from agentfly.errors import ModelUnavailableError, ProviderError, ProviderTimeout
from agentfly.models import jsonmode
from agentfly.models.calls import Call, Transient, circumstances, stop_when, wait
from agentfly.models.detached import detached
from agentfly.models.failures import Failure, key_variable
from agentfly.models.wire import Wire, attended
from agentfly.protocols import CallOptions
from agentfly.types import Message, Reply, Usage

_loaded = threading.Event()
_TRANSLATED = 64
"""Sets of parameters that are kept as litellm makes them for the wire."""
_NOT_SENT = frozenset(
    {"model", "messages", "api_base", "api_key", "num_retries", "max_retries", "_skip_mcp_handler"}
)  # fmt: skip


def load_litellm() -> Any:
    """Import litellm without its price download, banners and logs. Takes seconds the first time."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    if _loaded.is_set():
        return litellm
    gc.freeze()  # taking litellm's 300,000 objects apart would delay the exit by more than a second
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.drop_params = True  # a provider without `seed`, say, is asked without it
    if not os.environ.get("LITELLM_LOG"):
        for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "litellm"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    _loaded.set()
    return litellm


async def loaded() -> Any:
    """litellm, imported beside the event loop where it is not there yet."""
    return load_litellm() if _loaded.is_set() else await detached(load_litellm, "import-litellm")


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


def calls_functions(name: str) -> bool:
    """Whether litellm's list says that a model calls functions natively; False for models that are not in it. No network.

    Args:
        name: ``provider/model``. A gateway's model, such as ``openrouter/openai/gpt-5-mini``, is looked up under both names.
    """
    return _listed(name, "supports_function_calling")


def sees(name: str) -> bool:
    """Whether litellm's list says that a model looks at images; as `calls_functions`."""
    return _listed(name, "supports_vision")


def _listed(name: str, ability: str) -> bool:
    known = load_litellm().model_cost  # its own functions would ask an Ollama server about the model
    name = name.replace("ollama_chat/", "ollama/", 1)
    provider, _, model = name.partition("/")
    entry = known.get(name)
    if entry is None and (known.get(model) or {}).get("litellm_provider") == provider:
        entry = known[model]
    if entry is not None and entry.get(ability) is not None:
        return bool(entry[ability])
    return "/" in model and _listed(model, ability)


class LiteLLMModel:
    """A chat model behind a provider's API.

    Args:
        name: as litellm spells it, ``provider/model``.
        api_base: address of an OpenAI-compatible server, instead of the provider's own.
        api_key: instead of the provider's environment variable.
        retries: further tries after rate limits, timeouts, broken connections, server errors and garbage.
        call_seconds: longest time of one call, retries included; `CallOptions.timeout` can only make it shorter.
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
        call_seconds: float = 300.0,
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
        self._wire: Wire | None = None
        self._translated: dict[
            str, dict[str, Any]
        ] = {}  # most calls ask for the same, and making it out takes half a millisecond

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
        budget = self._call_seconds if options.timeout is None else min(options.timeout, self._call_seconds)
        litellm = await loaded()
        call = Call(self, litellm, list(messages), options, on_text, time.monotonic() + budget)
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
        """Close the connections to a server of one's own; others belong to litellm and are shared."""
        if self._wire is not None:
            await self._wire.aclose()

    def wire(self, litellm: Any) -> Wire | None:
        """The direct way to the server; None where litellm has something to do on the way."""
        base = self._address["api_base"] or _own_base()
        if not (base and base.startswith("http://") and self._model.startswith("openai/")) or attended(litellm):
            return None
        if self._wire is None:
            self._wire = Wire(base, self._address["api_key"] or os.environ.get("OPENAI_API_KEY") or "none")
        return self._wire

    def body(self, sent: Mapping[str, Any], litellm: Any) -> dict[str, Any]:
        """What goes over the wire for arguments of `litellm.acompletion`; parameters become what litellm makes of them."""
        options = {key: value for key, value in sent.items() if key not in _NOT_SENT}
        bare = self._model.partition("/")[2]
        asked = json.dumps(options, sort_keys=True, default=repr)
        if asked not in self._translated:
            if len(self._translated) > _TRANSLATED:
                self._translated.clear()
            self._translated[asked] = litellm.utils.get_optional_params(
                model=bare, custom_llm_provider="openai", drop_params=True, **options
            )
        options = dict(self._translated[asked])
        if not sent.get("stream"):
            options.pop("stream", None)  # it is False now, and was not asked for
        return {"model": bare, "messages": sent["messages"], **(options.pop("extra_body", None) or {}), **options}

    async def _retrying(self, call: Call) -> Reply:
        trial = AsyncRetrying(
            retry=retry_if_exception_type(Transient),
            stop=stop_when(call, self._retries),
            wait=wait,
            reraise=True,
            sleep=asyncio.sleep,
        )
        try:
            return await trial(call.once)
        except Transient as error:
            raise ProviderError(f"{self._label} failed{circumstances(call, error)}", usage=call.usage) from None

    def json_mode(self, litellm: Any) -> jsonmode.JsonMode:
        """How to ask this model for JSON, as far as is known yet."""
        if self._json_mode is None:
            self._json_mode = self._guess_json_mode(litellm)
        return self._json_mode

    def lower_json_mode(self, used: jsonmode.JsonMode | None, complaint: str) -> bool:
        """Go down one step after a refusal of the mode that was used; False when that would not help."""
        lower = jsonmode.lower(used, complaint) if used else None
        if lower and self._json_mode == used:  # else a call beside this one has been refused too, and was first
            self._json_mode = lower
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

    def parameters(
        self, messages: list[Message], options: CallOptions, mode: jsonmode.JsonMode | None
    ) -> dict[str, Any]:
        """Arguments of `litellm.acompletion`, the timeout aside; `mode` is how JSON is asked for, if it is."""
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
        if options.json_schema is not None and mode is not None:
            sent["response_format"] = jsonmode.response_format(mode, options.json_schema)
            if mode != "schema":
                messages = jsonmode.in_words(messages, options.json_schema)
        sent["messages"] = [_as_openai(message) for message in messages]
        return {key: value for key, value in sent.items() if value is not None}

    def cost(self, used: Usage, litellm: Any) -> float:
        """US dollars by litellm's price list; 0 for models that it does not know and servers of one's own."""
        if self._address["api_base"]:
            return 0.0
        bare, provider, *_ = litellm.get_llm_provider(self._model)
        if not (bare in litellm.model_cost or self._model in litellm.model_cost):
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


def _placeholder_key(name: str, api_base: str | None) -> str | None:
    """Local servers need no key, but the client insists on one."""
    base = api_base or _own_base()
    return "none" if base and name.startswith("openai/") and not os.environ.get("OPENAI_API_KEY") else None


def _own_base() -> str | None:
    return os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_BASE")


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
