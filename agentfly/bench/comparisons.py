"""Folders of benchmark runs compared, and what programs are told of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentfly.bench.comparing import Comparison, Flip, compare_all
from agentfly.bench.recorded import Recorded
from agentfly.records import to_data


def compared(runs: Sequence[Recorded], *, every_pair: bool = False, force: bool = False) -> tuple[Comparison, ...]:
    """Compare benchmark runs with the first of them, or each with each.

    Raises:
        InputError: fewer than two, or two of them cannot be compared.
    """
    return compare_all([one.run for one in runs], every_pair=every_pair, force=force)


def comparisons_data(runs: Sequence[Recorded], found: Sequence[Comparison]) -> dict[str, Any]:
    """What ``agentfly bench compare --json`` prints; of two runs, the keys of their comparison stand at the top too."""
    each = [comparison_data(one) for one in found]
    return {
        **(each[0] if len(each) == 1 else {}),
        "runs": [
            {
                "name": one.run.name,
                "path": str(one.path),
                "state": one.state,
                "done": one.done,
                "planned": one.planned,
                "tasks": len(one.run.tasks),
                "attempts": one.run.attempts,
                "dataset": one.run.dataset,
                "identity": one.config["identity"],
            }
            for one in runs
        ],
        "comparisons": each,
    }


def comparison_data(found: Comparison) -> dict[str, Any]:
    """A comparison as JSON: the difference at the top, everything else by its name in `Comparison`."""
    accuracy = found.accuracy
    return {
        "before": found.before,
        "after": found.after,
        "tasks": accuracy.tasks,
        "accuracy_before": accuracy.before.value,
        "accuracy_after": accuracy.after.value,
        "difference": accuracy.value,
        "low": accuracy.low,
        "high": accuracy.high,
        "method": accuracy.method,
        "p": found.p,
        "p_holm": found.p_holm,
        "mcnemar": found.mcnemar,
        "permutation": to_data(found.permutation),
        "reward_difference": found.reward_difference,
        "reward_permutation": to_data(found.reward_permutation),
        "negative_flip_rate": found.negative_flip_rate,
        "gained": [_flip(flip) for flip in found.gained],
        "lost": [_flip(flip) for flip in found.lost],
        "levels": {one.level: to_data(one.difference) for one in found.levels},
        "power": to_data(found.power),
        "notices": list(found.notices),
    }


def _flip(flip: Flip) -> dict[str, Any]:
    return {
        "task_id": flip.task_id,
        "level": flip.level,
        "change": flip.change,
        "before": to_data(flip.before),
        "after": to_data(flip.after),
    }
