"""Models that look at images and that hear speech, behind the same door as the others."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from typing import Any

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt

from agentfly.config import Settings
from agentfly.errors import ModelUnavailableError, ProviderError, ProviderTimeout
from agentfly.models.calls import Transient, wait
from agentfly.models.failures import diagnose
from agentfly.models.jsonmode import JsonMode
from agentfly.models.litellm import LiteLLMModel, loaded
from agentfly.protocols import CallOptions
from agentfly.types import Message, Usage

Meter = Callable[[Usage], None]
"""Told what each call cost, those that failed included."""
_SUFFIXES = {"audio/wav": "wav", "audio/mpeg": "mp3", "audio/mp4": "m4a", "audio/flac": "flac", "audio/ogg": "ogg"}


def _unmetered(usage: Usage) -> None:
    return None


class Sight:
    """Asks a model about an image.

    Args:
        name: as litellm spells it, ``provider/model``.
        api_base: address of an OpenAI-compatible server, instead of the provider's own.
        retries: further tries after failures that may pass.
        call_seconds: longest time of one call, retries included.
        meter: told what calls cost.
    """

    def __init__(
        self,
        name: str,
        *,
        api_base: str | None = None,
        retries: int = 2,
        call_seconds: float = 60.0,
        meter: Meter = _unmetered,
    ) -> None:
        self.name = name
        self._settings: dict[str, Any] = {"api_base": api_base, "retries": retries, "call_seconds": call_seconds}
        self._meter = meter

    async def __call__(self, data: bytes, mime: str, question: str) -> str:
        """The answer.

        Args:
            data: the image.
            mime: its media type.
            question: what to look for.

        Raises:
            ProviderError: the call failed after retries.
            ModelUnavailableError: no such model, a refused key, or one that is known to see nothing.
        """
        model = _Seeing(self.name, data, mime, **self._settings)
        await model.check()
        try:
            reply = await model.complete([Message("user", question)], CallOptions(temperature=0.0))
        except ProviderError as error:
            self._meter(error.usage)
            raise
        self._meter(reply.usage)
        return reply.text


class _Seeing(LiteLLMModel):
    """A model with an image before its eyes: the last message carries it."""

    def __init__(self, name: str, data: bytes, mime: str, **settings: Any) -> None:
        super().__init__(name, **settings)
        self._image = f"data:{mime};base64,{base64.b64encode(data).decode()}"

    async def check(self) -> None:
        """Refuse a model that the price list knows for blind; one that it does not know is asked."""
        litellm = await loaded()
        if self._address["api_base"]:
            return
        bare, *_ = litellm.get_llm_provider(self._model)
        known = bare in litellm.model_cost or self._model in litellm.model_cost
        if known and not litellm.supports_vision(model=self._model):
            raise ModelUnavailableError(f"{self._model} cannot look at images; set tools.vision to a model that can")

    def parameters(self, messages: list[Message], options: CallOptions, mode: JsonMode | None) -> dict[str, Any]:
        sent = super().parameters(messages, options, mode)
        last = sent["messages"][-1]
        image = {"type": "image_url", "image_url": {"url": self._image}}
        last["content"] = [{"type": "text", "text": last["content"]}, image]
        return sent


class Hearing(LiteLLMModel):
    """Asks a model to write down speech. Arguments as of `Sight`."""

    def __init__(
        self,
        name: str,
        *,
        api_base: str | None = None,
        retries: int = 2,
        call_seconds: float = 60.0,
        meter: Meter = _unmetered,
    ) -> None:
        super().__init__(name, api_base=api_base, retries=retries, call_seconds=call_seconds)
        self._meter = meter

    async def __call__(self, data: bytes, mime: str) -> str:
        """The words.

        Args:
            data: the recording.
            mime: its media type.

        Raises:
            ProviderError: the call failed after retries.
            ModelUnavailableError: no such model, or a refused key.
        """
        litellm = await loaded()
        file = (f"speech.{_SUFFIXES.get(mime, 'wav')}", data, mime)
        trial = AsyncRetrying(
            retry=retry_if_exception_type(Transient),
            stop=stop_after_attempt(self._retries + 1),
            wait=wait,
            reraise=True,
            sleep=asyncio.sleep,
        )
        try:
            async with asyncio.timeout(self._call_seconds):
                return await trial(self._once, litellm, file)
        except TimeoutError:
            raise ProviderTimeout(f"{self.name} did not answer within {self._call_seconds:g} s") from None
        except Transient as error:
            raise ProviderError(f"{self.name} failed: {error.failure.text}") from None

    async def _once(self, litellm: Any, file: tuple[str, bytes, str]) -> str:
        begun, cost, failed = time.monotonic(), 0.0, 1
        try:
            sent = {**self._address, "timeout": self._call_seconds, "num_retries": 0, "max_retries": 0}
            heard = await litellm.atranscription(
                model=self._model, file=file, **{key: value for key, value in sent.items() if value is not None}
            )
            text, failed = str(heard.text or ""), 0
            cost = float((getattr(heard, "_hidden_params", None) or {}).get("response_cost") or 0.0)
        except ImportError:
            raise  # an optional package that litellm wants for this provider
        except Exception as error:
            failure = diagnose(error)
            if failure.kind == "transient":
                raise Transient(failure) from error
            raise self.refuse(failure, Usage()) from None
        finally:
            self._meter(Usage(calls=1, failed_calls=failed, seconds=time.monotonic() - begun, cost_usd=cost))
        return text


def sight(name: str, settings: Settings, meter: Meter = _unmetered) -> Sight:
    """Eyes by a model's name, with the timeouts and the address of the settings."""
    return Sight(name, **_common(name, settings), meter=meter)


def hearing(name: str, settings: Settings, meter: Meter = _unmetered) -> Hearing:
    """Ears by a model's name, with the timeouts and the address of the settings."""
    return Hearing(name, **_common(name, settings), meter=meter)


def _common(name: str, settings: Settings) -> dict[str, Any]:
    from agentfly.models.choose import ollama_address

    base = ollama_address() if name.startswith(("ollama/", "ollama_chat/")) else settings.api_base
    return {"api_base": base, "retries": min(settings.retries, 2), "call_seconds": settings.tools.seconds}
