"""What answers and what embeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from agentfly.types import Message, Reply

if TYPE_CHECKING:
    from agentfly.protocols.vectors import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """Parameters of one model call; None leaves the provider's default."""

    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    json_schema: Mapping[str, Any] | None = None
    """Asks for a reply that is JSON of this schema, as strictly as the provider can."""
    tools: tuple[Mapping[str, Any], ...] = ()
    """OpenAI tool descriptions."""
    timeout: float | None = None
    """Seconds for the whole call, retries included."""


@runtime_checkable
class Model(Protocol):
    """A chat model."""

    @property
    def name(self) -> str:
        """Name as given on the command line, such as ``openai/gpt-5-mini`` or ``embedded``."""
        ...

    async def complete(
        self,
        messages: Sequence[Message],
        options: CallOptions = CallOptions(),
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Answer a conversation.

        Args:
            messages: the conversation, system message first.
            options: parameters of this call.
            on_text: called with each piece of text as it arrives.

        Raises:
            ProviderError: the call failed after retries; carries the usage.
            ModelUnavailableError: unknown model or refused key.
        """
        ...

    async def aclose(self) -> None:
        """Release what the model holds. May be called twice."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def name(self) -> str:
        """Identifies the vectors: two embedders with one name give the same vectors."""
        ...

    @property
    def dimensions(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> Vector:
        """Embed `n` texts into an array of shape (n, dimensions), float32, rows of unit length."""
        ...
