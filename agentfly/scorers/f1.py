"""Token F1 between an answer and the reference, for answers in words of which a part can be right."""

from __future__ import annotations

import re
import string
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from agentfly.scorers.reference import missing, shown
from agentfly.types import Attempt, Feedback, Task

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class F1Scorer:
    """Rewards an answer with the F1 of its words against the reference's.

    The text tells the value and never a word of the reference.
    """

    name: ClassVar[str] = "f1"

    async def score(self, task: Task, attempt: Attempt, workspace: Path) -> Feedback | None:
        """Compare; None when the task has no reference."""
        if task.reference is None:
            return None
        if attempt.answer is None:
            return missing("reference")
        value = token_f1(attempt.answer, task.reference)
        kind = "right" if value == 1.0 else "partly right" if value > 0.0 else "wrong"
        text = f"The answer {shown(attempt.answer)!r} is {kind} (F1 of its words: {value:.2f})."
        return Feedback(reward=value, text=text, source="reference")


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of the share of the answer's words that the reference has and of the reference's that the answer has.

    Case, the articles a, an and the, ASCII punctuation and white space do not count; how often a word stands does. Where either
    of the two has no word left, it is 1 if both texts are the same but for case and white space, else 0.

    Source: SQuAD (Rajpurkar et al., arXiv 1606.05250), section 6.1, and its evaluation script.
    """
    given, wanted = tokens(answer), tokens(reference)
    if not given or not wanted:
        return float("".join(answer.split()).lower() == "".join(reference.split()).lower())
    common = (Counter(given) & Counter(wanted)).total()
    return 2.0 * common / (len(given) + len(wanted))


def tokens(text: str) -> list[str]:
    """The words that are compared."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()
