"""The reflector's call: what it is shown of an attempt, what it is asked for, and how its reply is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agentfly.nodes.state import Parts, State
from agentfly.prompts import render
from agentfly.protocols import UNKNOWN, CallOptions, Trial
from agentfly.structured import ask
from agentfly.types import Attempt, Message, Reflection, Tag, Usage

Outcome: TypeAlias = Literal["failed", "solved", "unknown"]
"""Of the attempt that is looked at; ``unknown`` where nobody said."""

TRACE_CHARS = 3000
_REPLY_TOKENS = 350
_LONGEST = 2000  # characters of a question or a solution
_STANDING = 600  # characters of what holds for all tasks of a kind
_NOTE = 120  # characters of a shown bullet or case
_NOTES = 16
_IDS = 8


def _cut(limit: int) -> BeforeValidator:
    """Cuts an over-long text: what stands in it is worth more than a call to have it shortened."""

    def cut(value: Any) -> Any:
        return "" if value is None else shortened(value.strip(), limit) if isinstance(value, str) else value

    return BeforeValidator(cut)


def _ids(value: Any) -> Any:
    """The ids that can be used of a list in which a small model may put anything."""
    given = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return [item.strip("[] ") for item in given if isinstance(item, str)][:_IDS]


Short = Annotated[str, _cut(160), Field(max_length=160)]
Sentence = Annotated[str, _cut(240), Field(max_length=240)]
Ids = Annotated[list[str], BeforeValidator(_ids), Field(max_length=_IDS)]


class Diagnosis(BaseModel):
    """What the reflector is asked for."""

    model_config = ConfigDict(extra="ignore")

    diagnosis: Sentence
    cause: Short = ""
    approach: Sentence = ""
    insight: Sentence
    helpful: Ids = Field(default_factory=list)
    harmful: Ids = Field(default_factory=list)
    neutral: Ids = Field(default_factory=list)


class Shortcut(BaseModel):
    """What the reflector is asked for after a hard-won success: less, for it may cost one call and no more."""

    model_config = ConfigDict(extra="ignore")

    diagnosis: Sentence = ""
    insight: Sentence


async def diagnose(state: State, parts: Parts, outcome: Outcome, *, repairs: int, hard: bool = True) -> Reflection:
    """Ask the reflector about an attempt: the first one, or where it was tried again, the latest.

    Args:
        state: of the run; the attempt has been judged.
        parts: what the nodes work with.
        outcome: how the attempt ended.
        repairs: how often the model may mend its reply.
        hard: whether a success was hard won.

    Raises:
        AgentflyError: there is no usable reply.
    """
    trial = state["trials"][-1 if state.get("reflections") else 0]
    reference = parts.reference(state["run_id"]) if outcome == "failed" else None
    system = (
        render("reflect_success", hard=hard) if outcome == "solved" else render("reflect", judged=outcome == "failed")
    )
    messages = (Message("system", system), Message("user", _prompt(state, trial, outcome, reference)))
    found, usage = await _asked(parts, messages, outcome, repairs)
    # What is said here is shown to who tries again, and may come into the playbook.
    secrets = (reference, *(other.attempt.answer for other in state["trials"] if outcome_of(other) == "solved"))
    texts = (found.diagnosis, found.cause, found.approach, found.insight)
    diagnosis, cause, approach, insight = (without_answers(text, secrets, state["task"].question) for text in texts)
    return Reflection(
        diagnosis=diagnosis,
        cause=cause,
        approach=approach,
        insight=insight,
        tags=tags(found, trial.attempt),
        of_success=outcome == "solved",
        usage=usage,
    )


async def _asked(parts: Parts, messages: Sequence[Message], outcome: Outcome, repairs: int) -> tuple[Diagnosis, Usage]:
    options = CallOptions(temperature=0.0, max_tokens=_REPLY_TOKENS)
    if outcome != "solved":
        return await ask(parts.reflector, messages, Diagnosis, options, repairs=repairs)
    found, usage = await ask(parts.reflector, messages, Shortcut, options, repairs=repairs)
    return Diagnosis(diagnosis=found.diagnosis, insight=found.insight), usage


def outcome_of(trial: Trial) -> Outcome:
    """How an attempt ended, as far as anybody said."""
    if trial.feedback == UNKNOWN:
        return "unknown"
    return "solved" if trial.feedback.success else "failed"


def lesson(reflection: Reflection) -> str:
    """What is shown of a reflection to who tries the same task again."""
    texts = filter(None, dict.fromkeys((reflection.diagnosis, reflection.approach, reflection.insight)))
    return " ".join(text if text.endswith((".", "!", "?", "…")) else f"{text}." for text in texts)


def _prompt(state: State, trial: Trial, outcome: Outcome, reference: str | None) -> str:
    attempt, earlier = trial.attempt, state.get("reflection")
    failed = outcome == "failed"
    solved = next((other for other in state["trials"] if failed and other.feedback.success), None)
    return render(
        "reflect_task",
        instructions=shortened(state["task"].instructions, _STANDING),
        question=shortened(state["task"].question, _LONGEST),
        trace=trace(attempt, TRACE_CHARS),
        answer=attempt.answer,
        feedback=(trial.feedback.text or "the answer is wrong") if failed else "",
        reference=reference,
        solution=shortened(solved.attempt.solution, _LONGEST) if solved else "",
        tried=[_tried(other) for other in state["trials"] if failed and other is not trial and other is not solved],
        lesson=lesson(earlier) if earlier else "",
        questioned=_questioned(state, attempt),
        shown=_shown(state) if outcome != "solved" else [],
    )


def _tried(trial: Trial) -> str:
    answer = "no answer" if trial.attempt.answer is None else shortened(trial.attempt.answer, _NOTE)
    return f"{answer}: {shortened(trial.feedback.text, _NOTE)}" if trial.feedback.text else answer


def _questioned(state: State, attempt: Attempt) -> list[str]:
    """Answers that checks asked another look at, with the checks and, where it is known, whether they were right to."""
    texts = {bullet.id: bullet.text for bullet in state.get("checks", ())}
    lines = []
    for said in attempt.questioned:
        known = "" if said.reward is None else " (it was right)" if said.reward >= 0.5 else " (it was wrong)"
        asking = (f" [{key}] {shortened(texts.get(key, ''), _NOTE)}" for key in said.checks)
        lines.append(f"{shortened(said.answer, _NOTE)}{known}{''.join(asking)}")
    return lines


def _shown(state: State) -> list[str]:
    """The bullets and cases that were shown, a line each: cases first, of which there are few."""
    cases = ((recalled.case.id, recalled.case.question) for recalled in state.get("recalled", ()))
    bullets = ((bullet.id, bullet.text) for bullet in state.get("bullets", ()))
    return [f"[{key}] {shortened(text, _NOTE)}" for key, text in (*cases, *bullets)][:_NOTES]


def tags(found: Diagnosis, attempt: Attempt) -> dict[str, Tag]:
    """Only what was shown can be credited; what is called two things is left alone."""
    said: dict[str, set[Tag]] = {}
    for tag in ("helpful", "harmful", "neutral"):
        for name in getattr(found, tag):
            said.setdefault(name, set()).add(tag)
    shown = (*attempt.shown_bullets, *attempt.shown_cases)
    return {name: next(iter(said[name])) for name in dict.fromkeys(shown) if len(said.get(name, ())) == 1}


def without_answers(text: str, answers: Iterable[str | None], question: str) -> str:
    """A text of the reflector without the right answer, which it may have seen; what the question names is no secret."""
    for answer in answers:
        words = [re.escape(word) for word in (answer or "").split()]
        if not words:
            continue
        pattern = r"(?<!\w)(?<!\d[.,])" + r"\s+".join(words) + r"(?!\w|[.,]\d)"
        flags = re.IGNORECASE if len(answer or "") > 3 else re.NOFLAG  # "A" is an answer, "a" a word
        if not re.search(pattern, question, flags):
            text = re.sub(pattern, "…", text, flags=flags)
    return text


def trace(attempt: Attempt, limit: int) -> str:
    """The steps as text of at most `limit` characters; the last steps matter most and are kept."""
    blocks = [f"Step {step.index}\n{step.action}\n-> {step.observation}".strip() for step in attempt.steps]
    kept: list[str] = []
    room = limit
    for block in reversed(blocks):
        if room <= 0:
            kept.append("(earlier steps left out)")
            break
        kept.append(block if len(block) <= room else block[: room // 2] + "\n…\n" + block[-(room // 2) :])
        room -= len(block)
    return "\n".join(reversed(kept))


def shortened(text: str, limit: int) -> str:
    """A text of at most `limit` characters, cut at a word where there is one."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    return (head.rsplit(None, 1)[0] if " " in head[limit // 2 :] else head).rstrip() + "…"
