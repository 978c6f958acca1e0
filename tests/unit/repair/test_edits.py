"""The small mistakes of code that computes a number: which edits there are, and that they are edits."""

from __future__ import annotations

import ast
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.repair.edits import edits


def gives(code: str) -> Any:
    """What the code gives; None where it fails."""
    said = list[Any]()
    try:
        exec(code, {"final_answer": said.append, "math": math})
    except ArithmeticError:
        return None
    return said[-1] if said else None


def mends(code: str, question: str, right: float) -> list[tuple[str, str]]:
    """Kind and sentence of the edits that give the right answer."""
    found = edits(code, question)
    return [
        (edit.kind, edit.said)
        for edit in found
        if (value := gives(edit.code)) is not None and math.isclose(value, right, rel_tol=1e-6)
    ]


MISTAKES = {
    "millions": ("a = 55\nb = 70\nfinal_answer(a - b)", "exports of $55 million, imports of $70 million", -15e6, "scale"),
    "zeros": ("a = 12000000\nb = 200000000\nfinal_answer(a - b)", "$120 million and $200 million", -80e6, "scale"),
    "one of two": ("a = 500000\nb = 500000\nfinal_answer(a / b * 100)", "income $500,000, assets $5 million", 10.0, "scale"),
    "in a list": ("x = [1.5, 1.2]\nfinal_answer(x[0] - x[1])", "$1.5 billion and 1.2 billion euros", 3e8, "scale"),
    "as given": ("a = 20000000\nfinal_answer(a / 4)", "Half a year's 20 million for 4", 5.0, "scale"),
    "percent": ("r = 15\nf = 1.3\nfinal_answer((r - f) / 1.8)", "15%, beta 1.8, risk-free 1.3 percent", 0.0761111111, "rate"),
    "fraction": ("r = 0.15\nfinal_answer(r * 2)", "twice 15%", 30.0, "rate"),
    "unused": ("s = 0.048\nd = 0.045\nf = 0.018\nfinal_answer((1 + d) / (1 + f))", "spot 0.048", 0.0492730844, "unused"),
    "fee": ("fee = 20\nx = 5\nfinal_answer(x * 30)", "30 days at 5 and a fee of 20", 170, "unused"),
    "sign": ("a = 90\nb = -10\nfinal_answer(a + b)", "90 and a decrease of 10", 100, "sign"),
    "term": ("a = 90\nb = 10\nc = 3\nfinal_answer((a - b) * c)", "90, 10, 3", 300, "sign"),
    "of hundred": ("a = 1\nb = 4\nfinal_answer(a / b)", "1 of 4", 25.0, "result"),
    "absolute": ("a = 1\nb = 4\nfinal_answer(a - b)", "how far from 4 is 1", 3, "result"),
    "periods": ("final_answer(sum(100 / 1.05 ** t for t in range(1, 4)))", "3 years", 285.941043, "period"),
    "from zero": ("final_answer(sum(100 / 1.05 ** t for t in range(3)))", "3 years", 272.3248029, "period"),
}  # fmt: skip


@pytest.mark.parametrize(("code", "question", "right", "kind"), MISTAKES.values(), ids=MISTAKES)
def test_a_small_mistake_is_mended(code: str, question: str, right: float, kind: str) -> None:
    found = mends(code, question, right)
    assert kind in [one for one, _ in found]
    assert len({one for one, _ in found}) <= 2


def test_what_was_wrong_is_said_for_like_tasks() -> None:
    (first, *_) = mends(*MISTAKES["millions"][:3])
    assert first[1] == "An amount is to be written out in full: $55 million is 55000000."
    (first, *_) = mends(*MISTAKES["unused"][:3])
    assert first[1] == "s was not used: the result is to be multiplied by it."
    (first, *_) = mends(*MISTAKES["percent"][:3])
    assert first[1] == "A rate in percent is to be written as a fraction: 15% is 0.15."


@pytest.mark.parametrize(
    ("code", "mended"),
    [
        ("a = 90\nrise = 10\nfinal_answer(a + rise)", "a = 90\nrise = 10\nfinal_answer(a - rise)"),
        ("a = 90\nfall = -10\nfinal_answer(a + fall)", "a = 90\nfall = 10\nfinal_answer(a + fall)"),
    ],
    ids=["the term", "the value"],
)
def test_values_stay_as_the_question_gives_them(code: str, mended: str) -> None:
    signs = [edit.code for edit in edits(code, "90 and 10") if edit.kind == "sign"]
    assert signs[0] == mended


def test_what_is_not_edited_stays_as_it_is() -> None:
    code = "# Überschuss in €\nβ = 55  # exports, in Mio. €\nγ = 70\n\nfinal_answer(β - γ)  # Δ\n"
    found = edits(code, "55 million and 70 million")
    assert found[0].code == code.replace("55 ", "55000000 ").replace("70", "70000000")


@pytest.mark.parametrize(
    "code",
    [
        "",
        "final_answer(495)",
        "x = 495\nprint(x)\nfinal_answer(x)",
        "print(450 + 90)",
        "final_answer(1 +",
        "final_answer()",
        "final_answer(1 + 1, 2)",
        "x = 1 + 1",
        "Answer: 42",
        "final_answer(1 + 1)" + " " * 9000,
        "\0",
    ],
)
def test_what_computes_no_answer_has_no_edits(code: str) -> None:
    assert edits(code, "$450 million") == []


def test_a_unit_is_read_as_it_is_written() -> None:
    def written(question: str) -> list[str]:
        return [edit.said for edit in edits("x = 5\nfinal_answer(x * 2)", question) if edit.kind == "scale"]

    for question in ("$5 million", "5 Million shares", "€5 million,", "5 MILLION."):
        assert any("5000000" in said for said in written(question)), question
    for question in ("5 millionaires", "x5 million", "5", "5 %", "0 million", "1.5.5 million"):
        assert not any("5000000." in said for said in written(question)), question


_VALUES = st.sampled_from(["3", "450", "0.05", "-7", "2_000", "1e6", "12.5"])
_TERMS = st.recursive(
    st.sampled_from(["a", "b", "c"]) | _VALUES,
    lambda terms: st.tuples(terms, st.sampled_from("+-*/"), terms).map(lambda one: f"({one[0]} {one[1]} {one[2]})"),
    max_leaves=6,
)


@given(
    st.tuples(_VALUES, _VALUES, _VALUES), _TERMS, st.sampled_from(["450 million", "5% of 450", "3 k and 12.5 bn", ""])
)
def test_every_edit_is_another_program_that_runs(values: tuple[str, str, str], term: str, question: str) -> None:
    code = "\n".join(f"{name} = {value}" for name, value in zip("abc", values, strict=True)) + f"\nfinal_answer({term})"
    found = edits(code, question)
    assert len({edit.code for edit in found} | {code}) == len(found) + 1
    for edit in found:
        ast.parse(edit.code)
        gives(edit.code)
        assert edit.said.endswith(".")
    assert found == edits(code, question)
