"""What another agent did, read from its messages or steps, of whatever library they are. Pure; LangChain is not imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agentfly.generators.answers import answer_text
from agentfly.generators.briefing import clip
from agentfly.generators.calls import line
from agentfly.types import Step, Usage

_ROLES = {
    "ai": "assistant",
    "assistant": "assistant",
    "AIMessageChunk": "assistant",
    "tool": "tool",
    "function": "tool",
    "ToolMessageChunk": "tool",
    "human": "user",
    "user": "user",
    "system": "system",
    "developer": "system",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message."""

    role: str
    text: str
    calls: tuple[tuple[str, str, Any], ...] = ()
    """(id, name, arguments) of each call that it asks for."""
    answers: str = ""
    """Id of the call whose result it is."""
    failed: bool = False
    usage: Usage = field(default_factory=Usage)
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """What an agent did, as far as it tells."""

    steps: tuple[Step, ...] = ()
    said: tuple[str, ...] = ()
    """What its model wrote: texts and arguments of calls."""
    tools: tuple[str, ...] = ()
    """Names of the tools that it called, in the order of their first call."""
    answer: str | None = None
    """Its last words, where it asked for nothing after them."""
    model: str = ""
    going_on: bool = False
    """Whether it was not at its end: a call without a result, or a result without a reply."""

    @property
    def usage(self) -> Usage:
        """Of all steps."""
        return sum((step.usage for step in self.steps), Usage())


Fenced = Callable[[str, str], str]
"""(text, tool) -> what that tool gave, marked where it came from elsewhere."""


def from_messages(messages: Sequence[Any], chars: int, fenced: Fenced = lambda text, tool: text) -> Turns:
    """The turns of a conversation: each message of the assistant is a step, with what its calls gave.

    Args:
        messages: LangChain's, OpenAI's, or (role, text).
        chars: longest observation.
        fenced: marks what tools gave.
    """
    read = [said for said in map(message, messages) if said is not None]
    steps, tools, names = list[Step](), dict[str, None](), dict[str, tuple[int, str]]()
    last: Said | None = None
    for said in read:
        if said.role == "assistant":
            names |= {key: (len(steps), name) for key, name, _ in said.calls if key}
            tools.update(dict.fromkeys(name for _, name, _ in said.calls))
            steps.append(_step(len(steps), said, chars))
        elif steps and said.role in ("tool", "user"):
            at, name = names.get(said.answers, (len(steps) - 1, ""))
            steps[at] = _observed(steps[at], fenced(clip(said.text, chars), name), said.failed)
        last = said if steps else None
    ended = last is not None and last.role == "assistant" and not last.calls
    answer = (last.text.strip() or None) if ended and last is not None else None
    if ended:
        steps[-1] = replace(steps[-1], thought="", observation=clip(answer or "", chars), final=True)
    return Turns(
        steps=tuple(steps),
        said=tuple(text for said in read if said.role == "assistant" for text in _words(said)),
        tools=tuple(tools),
        answer=answer,
        model=next((said.model for said in reversed(read) if said.model), ""),
        going_on=bool(steps) and not ended,
    )


def from_steps(rows: Iterable[Any], chars: int) -> Turns:
    """The turns of an agent that lists its steps.

    Args:
        rows: each a `Step`, a mapping or object with any of thought, action, observation and error, a pair of action and
            observation, or a text.
        chars: longest observation.
    """
    steps, tools = list[Step](), dict[str, None]()
    for row in rows:
        step, tool = _listed(row, len(steps), chars)
        steps.append(step)
        tools.update({tool: None} if tool else {})
    said = tuple(text for step in steps for text in (step.thought, step.action) if text)
    return Turns(steps=tuple(steps), said=said, tools=tuple(tools))


