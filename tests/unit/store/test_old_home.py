"""A home that version 1 of the schema left behind opens with today's code, and nothing in it is lost."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from agentfly.memory.bank import CaseBank
from agentfly.store.migrations import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION
from agentfly.testing import HashEmbedder
from agentfly.types import Case

EMBEDDER = HashEmbedder(64)
CASES = [
    # id, status, question, solution, answer, reward, lesson, task, shown, helped
    ("case-a", "active", "mean of the close price", "df.Close.mean()", "5", 1.0, "", "t-mean", 2, 1.0),
    ("case-b", "active", "how far is the moon", "384400", "384400", 0.0, "in metres", "t-moon", 1, 0.0),
    ("case-c", "pruned", "mean of the open price", "df.Open.mean()", "6", 1.0, "", "t-open", 0, 0.0),
]
RECALLS = [("run-1", "t-1", "case-a", 1.0), ("run-2", "t-2", "case-a", 0.0), ("run-2", "t-2", "case-b", 0.0)]
PROVENANCE = {"run": "run-0", "model": "m", "strategy": "codeact", "tools": [], "untrusted": False, "source": "run"}


def blob(text: str) -> bytes:
    return EMBEDDER.embed([text])[0].astype("<f4").tobytes()


@pytest.fixture
def old_home(tmp_path: Path) -> Path:
    """As version 1 wrote it, with a run that was never judged."""
    db = sqlite3.connect(tmp_path / "agentfly.db")
    for statement in MIGRATIONS[0]:
        db.execute(statement)
    for id, status, question, solution, answer, reward, lesson, task, shown, helped in CASES:
        db.execute(
            """INSERT INTO cases (id, hash, status, question, solution, answer, reward, lesson, task_id, domain, tags,
               provenance, shown, helped, created, updated, embedder, embedding)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', '["old"]', ?, ?, ?, 100, 100, ?, ?)""",
            (id, _hash(question, solution, answer, task), status, question, solution, answer, reward, lesson, task,
             json.dumps(PROVENANCE), shown, helped, EMBEDDER.name, blob(question)),
        )  # fmt: skip
    for run, task, case, reward in (*RECALLS, ("run-3", "t-3", "case-c", None)):
        recall = db.execute(
            "INSERT INTO recalls (run_id, task_id, created, policy, embedder, state, candidates) VALUES (?, ?, 101, ?, ?, ?, ?)",
            (run, task, "similarity", EMBEDDER.name, blob("mean price"), '["case-a", "case-b"]'),
        ).lastrowid
        db.execute("INSERT INTO interactions VALUES (?, 0, ?, 0.5, 0.5, 1.0, ?)", (recall, case, reward))
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    return tmp_path


def _hash(question: str, solution: str, answer: str, task: str) -> str:
    from agentfly.memory.rows import content_hash

    return content_hash(Case(question=question, solution=solution, answer=answer, task_id=task))


def test_its_cases_are_recalled_and_counted(old_home: Path) -> None:
    with CaseBank(old_home, EMBEDDER) as bank:
        assert bank._db.read("PRAGMA user_version")[0][0] == SCHEMA_VERSION
        found = bank.recall("mean of the close price")
        assert [one.case.id for one in found] == ["case-a", "case-b"]
        case = found[0].case
        assert (case.seen, case.shown, case.helped, case.created, case.tags) == (1, 2, 1.0, 100.0, ("old",))
        assert (case.provenance.run, case.provenance.feedback, case.provenance.untrusted) == ("run-0", "", False)
        assert (bank.count(), bank.count("pruned"), bank.count(None)) == (2, 1, 3)
        assert bank.events("case-c") == []
        stats = bank.stats()
        assert (stats.total, stats.successes, stats.shown, stats.judged) == (3, 1, 4, 3)
        assert stats.mean_reward == pytest.approx(1 / 3)
        assert bank.verify().problems == ()


def test_what_was_judged_has_its_place_in_the_record(old_home: Path) -> None:
    with CaseBank(old_home, EMBEDDER) as bank:
        rows = bank._db.read("SELECT run_id, judged FROM recalls ORDER BY id")
        assert [(row["run_id"], row["judged"] is not None) for row in rows] == [
            ("run-1", True), ("run-2", True), ("run-2", True), ("run-3", False),
        ]  # fmt: skip
        last = max(row["judged"] or 0 for row in rows)
        assert bank.record_outcome("run-3", 1.0) == 1
        assert bank._db.read("SELECT judged FROM recalls WHERE run_id = 'run-3'")[0][0] > last
        assert bank.get("case-c").helped == 1.0


def test_it_goes_on_as_a_home_of_today(old_home: Path) -> None:
    with CaseBank(old_home, EMBEDDER) as bank:
        same = bank.add(Case(question=CASES[0][2], solution=CASES[0][3], answer="5", task_id="t-mean"), merge=True)
        assert same.id == "case-a"
        near = bank.add(Case(question="Mean of the close price?", solution="df.Close.mean() # 5", answer="5", task_id="t-mean"), merge=True)  # fmt: skip
        assert (near.id, near.seen) == ("case-a", 2)
        solved = bank.add(Case(question="how far is the moon", solution="384400e3", answer="3.8e8", task_id="t-moon"))
        assert bank.get("case-b").status == "superseded"
        assert bank.events("case-b")[0].other == solved.id
        assert (
            bank.add(Case(question=CASES[2][2], solution=CASES[2][3], answer="6", task_id="t-open")).status == "active"
        )
        state = bank._db.read("SELECT state FROM recalls LIMIT 1")[0][0]
        assert np.frombuffer(state, "<f4").shape == (64,)
    with CaseBank(old_home, EMBEDDER) as again:
        assert again.get("case-a").seen == 2
