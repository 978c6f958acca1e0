"""What came of one call of another agent: its answer, and what it did as far as it tells. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agentfly.errors import ConfigError
from agentfly.generators.answers import answer_text
from agentfly.generators.briefing import clip
from agentfly.generators.turns import Fenced, Turns, from_messages, from_steps, get, message, text_of, usage_of
from agentfly.types import Step, Usage

ANSWERS = ("answer", "output", "final_output", "structured_response")
"""Where an answer may stand in what an agent gives, the first that is there."""
STEPS = ("steps", "intermediate_steps")
MESSAGES = "messages"
INTERRUPT = "__interrupt__"
_WAITS = "it stopped to ask a person, which nobody can answer here: a wrapped agent must come to its end by itself"
_PLAIN = (str, int, float, bool)

Extract = Callable[[Any], Any]
"""Takes the answer out of what an agent gave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a call. It goes through the journal of the attempt as JSON."""

    answer: str | None = None
    steps: tuple[Step, ...] = ()
    said: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    failure: str = ""
    """Why there is no answer: what the agent raised, say."""
    limit: str = ""
    """The limit that ended it."""


def turns_of(output: Any, chars: int, sent: int = 0, fenced: Fenced = lambda text, tool: text) -> Turns:
    """What an agent did, as far as its output tells.

    Args:
        output: what it gave, or its state on the way.
        chars: longest observation.
        sent: how many messages it was given, which come back with its own.
        fenced: marks what tools gave.
    """
    if isinstance(output, _PLAIN) or output is None:
        return Turns()
    for name in STEPS:
        rows = get(output, name)
        if isinstance(rows, Sequence) and not isinstance(rows, str):
            return from_steps(rows, chars)
    messages = get(output, MESSAGES)
    if isinstance(messages, Sequence) and not isinstance(messages, str):
        return from_messages(messages[sent:], chars, fenced)
    return from_messages([output], chars, fenced)


def read(
    output: Any,
    name: str,
    chars: int,
    *,
    extract: Extract | None = None,
    sent: int = 0,
    fenced: Fenced = lambda text, tool: text,
) -> Outcome:
    """What came of a call that ended.

    Args:
        output: what the agent gave.
        name: of the agent, for the record of one that tells no steps.
        chars: longest observation.
        extract: takes the answer out of the output, where the caller said how.
        sent: as in `turns_of`.
        fenced: as in `turns_of`.

    Raises:
        ConfigError: nobody can say which part of the output is the answer.
    """
    turns = turns_of(output, chars, sent, fenced)
    answer, failure = _answer(output, turns, extract)
    steps = turns.steps or (Step(index=0, action=f"{name}(question)"),)
    if not steps[-1].observation:
        steps = (*steps[:-1], replace(steps[-1], observation=clip(failure or answer or "", chars)))
    said = turns.said if answer is None else (*turns.said, answer)
    told = usage_of(get(output, "usage")) if not isinstance(output, _PLAIN) and message(output) is None else Usage()
    return Outcome(
        answer=answer,
        steps=steps,
        said=said,
        tools=turns.tools,
        usage=turns.usage if turns.usage.calls else told,
        model=turns.model,
        failure=failure or ("" if answer is not None else "it gave no answer"),
    )


def _answer(output: Any, turns: Turns, extract: Extract | None) -> tuple[str | None, str]:
    """The answer, or why there is none."""
    if extract is not None:
        try:
            return _worded(extract(output)), ""
        except (LookupError, AttributeError, TypeError, ValueError) as error:
            return None, f"answer= found no answer in the output: {type(error).__name__}: {error}"
    if isinstance(output, Mapping) and output.get(INTERRUPT):
        return None, _WAITS
    if output is None or isinstance(output, (*_PLAIN, list, tuple)):
        return _worded(output), ""
    if message(output) is not None:
        return _worded(text_of(get(output, "content"))), ""
    for name in ANSWERS:
        value = get(output, name)
        if value is not None and not callable(value):
            return _worded(value), ""
    if get(output, MESSAGES) is not None:
        return turns.answer, "" if turns.answer is not None else "its last message is no answer"
    if any(name in output if isinstance(output, Mapping) else hasattr(output, name) for name in ANSWERS):
        return None, ""  # it is there, and empty
    raise ConfigError(_unknown(output))


def _worded(value: Any) -> str | None:
    """An answer as text; None where there is none."""
    if message(value) is not None:
        value = text_of(get(value, "content"))
    elif not isinstance(value, (*_PLAIN, list, tuple, Mapping)) and value is not None:
        value = _inner(value)
    return answer_text(value) or None


def _inner(value: Any) -> Any:
    """The answer inside an object: its field of that name, or its data."""
    for name in ANSWERS:
        found = getattr(value, name, None)
        if found is not None and not callable(found):
            return found
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if callable(dump) else value


def _unknown(output: Any) -> str:
    if isinstance(output, Mapping):
        what = f"a dictionary with the keys {', '.join(map(str, output))}" if output else "an empty dictionary"
    else:
        what = f"a {type(output).__name__}"
    return f"the wrapped agent gave {what}: say what of it is the answer, wrap(..., answer=lambda output: ...)"
