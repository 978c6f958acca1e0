"""The breaker: what ends a course where everything fails, and what does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.errors import InputError, ProviderError
from agentfly.learning.adaptation.breaker import STRIKES, Breaker


def ends_at(outcomes: list[bool]) -> int | None:
    """After how many samples it ends; True is one that failed."""
    breaker = Breaker(worked=True)
    for number, failed in enumerate(outcomes, start=1):
        try:
            breaker.saw(f"run-{number}", "down" if failed else None)
        except ProviderError:
            assert breaker.row == {f"run-{place}" for place in range(number - STRIKES + 1, number + 1)}
            return number
    return None


@given(st.lists(st.booleans(), max_size=60))
def test_it_ends_with_the_last_of_so_many_in_a_row_and_never_otherwise(outcomes: list[bool]) -> None:
    rows = (end for end in range(STRIKES, len(outcomes) + 1) if all(outcomes[end - STRIKES : end]))
    assert ends_at(outcomes) == next(rows, None)


def test_it_says_what_the_provider_said_and_how_to_go_on() -> None:
    breaker = Breaker(worked=True)
    for number in range(1, STRIKES):
        breaker.saw(f"run-{number}", f"503 for {number}")
    with pytest.raises(ProviderError, match="503 for 5; what was done before is kept, the same call goes on") as ended:
        breaker.saw("run-5", "503 for 5")
    assert "\n" not in str(ended.value)


def test_tasks_that_cannot_be_worked_on_are_the_persons_to_mend() -> None:
    breaker = Breaker(worked=True)
    for number in range(1, STRIKES):
        breaker.saw(f"run-{number}", "no", provider=False)
    with pytest.raises(InputError, match="the reference cannot be compared"):
        breaker.saw("run-5", "the reference cannot be compared", provider=False)


@pytest.mark.parametrize(
    ("worked", "failed", "samples", "trips"),
    [
        (False, 1, 1, True),  # nothing has ever worked
        (True, 1, 1, False),  # one of one may be that task's own affair
        (True, 2, 2, True),
        (True, 2, 3, False),
        (True, 0, 3, False),
        (False, 0, 0, False),
    ],
)
def test_a_part_in_which_all_fails_ends_the_course(worked: bool, failed: int, samples: int, trips: bool) -> None:
    breaker = Breaker(worked=worked)
    for number in range(failed):
        breaker.saw(f"run-{number}", "down")
    if trips:
        with pytest.raises(ProviderError):
            breaker.ended(samples)
    else:
        breaker.ended(samples)
