"""Which cases were shown when, and what it earned: the record that selection policies learn from."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

from agentfly.memory.recollection import Recollection
from agentfly.store.database import Database


def shown(db: Database, run: str, task: str, recollection: Recollection, embedder: str) -> None:
    """Write down one recall and count each case that was shown, in one transaction.

    Args:
        db: the home's database.
        run: id of the run.
        task: id of the task.
        recollection: what was recalled, with at least one case shown.
        embedder: name of the embedder that made its state.
    """
    state, recalled = recollection.state, recollection.chosen
    assert state is not None
    with db.write(synced=False) as tx:  # on disk with what comes of it
        recall = tx.execute(
            """INSERT INTO recalls (run_id, task_id, created, policy, policy_version, embedder, state, candidates, choice)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                run,
                task,
                time.time(),
                recollection.policy,
                recollection.policy_version,
                embedder,
                state.astype("<f4").tobytes(),
                json.dumps(recollection.candidates),
                json.dumps(asdict(recollection.choice)),
            ),
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

    All recalls of the run get the same, next number in the record of judgements. Numbers are handed out inside of the
    transaction, so whoever has read up to one has missed none before it. What the run recalls after this is judged
    when the run is judged again.

    Args:
        db: the home's database.
        run: id of the run.
        reward: in [0, 1].

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
        number = tx.read("SELECT 1 + coalesce(max(judged), 0) FROM recalls")[0][0]
        tx.execute("UPDATE recalls SET judged = ? WHERE run_id = ?", (number, run))
        return tx.execute(
            "UPDATE interactions SET reward = ? WHERE recall_id IN (SELECT id FROM recalls WHERE run_id = ?)",
            (reward, run),
        ).rowcount
