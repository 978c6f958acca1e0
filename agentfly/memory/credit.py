"""Which cases were shown when, and what it earned: the record that selection policies learn from."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentfly.store.database import Database
from agentfly.types import Recalled

if TYPE_CHECKING:
    from agentfly.protocols import Vector


def shown(
    db: Database,
    run: str,
    task: str,
    state: Vector,
    recalled: Sequence[Recalled],
    *,
    policy: str,
    embedder: str,
    candidates: Sequence[str] = (),
) -> None:
    """Write down one recall and count each case that was shown, in one transaction.

    Args:
        db: the home's database.
        run: id of the run.
        task: id of the task.
        state: embedding that the cases were recalled for, shape (d,).
        recalled: the shown cases, in the order shown.
        policy: name of the policy that chose.
        embedder: name of the embedder that made `state`.
        candidates: ids of the cases that the policy chose from, where they are known.
    """
    with db.write() as tx:
        recall = tx.execute(
            """INSERT INTO recalls (run_id, task_id, created, policy, embedder, state, candidates)
               VALUES (?, ?, ?, ?, ?, ?, ?)""",
            (run, task, time.time(), policy, embedder, state.astype("<f4").tobytes(), json.dumps(list(candidates))),
        ).lastrowid
        tx.executemany(
            """INSERT INTO interactions (recall_id, rank, case_id, similarity, score, propensity)
               VALUES (?, ?, ?, ?, ?, ?)""",
            [
                (recall, rank, one.case.id, one.similarity, one.score, one.propensity)
                for rank, one in enumerate(recalled)
            ],
        )
        tx.executemany("UPDATE cases SET shown = shown + 1 WHERE id = ?", [(one.case.id,) for one in recalled])


def outcome(db: Database, run: str, reward: float) -> int:
    """Give a run's reward to every case that it was shown, in one transaction; a later verdict replaces an earlier one.

    Returns:
        How many interactions were judged.
    """
    with db.write() as tx:
        tx.execute(
            """UPDATE cases SET helped = helped + change FROM (
                   SELECT case_id, sum(:reward - coalesce(reward, 0)) AS change
                   FROM interactions JOIN recalls ON recalls.id = recall_id WHERE run_id = :run GROUP BY case_id
               ) WHERE id = case_id""",
            {"reward": reward, "run": run},
        )
        return tx.execute(
            "UPDATE interactions SET reward = ? WHERE recall_id IN (SELECT id FROM recalls WHERE run_id = ?)",
            (reward, run),
        ).rowcount
