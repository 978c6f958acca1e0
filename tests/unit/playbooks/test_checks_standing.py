"""What the record says of a check, and what follows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.playbooks.checks.standing import FLAGGED_KEPT, Standing, admission, allowed, measure, retirement
from agentfly.protocols import Checked, Judged, Subject
from agentfly.records import from_json, to_data, to_json

SUBJECT = Subject(question="What?", answer="42")


def judged(*rewards):
    return [Judged(id=f"run/{n}", subject=SUBJECT, reward=reward) for n, reward in enumerate(rewards)]


def verdicts(flags):
    """``x`` flags, ``.`` passes, ``!`` is a problem."""
    kinds = {"x": Checked(message="Look again."), ".": Checked(), "!": Checked(problem="it raised KeyError")}
    return [kinds[flag] for flag in flags]


def stood(rewards, flags):
    return measure(judged(*rewards), verdicts(flags))


def test_measure_counts_both_ways():
    standing = stood([0, 0, 0.2, 1, 1, 0.5], "xx.x..")
    assert (standing.wrong, standing.caught, standing.right, standing.alarms, standing.problems) == (3, 2, 3, 1, 0)
    assert standing.flagged == ("run/3", "run/0", "run/1"), "false alarms first"
    assert str(standing) == "flags 2 of 3 wrong answers and 1 of 3 right ones"
    assert measure([], []) == Standing()


def test_a_verdict_for_each_answer():
    with pytest.raises(ValueError, match="shorter"):
        measure(judged(1, 1), verdicts("x"))


def test_a_few_ids_are_enough():
    assert len(stood([0] * 50, "x" * 50).flagged) == FLAGGED_KEPT


def test_what_catches_and_raises_no_alarm_comes_in():
    assert admission(stood([0, 0, 1, 1, 1], "x...."), 0.02) == (
        True,
        "flags 1 of 2 wrong answers and 0 of 3 right ones",
    )


@pytest.mark.parametrize(
    ("rewards", "flags", "reason"),
    [
        ([0, 1, 1, 1], "....", "would change nothing"),
        ([0, 1, 1], "x..", "too few right answers on the record to try it on (2 of the 3 it takes)"),
        ([0, 1, 1, 1], "xx..", "flags 1 of 1 wrong answer and 1 of 3 right ones; 0 false alarms would be allowed"),
        ([0, 1, 1, 1], "x..!", "the check fails itself: it raised KeyError"),
        ([], "", "too few right answers"),
    ],
)
def test_what_stays_out(rewards, flags, reason):
    admitted, said = admission(stood(rewards, flags), 0.02)
    assert not admitted
    assert reason in said
    assert "\n" not in said


def test_the_tolerance_is_a_share_of_the_right_answers():
    assert [allowed(n, 0.02) for n in (0, 49, 50, 99, 100)] == [0, 0, 1, 1, 2]
    assert allowed(100, 0.29) == 29, "and not 28, which is what floating point makes of it"
    standing = stood([0] + [1] * 50, "xx" + "." * 49)
    assert admission(standing, 0.02)[0]
    assert retirement(standing, 0.02) == ""
    assert not admission(standing, 0.01)[0]
    assert "1 of 50 right" in retirement(standing, 0.01)


def test_a_check_in_force_goes_for_alarms_and_problems_only():
    assert retirement(stood([0, 0, 1], "..."), 0.0) == ""
    assert retirement(stood([1], "x"), 0.02) == (
        "flags 0 of 0 wrong answers and 1 of 1 right one; 0 false alarms would be allowed"
    )
    assert "KeyError" in retirement(stood([0, 1], "x!"), 1.0)


ROW = st.tuples(st.sampled_from([0.0, 0.49, 0.5, 1.0]), st.sampled_from("x.!"))


@given(st.lists(ROW, max_size=30), st.floats(0, 1))
def test_laws(rows, tolerance):
    standing = stood([reward for reward, _ in rows], "".join(flag for _, flag in rows))
    assert standing.wrong + standing.right == len(rows)
    assert standing.caught <= standing.wrong
    assert standing.alarms <= standing.right
    assert standing.caught + standing.alarms + standing.problems <= len(rows)
    admitted, reason = admission(standing, tolerance)
    assert reason
    if admitted:
        assert retirement(standing, tolerance) == "", "what may come in may stay"
        assert standing.caught > 0
    assert from_json(Standing, to_json(standing)) == standing
    assert to_data(standing)["caught"] == standing.caught
