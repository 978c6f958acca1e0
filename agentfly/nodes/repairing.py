"""Repair: a wrong number whose solution needs one small edit becomes a solution that works, without a model call.

Only where the right answer is known to who learns (``feedback: reference``) and is a number: it says which edit was the mistake.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from agentfly.errors import SandboxError
from agentfly.generators.answers import answer_text
from agentfly.nodes.diagnosis import without_answers
from agentfly.nodes.state import Parts, State
from agentfly.nodes.workspace import prepare
from agentfly.protocols import Repair, Trial
from agentfly.types import Attempt, Feedback, Mistake, Reflection, Step, Usage

_log = logging.getLogger("agentfly.nodes")

Judge: TypeAlias = Callable[[Attempt], Awaitable[Feedback | None]]
GENERAL = frozenset({"scale", "rate", "result"})
"""Kinds of mistakes whose sentence holds for tasks of any kind; the others speak of names in their own solution."""
_SURE = frozenset({"scale", "rate", "unused"})
"""Kinds for which the task itself speaks: a unit that it names, a value that it gives."""
_DIGITS = 3
"""Digits that a right answer must have for any other kind: of a short one, some edit comes near by chance."""
_KINDS = 2
"""Kinds of edits that may give the right answer; where more do, nobody knows which was the mistake."""


async def repaired(state: State, parts: Parts, trial: Trial, judge: Judge) -> Trial | None:
    """The trial whose solution is that of a failed one with its mistake mended; None where no small edit mends it.

    Args:
        state: of the run, in which `trial` is the latest.
        parts: what the nodes work with.
        trial: that failed.
        judge: says what another attempt earns.
    """
    attempt, feedback = trial.attempt, trial.feedback
    reference = parts.reference(state["run_id"]) if state.get("learn") else None
    wanted = _number(reference)
    if parts.repairer is None or wanted is None or feedback.success or feedback.source != "reference":
        return None
    if not attempt.solution or attempt.tools or attempt.untrusted:
        return None
    task, number = state["task"].without_reference(), len(state.get("trials", ()))
    workspace = await asyncio.to_thread(prepare, parts.workspaces, state["run_id"], f"{number}-repair", task)
    try:
        tried = await parts.repairer.repairs(task, attempt.solution, workspace)
    except SandboxError as error:
        _log.warning("the solution of run %s is not repaired: %s", state["run_id"], error)
        return None
    found = list[tuple[Repair, Trial]]()
    for repair in tried:
        answer = answer_text(repair.answer)
        if not _near(answer, wanted) or (repair.kind not in _SURE and _digits(reference or "") < _DIGITS):
            continue
        said = without_answers(repair.said, (reference,), task.question)
        step = Step(index=0, action=repair.code, observation=answer, final=True)
        other = replace(
            attempt, answer=answer, status="answered", reason="", solution=repair.code, steps=(step,), usage=Usage(),
            questioned=(), mended=Mistake(kind=repair.kind, said=said),
        )  # fmt: skip
        judged = await judge(other)
        if judged is not None and judged.success:
            found.append((repair, Trial(attempt=other, feedback=judged)))
    if not found or len({repair.kind for repair, _ in found}) > _KINDS:
        return None
    return found[0][1]


def explained(trials: Sequence[Trial]) -> Reflection | None:
    """What a repair says of the mistake, for tasks of any kind; None where there was none, or it speaks of its own solution alone."""
    mistake = mended(trials)
    if mistake is None or mistake.kind not in GENERAL:
        return None
    return Reflection(diagnosis=mistake.said, approach=mistake.said, insight=mistake.said)


def mended(trials: Sequence[Trial]) -> Mistake | None:
    """The mistake of which a repair is without; None where there is no repair."""
    return next((trial.attempt.mended for trial in trials if trial.attempt.mended is not None), None)


def _near(answer: str, wanted: float) -> bool:
    """Whether an answer may be the right one; who judges says whether it is."""
    given = _number(answer)
    return given is not None and abs(given - wanted) <= max(0.01 * abs(wanted), 0.01)


def _number(text: str | None) -> float | None:
    if text is None or not re.fullmatch(r"[-+$€£\s]*\d[\d,\s]*(\.\d+)?([eE][-+]?\d+)?\s*%?", text.strip()):
        return None
    return float(re.sub(r"[$€£%,\s]", "", text))


def _digits(text: str) -> int:
    """Digits that are known of a number: ``120000.0`` has six, ``0.05`` one."""
    mantissa = re.split(r"[eE]", text)[0]
    whole, _, rest = mantissa.partition(".")
    rest = "" if not rest.strip("0%") else re.sub(r"\D", "", rest)
    return len((re.sub(r"\D", "", whole) + rest).lstrip("0"))
