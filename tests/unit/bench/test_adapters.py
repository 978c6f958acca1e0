"""Adapters: other people's files as tasks, with their own scoring."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.bench import adapters
from agentfly.bench.adapters import Adapter, adapter_for, names, register_adapter
from agentfly.bench.adapters.finer import finer_match
from agentfly.bench.adapters.formula import formula_match
from agentfly.bench.datasets import load_dataset
from agentfly.errors import InputError
from agentfly.learning.adaptation.split import set_aside, together
from agentfly.scorers import ReferenceScorer
from agentfly.types import Attempt, Task

DATA = Path(__file__).parents[4] / "shared" / "data"
present = pytest.mark.skipif(not DATA.is_dir(), reason="the benchmark files are not on this machine")

FORMULA = {
    "context": "Use formula Current Ratio to answer the question. Formula: Current Ratio = Assets / Liabilities, "
    "Explanation: what is owned by what is owed. Question: assets 3,000 and liabilities 1500? Answer:",
    "target": "2.0",
}
HEAD = (
    "You are XBRL expert.  Here is a list of US GAAP tags options: ,Cash,Debt,Rent.\n Answer the following 2 questions."
)
SENTENCE = "It owed $ 25 and paid $ 21 in cash .?"
FINER = {
    "context": f'{HEAD}\n1. What is best tag for entity "25" in sentence: "{SENTENCE}"\n'
    f'2. What is best tag for entity "21" in sentence: "{SENTENCE}"\nOutput US GAAP tags:',
    "target": "Debt,Cash",
}
PLAIN = {"context": "What is 1 + 1?", "target": "2"}


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def finer_row(*sentences: str) -> dict[str, str]:
    asked = "\n".join(
        f'{n}. What is best tag for entity "{n}" in sentence: "{s}"' for n, s in enumerate(sentences, start=1)
    )
    return {"context": f"{HEAD}\n{asked}\nOutput US GAAP tags:", "target": ",".join(["Cash"] * len(sentences))}


# Formula


def test_a_formula_row_is_one_task_with_the_formula_in_its_question(tmp_path: Path) -> None:
    dataset = load_dataset(write(tmp_path / "train.jsonl", FORMULA))
    (task,) = dataset.tasks
    assert dataset.adapter is adapters.formula.ADAPTER
    assert task.question.startswith("Use formula Current Ratio")
    assert task.question.endswith("liabilities 1500?"), "the word that asks for the answer is left out"
    assert (task.reference, task.instructions) == ("2.0", "")


@pytest.mark.parametrize(
    ("answer", "target", "right"),
    [
        ("2.0", "2", True),
        ("2.004", "2.0", True),
        ("2.01", "2.0", False),
        ("1,234.5", "1234.50", True),
        ("1234.5", "1,234.5", True),
        (" 7 ", "7.00", True),
        ("-0.5", "0.5", False),
        ("$2", "2", False),
        ("2 times", "2", False),
        ("nan", "nan", False),
        ("inf", "inf", True),
        ("n/a", "n/a", True),
        ("", "0", False),
        (None, "0", False),
    ],
)
def test_formula_answers_are_equal_after_rounding(answer: str | None, target: str, right: bool) -> None:
    assert formula_match(answer, target) is right


@given(st.floats(-1e9, 1e9).map(lambda x: round(x, 2)))
def test_a_number_is_right_however_it_is_grouped(value: float) -> None:
    assert formula_match(f"{value:,.2f}", str(value))
    assert formula_match(f"{value:.4f}", f"{value:,.2f}")
    assert not formula_match(f"{value + 0.02:.2f}", str(value))


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_answer_breaks_the_comparison(answer: str, target: str) -> None:
    formula_match(answer, target)
    finer_match(answer, target)


# FiNER


def test_each_number_of_a_finer_row_is_a_task_and_the_tags_are_its_instructions(tmp_path: Path) -> None:
    dataset = load_dataset(write(tmp_path / "val.jsonl", FINER))
    first, second = dataset.tasks
    assert first.question == f'What is best tag for entity "25" in sentence: "{SENTENCE}"'
    assert [task.reference for task in dataset.tasks] == ["Debt", "Cash"]
    assert first.instructions == second.instructions
    assert first.instructions.endswith("US GAAP tags: Cash, Debt, Rent")
    assert "Rent" not in first.question
    assert len(together(dataset.tasks)) == 1


def test_numbers_of_one_row_or_one_sentence_are_never_divided(tmp_path: Path) -> None:
    rows = [finer_row(f"A{n}.", f"B{n}.") for n in range(6)] + [finer_row("A0.", "C."), finer_row("D.", "E.")]
    tasks = load_dataset(write(tmp_path / "val.jsonl", *rows)).tasks
    groups = [sorted(task.question for task in group) for group in together(tasks)]
    assert sorted(len(group) for group in groups) == [2, 2, 2, 2, 2, 2, 4], "rows 0 and 6 share a sentence"
    for seed in range(5):
        rest, aside = set_aside(tasks, 4, seed, "test")
        assert {key for task in rest for key in task.metadata["together"]}.isdisjoint(
            key for task in aside for key in task.metadata["together"]
        )


@pytest.mark.parametrize(
    ("answer", "right"),
    [("Debt", True), (" debt\n", True), ("Debt, Cash", True), ("Cash, Debt", False), ("Deb", False), (None, False)],
)
def test_finer_answers_are_the_tag_but_for_case(answer: str | None, right: bool) -> None:
    assert finer_match(answer, "Debt") is right


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**FINER, "target": "Debt"}, "2 questions and 1 tags"),
        ({**FINER, "target": 3}, "must be text"),
        ({**FINER, "context": HEAD.split(":")[0]}, "no list of tags"),
        ({**FINER, "context": HEAD}, "0 questions"),
    ],
)
def test_a_damaged_finer_row_is_named(tmp_path: Path, row: Any, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        load_dataset(f"finer:{write(tmp_path / 'val.jsonl', FINER, row)}")
    assert "val.jsonl line 2" in str(refused.value)


@pytest.mark.parametrize("row", [{"context": " ", "target": "1"}, {"context": "q", "target": None}, {"target": "1"}])
def test_a_damaged_formula_row_is_named(tmp_path: Path, row: Any) -> None:
    with pytest.raises(InputError, match=r"train\.jsonl line 2: '(context|target)' must be"):
        load_dataset(write(tmp_path / "train.jsonl", FORMULA, row))


# Which one


def test_files_are_known_by_their_first_row() -> None:
    found = {name: adapter_for(row) for name, row in (("formula", FORMULA), ("finer", FINER), ("", PLAIN))}
    assert {name: adapter.name if adapter else "" for name, adapter in found.items()} == {n: n for n in found}


def test_a_plain_file_has_gaias_scoring_and_an_adapter_can_be_forced(tmp_path: Path) -> None:
    path = write(tmp_path / "plain.jsonl", PLAIN)
    plain, forced = load_dataset(path), load_dataset(f"formula:{path}")
    assert (plain.adapter, plain.scorer.name) == (None, "gaia")
    assert forced.scorer.name == "formula"
    assert (plain.tasks, plain.hash) == (forced.tasks, forced.hash)


async def test_the_scorer_of_a_dataset_compares_by_its_rule(tmp_path: Path) -> None:
    dataset = load_dataset(write(tmp_path / "train.jsonl", FORMULA))
    scorer: ReferenceScorer = dataset.scorer
    given_ = {"2.001": 1.0, "2.1": 0.0, None: 0.0}
    for answer, reward in given_.items():
        attempt = Attempt(task_id="t", answer=answer)
        feedback = await scorer.score(dataset.tasks[0], attempt, tmp_path)
        assert feedback is not None
        assert (feedback.reward, feedback.source) == (reward, "reference")
        assert "2.0" not in feedback.text.replace("2.001", ""), "the reference is not for who tries again"


def test_an_adapter_of_ones_own_is_one_function_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tasks(row: Mapping[str, Any], place: str) -> list[Task]:
        return [Task(question=row["q"], reference=row["a"])]

    monkeypatch.setattr(adapters, "_known", dict(adapters._known))
    register_adapter(Adapter("mine", lambda row: "q" in row, tasks, lambda answer, right: answer == right))
    dataset = load_dataset(write(tmp_path / "mine.jsonl", {"q": "Say yes.", "a": "yes"}))
    assert (dataset.scorer.name, dataset.tasks[0].reference) == ("mine", "yes")
    assert "mine" in names()
    with pytest.raises(InputError, match="one word"):
        register_adapter(Adapter("not mine", lambda row: True, tasks, lambda answer, right: True))


# The files themselves


@present
@pytest.mark.parametrize(("name", "count"), [("train", 500), ("val", 300)])
def test_ace_formula_files(name: str, count: int) -> None:
    dataset = load_dataset(DATA / "formula" / f"{name}.jsonl")
    assert (len(dataset.tasks), dataset.scorer.name) == (count, "formula")
    for task in dataset.tasks:
        assert task.reference is not None
        assert formula_match(task.reference, task.reference)
        assert "Formula:" in task.question


@present
def test_ace_finer_file() -> None:
    dataset = load_dataset(DATA / "finer" / "val.jsonl")
    (told,) = {task.instructions for task in dataset.tasks}
    tags = set(told.partition("tags: ")[2].split(", "))
    assert (len(dataset.tasks), len(tags), dataset.scorer.name) == (600, 139, "finer")
    assert {task.reference for task in dataset.tasks} <= tags
    assert len(together(dataset.tasks)) == 149, "two of the 150 prompts share a sentence"
