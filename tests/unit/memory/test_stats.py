"""What `stats` counts."""

from __future__ import annotations

import time

from agentfly.memory.bank import CaseBank
from agentfly.memory.stats import DAYS, WEEKS
from agentfly.records import to_data
from agentfly.types import Case

DAY = 86_400.0


def test_empty_bank(bank: CaseBank) -> None:
    found = bank.stats()
    assert (found.total, found.failures, found.seen, found.quarantined, found.index_bytes) == (0, 0, 0, 0, 0)
    assert found.mean_case_reward is found.success_rate is None
    assert found.per_day == (0,) * DAYS
    assert [(week.judged, week.mean_reward) for week in found.per_week] == [(0, None)] * WEEKS
    assert found.database_bytes > 0
    assert to_data(found)["by_tag"] == {}


def test_cases_are_counted(bank: CaseBank) -> None:
    now = time.time()
    ages = [0.0, 0.5, 1.5, 1.6, 29.9, 30.1, 400.0, -1.0]  # the last one comes from a clock that is ahead
    bank.add_many(
        [
            Case(
                question=f"question {i}",
                reward=1.0 if i % 2 else 0.25,
                tags=("all", 'odd, "quoted"') if i % 2 else ("all",),
                created=now - age * DAY,
                seen=i + 1,
                status="quarantined" if i == 7 else "active",
            )
            for i, age in enumerate(ages)
        ]
    )
    found = bank.stats()
    assert (found.total, found.quarantined, found.successes, found.failures) == (8, 1, 3, 4)
    assert found.by_tag == {"all": 7, 'odd, "quoted"': 3}
    assert found.mean_case_reward == (3 * 1.0 + 4 * 0.25) / 7
    assert found.seen == sum(range(1, 8))
    assert found.per_day == (1, *[0] * (DAYS - 3), 2, 2)


def test_rewards_of_each_week(bank: CaseBank) -> None:
    bank.add_many([Case(question=f"mean {i}") for i in range(3)])
    for run, reward in (("a", 1.0), ("b", 0.0), ("c", 0.5), ("d", None)):
        bank.record_shown(run, "task", bank.recollect("mean", k=2))
        if reward is not None:
            bank.record_outcome(run, reward)
    with bank._db.write() as tx:
        tx.execute("UPDATE recalls SET created = created - ? WHERE run_id = 'c'", (8 * DAY,))
        tx.execute("UPDATE recalls SET created = created - ? WHERE run_id = 'b'", (400 * DAY,))
    found = bank.stats()
    assert (found.shown, found.judged, found.mean_reward) == (8, 6, 0.5)
    assert [(week.judged, week.mean_reward) for week in found.per_week[-3:]] == [(0, None), (2, 0.5), (2, 1.0)]
    assert sum(week.judged for week in found.per_week) == 4
    assert found.per_week[1].start - found.per_week[0].start == 7 * DAY


def test_size_of_the_index(bank: CaseBank) -> None:
    bank.add_many([Case(question=f"mean {i}") for i in range(30)])
    assert bank.stats().index_bytes == 0
    bank.sync_index()
    assert bank.stats().index_bytes > 10_000
