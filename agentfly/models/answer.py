"""What a provider sends, whole or in chunks, as a `Reply`. Pure."""

from __future__ import annotations

from typing import Any

from agentfly.types import Reply, ToolCall, Usage


class Garbage(ValueError):
    """The provider answered with something that is no chat completion."""


class Answer:
    """Collects one answer; what has arrived can be read at any moment."""

    def __init__(self) -> None:
        self.text = ""
        self.usage: Usage | None = None
        """Tokens as the provider counts them, None while it has not said."""
        self._calls: dict[int, dict[str, str]] = {}
        self._finish = ""
        self._started = False

    def take_whole(self, response: Any) -> None:
        """Take a complete response.

        Raises:
            Garbage: it has no choices.
        """
        self._take_usage(response)
        choices = getattr(response, "choices", None)
        if not choices or getattr(choices[0], "message", None) is None:
            raise Garbage("the answer has no choices")
        message = choices[0].message
        self._started = True
        self.text = _text(message)
        self._finish = choices[0].finish_reason or ""
        self._take_calls(message)

    def take_chunk(self, chunk: Any) -> str:
        """Take one chunk of a stream and return the text in it."""
        self._take_usage(chunk)
        choices = getattr(chunk, "choices", None)
        if not choices:
            return ""
        self._started = True
        self._finish = choices[0].finish_reason or self._finish
        delta = choices[0].delta
        if delta is None:
            return ""
        self._take_calls(delta)
        piece = _text(delta)
        self.text += piece
        return piece

    def reply(self, model: str) -> Reply:
        """The answer so far as a reply, without usage.

        Raises:
            Garbage: nothing has come, or a stream broke off before its end.
        """
        if not self._started or not (self.text or self._calls or self.usage):
            raise Garbage("the answer is empty")  # litellm turns a web page sent for a stream into this
        if not self._finish:
            raise Garbage("the answer broke off")
        calls = tuple(
            ToolCall(id=call["id"] or f"call-{index}", name=call["name"], arguments=call["arguments"] or "{}")
            for index, call in sorted(self._calls.items())
            if call["name"]
        )
        return Reply(text=self.text, tool_calls=calls, finish_reason=self._finish, model=model)

    def _take_calls(self, message: Any) -> None:
        for position, call in enumerate(getattr(message, "tool_calls", None) or ()):
            index = getattr(call, "index", None)
            slot = self._calls.setdefault(position if index is None else index, {"id": "", "name": "", "arguments": ""})
            slot["id"] = call.id or slot["id"]
            slot["name"] += call.function.name or ""
            slot["arguments"] += call.function.arguments or ""

    def _take_usage(self, response: Any) -> None:
        usage = getattr(response, "usage", None)
        if usage is None or not (usage.prompt_tokens or usage.completion_tokens):
            return
        details = getattr(usage, "prompt_tokens_details", None)
        self.usage = Usage(
            prompt_tokens=usage.prompt_tokens or 0,
            completion_tokens=usage.completion_tokens or 0,
            cached_tokens=getattr(details, "cached_tokens", None) or 0,
        )


def _text(message: Any) -> str:
    content = getattr(message, "content", None)
    return content if isinstance(content, str) else ""
