"""What the record shows to do harm leaves the playbook, and nothing else does."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agentfly.config import Settings
from agentfly.nodes.retiring import retire
from agentfly.nodes.state import Parts, State
from agentfly.playbooks.delta import Delta
from agentfly.playbooks.ledger import PlaybookLedger
from agentfly.protocols import Exposure
from agentfly.store.home import Home
from agentfly.types import Learned

BAD, GOOD = "str-00001", "str-00002"


@pytest.fixture
def ledger(tmp_path: Path) -> PlaybookLedger:
    ledger = PlaybookLedger(Home.open(tmp_path / "home").db, None)
    texts = ("Always answer 7.", "Read the table first.")
    operations = [{"op": "add", "section": "strategies", "text": text} for text in texts]
    ledger.commit(Delta.model_validate({"operations": operations}), author="run", run="r")
    return ledger


def runs(used: float, without: float, *, spared: int, started: float = 2e10) -> list[Exposure]:
    """A record in which runs with the bad bullet earn `used` and the `spared` runs without it earn `without`."""
    common: dict[str, Any] = {"leave_out": 0.1, "started": started}
    had = [Exposure(run=f"u{n}", reward=used, shown=(BAD, GOOD), **common) for n in range(60)]
    return had + [
        Exposure(run=f"w{n}", reward=without, shown=(GOOD,), left_out=(BAD,), **common) for n in range(spared)
    ]


def retired(ledger: PlaybookLedger, record: list[Exposure], left_out: tuple[str, ...]) -> Learned | None:
    state: State = {"run_id": "run-9", "left_out": left_out}
    record_of = SimpleNamespace(exposures=lambda: record)
    parts = cast(Parts, SimpleNamespace(settings=Settings(), playbook=ledger, record=record_of))
    return retire(state, parts, lambda event: None)


def test_a_bullet_that_runs_do_better_without_goes_with_the_figures(ledger: PlaybookLedger) -> None:
    learned = retired(ledger, runs(0.2, 1.0, spared=15), (BAD,))
    assert learned is not None
    assert learned.delta == 2
    assert [bullet.id for bullet in ledger.current()] == [GOOD]
    newest = ledger.history()[0]
    assert "1.00 over 15 runs without, 0.20 over 60 runs with" in newest.reason
    assert newest.evidence["gate"] == "credit"
    assert newest.evidence["lift"]["high"] < 0


@pytest.mark.parametrize(
    ("record", "left_out"),
    [
        (runs(0.2, 1.0, spared=15), ()),  # this run brings no news
        (runs(0.2, 1.0, spared=15), (GOOD,)),  # nor does this one of the bad bullet
        (runs(0.2, 1.0, spared=5), (BAD,)),  # too few runs
        (runs(0.6, 0.7, spared=15), (BAD,)),  # could be chance
        (runs(1.0, 0.2, spared=15), (BAD,)),  # it helps
    ],
)
def test_nothing_goes_on_less(ledger: PlaybookLedger, record: list[Exposure], left_out: tuple[str, ...]) -> None:
    assert retired(ledger, record, left_out) is None
    assert len(ledger.current()) == 2


def test_runs_from_before_a_bullet_was_reworded_do_not_count(ledger: PlaybookLedger) -> None:
    update = {"op": "update", "id": BAD, "text": "Answer 7 when seven is asked for."}
    ledger.commit(Delta.model_validate({"operations": [update]}), author="human")
    assert retired(ledger, runs(0.2, 1.0, spared=15, started=1.0), (BAD,)) is None
    assert len(ledger.current()) == 2
