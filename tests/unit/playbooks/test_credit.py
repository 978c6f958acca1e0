"""Credit: the lift of bullets from runs that left them out by chance."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.playbooks.credit import LEAST, Arm, Asked, Credit, credited, harmful, lift_of, reworded
from agentfly.playbooks.delta import Delta
from agentfly.playbooks.ledger import PlaybookLedger
from agentfly.protocols import Exposure
from agentfly.store.home import Home
from agentfly.types import Questioned

USEFUL, NEUTRAL, WRONG, PRAISED = "str-00001", "str-00002", "str-00003", "str-00004"
TRUTH = {USEFUL: 0.4, NEUTRAL: 0.0, WRONG: -0.2, PRAISED: 0.0}


def world(seed: int, runs: int = 2000, leave_out: float = 0.07) -> list[Exposure]:
    """Runs that succeed with 0.5, 0.4 more with the useful bullet, 0.2 less with the wrong one. One is cited each time."""
    rng = np.random.default_rng(seed)
    out = rng.random((runs, len(TRUTH))) < leave_out
    chance = 0.5 + ~out @ np.array(list(TRUTH.values()))
    rewards = (rng.random(runs) < chance).astype(float)
    return [
        Exposure(
            run=str(number),
            reward=reward,
            shown=tuple(key for key, gone in zip(TRUTH, row, strict=True) if not gone),
            left_out=tuple(key for key, gone in zip(TRUTH, row, strict=True) if gone),
            cited=() if row[3] else (PRAISED,),
            leave_out=leave_out,
        )
        for number, (row, reward) in enumerate(zip(out.tolist(), rewards.tolist(), strict=True))
    ]


def test_intervals_cover_the_truth_and_rank_right() -> None:
    covered, called, repetitions = Counter[str](), Counter[str](), 100
    for seed in range(repetitions):
        found = credited(world(seed))
        lifts = {key: found[key].lift for key in TRUTH}
        for key, lift in lifts.items():
            assert lift is not None
            covered[key] += lift.low <= TRUTH[key] <= lift.high
        assert max(lifts, key=lambda key: lifts[key].estimate) == USEFUL  # type: ignore[union-attr]
        assert min(lifts, key=lambda key: lifts[key].estimate) == WRONG  # type: ignore[union-attr]
        called.update(harmful(found))
    assert all(covered[key] >= 90 for key in TRUTH), covered
    assert called[WRONG] >= 90
    assert called[USEFUL] == 0
    assert called[NEUTRAL] + called[PRAISED] <= 0.10 * 2 * repetitions, "one in twenty, give or take"


def test_to_be_cited_is_not_to_help() -> None:
    found = credited(world(1))
    assert found[PRAISED].cited == found[PRAISED].shown > 1500
    lift = found[PRAISED].lift
    assert lift is not None
    assert lift.low < 0 < lift.high


def test_a_bullet_that_was_never_left_out_has_no_estimate() -> None:
    runs = [Exposure(run=str(n), reward=1.0, shown=(USEFUL,), leave_out=0.05) for n in range(500)]
    found = credited(runs)[USEFUL]
    assert (found.shown, found.used, found.without, found.lift) == (500, Arm(runs=500, reward=500.0), Arm(), None)
    alone = lift_of(found.used, Arm())
    assert alone.high - alone.low > 0.9, "one side is the prior alone"
    assert harmful({USEFUL: found}) == ()


def test_runs_that_left_nothing_to_chance_are_not_compared() -> None:
    easy = [Exposure(run=f"e{n}", reward=1.0, shown=(NEUTRAL,)) for n in range(100)]
    hard = [Exposure(run=f"h{n}", reward=0.0, shown=(NEUTRAL,), leave_out=0.1) for n in range(90)]
    hard += [Exposure(run=f"o{n}", reward=0.0, left_out=(NEUTRAL,), leave_out=0.1) for n in range(10)]
    found = credited([*easy, *hard])[NEUTRAL]
    assert (found.shown, found.used, found.without) == (190, Arm(runs=90), Arm(runs=10))
    assert found.lift is not None
    assert abs(found.lift.estimate) < 0.1


def test_what_a_bullet_said_before_is_not_held_for_or_against_it() -> None:
    runs = [Exposure(run=str(n), started=n, reward=float(n < 5), shown=(USEFUL,), leave_out=0.1) for n in range(10)]
    runs += [
        Exposure(run=f"o{n}", started=n, reward=0.5, left_out=(USEFUL,), cited=("x",), leave_out=0.1) for n in (4, 6)
    ]
    asked = Questioned(answer="a", checks=("che-00009",), reward=0.0)
    runs += [Exposure(run="q", started=4.0, reward=1.0, checks=("che-00009",), questioned=(asked,))]
    found = credited(runs, {USEFUL: 5.0, "che-00009": 5.0})
    assert found == {USEFUL: Credit(shown=5, used=Arm(runs=5), without=Arm(runs=1, reward=0.5))}


def test_a_text_is_followed_through_removal_and_rollback(tmp_path: Path) -> None:
    def commit(**operation: str) -> None:
        ledger.commit(Delta.model_validate({"operations": [operation]}), author="human")

    with Home.open(tmp_path) as place:
        ledger = PlaybookLedger(place.db, None)
        commit(op="add", section="strategies", text="one")
        commit(op="tag", id="str-00001", tag="helpful")
        assert reworded(ledger.history(None)[::-1]) == {}
        commit(op="update", id="str-00001", text="two")
        commit(op="remove", id="str-00001")
        said = {"str-00001": ledger.history(None)[1].created}
        assert reworded(ledger.history(None)[::-1]) == said
        ledger.rollback(3)
        assert reworded(ledger.history(None)[::-1]) == said, "it says the same as before it went"
        ledger.rollback(1)
        assert reworded(ledger.history(None)[::-1]) == {"str-00001": ledger.history(1)[0].created}


def test_a_check_is_credited_by_being_in_force() -> None:
    check = "che-00007"
    runs = [Exposure(run=str(n), reward=1.0, checks=(check,), leave_out=0.1) for n in range(9)]
    runs += [Exposure(run="o", reward=0.0, left_out=(check,), leave_out=0.1)]
    found = credited(runs)[check]
    assert (found.used, found.without) == (Arm(runs=9, reward=9.0), Arm(runs=1))


def test_what_came_of_the_questions_that_a_check_asked() -> None:
    def run(name: str, reward: float, *answers: float | None, checks: tuple[str, ...] = ("a",)) -> Exposure:
        asked = tuple(Questioned(answer="x", checks=checks, reward=earned) for earned in answers)
        return Exposure(run=name, reward=reward, checks=("a", "b"), questioned=asked)

    found = credited(
        [
            run("mended", 1.0, 0.0),
            run("wrong twice", 0.0, 0.0, 0.0),
            run("spoiled", 0.0, 1.0, checks=("a", "b", "a")),
            run("false alarm", 1.0, 1.0),
            run("nobody knows", 1.0, None),
        ]
    )
    assert found["a"].asked == Asked(times=6, wrong=3, right=2, unknown=1, mended=1, spoiled=1)
    assert found["b"].asked == Asked(times=1, right=1, spoiled=1)


def test_harmful_needs_runs_on_both_sides_and_certainty() -> None:
    bad, good = Arm(runs=200, reward=40.0), Arm(runs=LEAST, reward=8.0)
    found = {"few": Credit(used=bad, without=Arm(runs=LEAST - 1, reward=9.0)), "bad": Credit(used=bad, without=good)}
    found |= {"young": Credit(used=Arm(runs=2), without=good), "new": Credit()}
    found["worse"] = Credit(used=Arm(runs=200, reward=2.0), without=good)
    assert harmful(found) == ("worse", "bad")
    assert sorted(harmful(found, least=LEAST - 1)) == ["bad", "few", "worse"]
    unsure = {"x": Credit(used=Arm(runs=200, reward=90.0), without=Arm(runs=12, reward=6.0))}
    assert harmful(unsure) == ()
    assert harmful(unsure, probability=0.5) == ("x",)
    assert harmful({"new": Credit()}, least=0) == ()


@pytest.mark.parametrize(
    ("used", "without", "helps", "end"),
    [
        (Arm(), Arm(), 1 / 2, 1 - (2 * 0.025) ** 0.5),  # two uniforms: the triangular distribution
        (Arm(runs=1, reward=1.0), Arm(), 2 / 3, None),  # P(A > B) = E[A] = 2/3
        (Arm(), Arm(runs=3, reward=3.0), 1 / 5, None),
    ],
)
def test_the_posterior_is_the_exact_one(used: Arm, without: Arm, helps: float, end: float | None) -> None:
    found = lift_of(used, without)
    assert found.helps == pytest.approx(helps, abs=2e-3)
    if end is not None:
        assert (found.low, found.high) == pytest.approx((-end, end), abs=5e-3)


def test_many_runs_give_the_normal_interval() -> None:
    found = lift_of(Arm(runs=95_000, reward=57_000.0), Arm(runs=5_000, reward=2_500.0))
    spread = 1.96 * (0.6 * 0.4 / 95_000 + 0.25 / 5_000) ** 0.5
    assert found.estimate == pytest.approx(0.1, abs=1e-4)
    assert (found.low, found.high) == pytest.approx((0.1 - spread, 0.1 + spread), abs=3e-4)


arms = st.integers(0, 3000).flatmap(
    lambda runs: st.floats(0, 1).map(lambda share: Arm(runs=runs, reward=min(float(runs), share * runs)))
)


@given(arms, arms)
def test_laws_of_lift(used: Arm, without: Arm) -> None:
    found, back = lift_of(used, without), lift_of(without, used)
    assert -1 <= found.low <= found.estimate <= found.high <= 1
    assert 0 <= found.helps <= 1
    assert found == lift_of(used, without), "the same numbers each time"
    assert back.estimate == pytest.approx(-found.estimate)
    assert (back.low, back.high, back.helps) == pytest.approx((-found.high, -found.low, 1 - found.helps), abs=1e-6)
    better = lift_of(Arm(runs=used.runs + 1, reward=used.reward + 1), without)
    assert better.estimate >= found.estimate
    assert better.helps >= found.helps - 1e-3
