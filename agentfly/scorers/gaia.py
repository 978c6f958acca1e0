"""The verdict of GAIA's official scorer on one answer, as a pure function."""

from __future__ import annotations

import math
import re
import string

_NOT_IN_NUMBERS = str.maketrans("", "", "$%,")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_SEPARATORS = re.compile("[,;]")


def gaia_match(answer: str | None, truth: str) -> bool:
    """Whether GAIA's official scorer takes `answer` for `truth`.

    The form of the truth picks the rule:

    - a number (whatever `float` reads): ``$``, ``%`` and ``,`` are deleted from the answer, the rest must be the same
      number; an answer that is no number counts as infinity;
    - a list (it holds ``,`` or ``;``): both are split there, lengths and order must agree, numbers follow the rule above
      and words must be the same without white space and without regard to case, punctuation kept;
    - anything else: the same without white space, case and ASCII punctuation.

    Nothing is extracted from the answer: ``FINAL ANSWER: 42`` is not ``42``. The odd consequences are kept, since
    published scores have them: ``1,234`` as a truth is the list of 1 and 234; ``nan`` is never right; ``inf`` is matched
    by any word; a typographic minus sign makes a number a word.

    Args:
        answer: what the agent gave; None is wrong whatever the truth.
        truth: the reference answer.

    Source: GAIA (arXiv 2311.12983), section 3 on quasi exact match, and the leaderboard's scorer.
    """
    if answer is None:
        return False
    if _is_number(truth):
        return _same_number(answer, truth)
    if _SEPARATORS.search(truth):
        wanted, given = _SEPARATORS.split(truth), _SEPARATORS.split(answer)
        return len(wanted) == len(given) and all(map(_same_item, given, wanted))
    return _bare(answer).translate(_PUNCTUATION) == _bare(truth).translate(_PUNCTUATION)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _same_number(answer: str, truth: str) -> bool:
    try:
        value = float(answer.translate(_NOT_IN_NUMBERS))
    except ValueError:
        value = math.inf
    return value == float(truth)


def _same_item(answer: str, truth: str) -> bool:
    return _same_number(answer, truth) if _is_number(truth) else _bare(answer) == _bare(truth)


def _bare(text: str) -> str:
    return "".join(text.split()).lower()
