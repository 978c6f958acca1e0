"""Intervals and tests against published figures, and the laws that they obey."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.learning.intervals import Z95, Paired, difference_interval, mcnemar, paired, wilson

counts = st.integers(0, 60)


@st.composite
def tables(draw: st.DrawFn) -> Paired:
    both, gained, lost, neither = (draw(counts) for _ in range(4))
    return Paired(total=both + gained + lost + neither, both=both, gained=gained, lost=lost)


def table(both: int, gained: int, lost: int, neither: int) -> Paired:
    return Paired(total=both + gained + lost + neither, both=both, gained=gained, lost=lost)


# Newcombe, Statistics in Medicine 17, 857 (1998), table I, method 3.
@pytest.mark.parametrize(
    ("right", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_limits(right: int, of: int, low: float, high: float) -> None:
    found = wilson(right, of)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(st.integers(1, 500), st.data())
def test_wilsons_limits_are_where_the_score_test_is_just_passed(of: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, of))
    for limit in (wilson(right, of).low, wilson(right, of).high):
        off = (right / of - limit) ** 2
        assert off == pytest.approx(Z95**2 * limit * (1 - limit) / of, abs=1e-9)


@given(st.integers(1, 500), st.data())
def test_wilson_holds_the_share_and_mirrors_with_it(of: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, of))
    found, mirrored = wilson(right, of), wilson(of - right, of)
    assert 0 <= found.low <= right / of <= found.high <= 1
    assert mirrored.low == pytest.approx(1 - found.high)
    assert mirrored.high == pytest.approx(1 - found.low)


def test_wilson_covers_the_truth_about_95_times_of_100() -> None:
    of, shares = 40, [step / 100 for step in range(5, 96)]
    inside = [
        sum(
            math.comb(of, right) * share**right * (1 - share) ** (of - right)
            for right in range(of + 1)
            if wilson(right, of).low <= share <= wilson(right, of).high
        )
        for share in shares
    ]
    assert sum(inside) / len(inside) == pytest.approx(0.95, abs=0.01)


def test_of_nothing_nothing_is_known() -> None:
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)
    nothing = difference_interval(table(0, 0, 0, 0))
    assert (nothing.low, nothing.high) == (-1.0, 1.0)
    assert mcnemar(0, 0) == 1.0
    assert (table(0, 0, 0, 0).before, table(0, 0, 0, 0).difference) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("cells", "limits", "digits"),
    [
        ((20, 12, 2, 16), (0.0562, 0.3292), 4),  # Newcombe, Statistics in Medicine 17, 2635 (1998), method 10
        ((1, 1, 7, 12), (-0.507, -0.026), 3),  # Fagerland, Lydersen and Laake, Statistics in Medicine 33, 2850 (2014)
        ((59, 6, 16, 80), (-0.1186, -0.0046), 4),  # Fagerland, Lydersen and Laake, Contingency Tables (2017), chapter 8
        ((8, 3, 1, 2), (-0.1574, 0.4136), 4),  # Tang and others, Statistics in Medicine 29, 46 (2010)
        ((7, 25, 2, 68), (0.133, 0.318), 3),  # Chang and others, Journal of Applied Statistics 51, 139 (2024)
    ],
)
def test_newcombes_interval_gives_the_published_limits(
    cells: tuple[int, int, int, int], limits: tuple[float, float], digits: int
) -> None:
    found = difference_interval(table(*cells))
    assert (round(found.low, digits), round(found.high, digits)) == limits


@given(tables())
def test_newcombes_interval_holds_the_difference_and_mirrors_with_it(found: Paired) -> None:
    within = difference_interval(found)
    assert -1 <= within.low <= found.difference + 1e-12
    assert found.difference - 1e-12 <= within.high <= 1
    neither = found.total - found.both - found.gained - found.lost
    mirrored = difference_interval(table(found.both, found.lost, found.gained, neither))
    assert (mirrored.low, mirrored.high) == pytest.approx((-within.high, -within.low))
    turned = difference_interval(table(neither, found.lost, found.gained, found.both))
    assert (turned.low, turned.high) == pytest.approx((-within.high, -within.low)), (
        "right and wrong are interchangeable"
    )


@given(tables(), st.integers(2, 5))
def test_more_of_the_same_says_more(found: Paired, times: int) -> None:
    few = difference_interval(found)
    neither = found.total - found.both - found.gained - found.lost
    more = difference_interval(table(*(times * cell for cell in (found.both, found.gained, found.lost, neither))))
    assert more.high - more.low <= few.high - few.low + 1e-9


@pytest.mark.parametrize(("gained", "lost", "p"), [(1, 7, 0.0703), (6, 16, 0.0525), (5, 0, 0.0625), (12, 2, 0.0129)])
def test_mcnemars_exact_p_is_twice_the_tail_of_coins(gained: int, lost: int, p: float) -> None:
    assert round(mcnemar(gained, lost), 4) == p


@given(st.integers(0, 10), st.integers(0, 10))
def test_mcnemar_counts_the_ways_to_be_as_uneven(gained: int, lost: int) -> None:
    flips, apart = gained + lost, abs(gained - lost)
    coins = product((1, -1), repeat=flips) if flips <= 10 else None
    if coins is not None:  # every way in which so many tasks can flip, none likelier than another
        as_uneven = sum(abs(sum(way)) >= apart for way in coins)
        assert mcnemar(gained, lost) == pytest.approx(float(Fraction(as_uneven, 2**flips)))
    assert mcnemar(gained, lost) == mcnemar(lost, gained)
    assert 0 < mcnemar(gained, lost) <= 1


def test_mcnemar_of_many_flips_is_a_number() -> None:
    assert mcnemar(2_000, 2_000) == 1.0
    assert 0 <= mcnemar(3_000, 1_000) < 1e-200


@given(st.lists(st.tuples(st.booleans(), st.booleans())))
def test_pairs_are_counted_task_by_task(pairs: list[tuple[bool, bool]]) -> None:
    found = paired([before for before, _ in pairs], [after for _, after in pairs])
    assert found.total == len(pairs)
    assert found.gained == pairs.count((False, True))
    assert found.lost == pairs.count((True, False))
    assert found.both == pairs.count((True, True))
    assert found.after - found.before == pytest.approx(found.difference)


def test_pairs_must_be_pairs() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired([True, False], [True])