def message(item: Any) -> Said | None:
    """One message; None where it is none."""
    if isinstance(item, tuple | list) and len(item) == 2 and isinstance(item[0], str):
        item = {"role": item[0], "content": item[1]}
    kind = get(item, "role") or get(item, "type")
    role = _ROLES.get(kind) if isinstance(kind, str) else None
    if role is None:
        return None
    usage, told = get(item, "usage_metadata") or get(item, "usage"), get(item, "response_metadata")
    return Said(
        role=role,
        text=text_of(get(item, "content")),
        calls=tuple(_call(one) for key in ("tool_calls", "invalid_tool_calls") for one in get(item, key) or ()),
        answers=str(get(item, "tool_call_id") or ""),
        failed=get(item, "status") == "error",
        usage=usage_of(usage),
        model=str(get(told, "model_name") or get(told, "model") or ""),
    )


def text_of(content: Any) -> str:
    """The text of a message's content: itself, or its blocks of text."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list | tuple):
        return str(content)
    blocks = (block if isinstance(block, str) else get(block, "text") for block in content)
    return "".join(block for block in blocks if isinstance(block, str))


def usage_of(told: Any) -> Usage:
    """What a call cost, by LangChain's or OpenAI's names; nothing where it is not said."""
    spent = _number(told, "input_tokens", "prompt_tokens"), _number(told, "output_tokens", "completion_tokens")
    cost = _number(told, "cost_usd", "cost")
    if not any((*spent, cost)):
        return Usage()
    details = get(told, "input_token_details") or get(told, "prompt_tokens_details")
    return Usage(
        calls=int(_number(told, "calls", "requests")) or 1,
        prompt_tokens=int(spent[0]),
        completion_tokens=int(spent[1]),
        cached_tokens=int(_number(details, "cache_read", "cached_tokens")),
        cost_usd=float(cost),
    )


def get(item: Any, name: str) -> Any:
    """A key of a mapping, or an attribute of anything else; None where there is none."""
    return item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)


def _number(item: Any, *names: str) -> float:
    found = (get(item, name) for name in names)
    return next((value for value in found if isinstance(value, int | float) and value > 0), 0)


def _call(item: Any) -> tuple[str, str, Any]:
    function = get(item, "function")
    source = item if function is None else function
    arguments = get(source, "args")
    return (
        str(get(item, "id") or ""),
        str(get(source, "name") or ""),
        get(source, "arguments") if arguments is None else arguments,
    )


def _step(index: int, said: Said, chars: int) -> Step:
    action = "\n".join(line(name, arguments) for _, name, arguments in said.calls)
    return Step(index=index, thought=clip(said.text.strip(), chars), action=clip(action, chars), usage=said.usage)


def _observed(step: Step, text: str, failed: bool) -> Step:
    return replace(step, observation=f"{step.observation}\n{text}".strip(), error=step.error or failed)


def _words(said: Said) -> list[str]:
    return [said.text, *(str(arguments) for _, _, arguments in said.calls)]


def _listed(row: Any, index: int, chars: int) -> tuple[Step, str]:
    if isinstance(row, Step):
        return replace(row, index=index, observation=clip(row.observation, chars)), ""
    if isinstance(row, tuple | list) and len(row) == 2:  # as LangChain's AgentExecutor lists them
        row = {"action": row[0], "observation": row[1]}
    if isinstance(row, str) or not any(_has(row, name) for name in ("thought", "action", "observation", "tool")):
        return Step(index=index, observation=clip(answer_text(row), chars)), ""
    action = get(row, "action")
    source = row if action is None else action
    tool = get(source, "tool")
    given = get(source, "tool_input") if tool else None
    told = line(str(tool), given if given is not None else get(source, "arguments")) if tool else _text(action)
    failed = get(row, "error")
    seen = _text(get(row, "observation")) or (_text(failed) if isinstance(failed, str) else "")
    step = Step(
        index=index,
        thought=clip(_text(get(row, "thought")), chars),
        action=clip(told, chars),
        observation=clip(seen, chars),
        error=bool(failed),
    )
    return step, str(tool or "")


def _has(row: Any, name: str) -> bool:
    return name in row if isinstance(row, Mapping) else hasattr(row, name)


def _text(value: Any) -> str:
    return "" if value is None else answer_text(value)
