"""One call in progress: its tries, what they cost, and when to try again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tenacity import RetryCallState, stop_after_attempt, wait_random_exponential

from agentfly.models.answer import Answer
from agentfly.models.estimate import estimate
from agentfly.models.failures import Failure, diagnose
from agentfly.models.jsonmode import JsonMode
from agentfly.protocols import CallOptions
from agentfly.types import Message, Reply, Usage

if TYPE_CHECKING:
    from agentfly.models.litellm import LiteLLMModel

_BACKOFF = wait_random_exponential(multiplier=0.5, max=20)


class Transient(Exception):
    """A failure that may pass."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class Call:
    """One call in progress: its tries, and what they have cost so far."""

    def __init__(
        self,
        model: LiteLLMModel,
        litellm: Any,
        messages: list[Message],
        options: CallOptions,
        on_text: Callable[[str], None] | None,
        deadline: float,
    ) -> None:
        self.model, self.messages, self.options, self.on_text = model, messages, options, on_text
        self.deadline = deadline
        self.litellm = litellm
        self.usage = Usage()
        self.problem = ""
        self._began: float | None = None
        self._answer = Answer()
        self._mode: JsonMode | None = None

    @property
    def remaining(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    async def once(self) -> Reply:
        """One try, and another at once in a weaker JSON mode where the provider does not have the one asked for."""
        while True:
            try:
                return await self._try()
            except Refused as error:
                failure = error.failure
            asked = self.options.json_schema is not None and failure.kind in {"bad_request", "fatal"}
            if not (asked and self.model.lower_json_mode(self._mode, failure.text)):
                raise self.model.refuse(failure, self.usage)

    async def _try(self) -> Reply:
        self._began, self._answer = time.monotonic(), Answer()
        try:
            await self._exchange()
            reply = self._answer.reply(self.model.name)
        except ListenerError as error:
            self.close_meter()
            raise error.error from None
        except ImportError:
            raise  # an optional package that litellm wants for this provider; asking again will not install it
        except Exception as error:
            self.close_meter()
            failure = diagnose(error)
            self.problem = failure.text
            raise (Transient if failure.kind == "transient" else Refused)(failure) from error
        self.close_meter(failed=False)
        return replace(reply, usage=self.usage)

    async def _exchange(self) -> None:
        self._mode = self.model.json_mode(self.litellm) if self.options.json_schema is not None else None
        sent = self.model.parameters(self.messages, self.options, self._mode)
        seconds = self.remaining + 5.0  # instead of the client's ten minutes; our own limit comes first
        wire = self.model.wire(self.litellm)
        if self.on_text is None:
            asked = wire.whole(self.model.body(sent, self.litellm), seconds) if wire else None
            self._answer.take_whole(await (asked or self.litellm.acompletion(**sent, timeout=seconds)))
            return
        sent |= {"stream": True, "stream_options": {"include_usage": True}}
        if wire:
            stream: Any = wire.pieces(self.model.body(sent, self.litellm), seconds)
        else:
            stream = await self.litellm.acompletion(**sent, timeout=seconds)
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
            raise ListenerError(error) from error

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


class Refused(Exception):
    """A failure that will not pass."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class ListenerError(Exception):
    """`on_text` raised: not the provider's failure."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def wait(state: RetryCallState) -> float:
    """Seconds until the next try: what the provider asks for, else exponential with full jitter."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.failure.retry_after if isinstance(error, Transient) else None
    return _BACKOFF(state) if asked is None else asked


def stop_when(call: Call, retries: int) -> Callable[[RetryCallState], bool]:
    """Stop when the tries are used up, or when the provider asks for a wait that there is no time for."""
    enough = stop_after_attempt(retries + 1)

    def stop(state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        asked = error.failure.retry_after if isinstance(error, Transient) else None
        return enough(state) or (asked is not None and asked >= call.remaining)

    return stop


def circumstances(call: Call, error: Transient) -> str:
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
