"""The subtasks of a solved task, each as a case of its own: what later subtasks recall (AgentFly's subtask memory)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from agentfly.parsing import parse
from agentfly.types import Attempt, Case, Subtask

TAG = "subtask"
MOST = 8
"""Cases that one run keeps of its subtasks; of more, the latest."""
_ANSWER_CHARS = 300


def subtask_cases(whole: Case, attempt: Attempt) -> tuple[Case, ...]:
    """The subtasks that worked on the way to a success, as cases with the standing of the whole.

    They belong to the same task, so that an evaluation that leaves a task's cases out leaves these out too. They hold no answer
    of their own: the answers to a task confirm one another, and the result of a part must have no say in that.

    Args:
        whole: the case of the task; where it is none of a success, nobody knows which subtask went wrong, and none is kept.
        attempt: that it remembers.
    """
    if not whole.success:
        return ()
    latest = {_plain(one.task): one for one in attempt.subtasks if one.worked and one.solution.strip()}
    latest.pop(_plain(whole.question), None)  # the task itself, which is a case already
    return tuple(_case(one, whole) for one in list(latest.values())[-MOST:])


def _case(subtask: Subtask, whole: Case) -> Case:
    return Case(
        question=subtask.task,
        solution=_solution(subtask),
        reward=whole.reward,
        task_id=whole.task_id,
        domain=whole.domain,
        tags=_with(whole.tags, TAG),
        provenance=replace(whole.provenance, tools=subtask.tools),
        # An outcome vouches for the whole: what a part read outside may be wrong, or planted, all the same.
        status="quarantined" if whole.provenance.untrusted else whole.status,
    )


def _solution(subtask: Subtask) -> str:
    """Code speaks for itself; of calls, what they led to is the half of it."""
    solution = subtask.solution.strip()
    if _is_python(solution):
        return solution
    answer = " ".join((subtask.answer or "").split())[:_ANSWER_CHARS]
    return f"{solution}\nIt gave: {answer}" if answer else solution


def _is_python(text: str) -> bool:
    try:
        parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _with(tags: Iterable[str], tag: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*tags, tag)))


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
