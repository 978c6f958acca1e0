"""What the predicates of the library flag, and above all what they let pass."""

import inspect
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentfly.playbooks.checks import library
from agentfly.playbooks.checks.catalogue import FUNCTIONS
from agentfly.playbooks.checks.library import (
    bare_value,
    file_was_read,
    is_number,
    item_count,
    matches,
    no_traceback,
    not_empty,
    one_of_options,
    rounded_as_asked,
    within,
    without_units,
)

MEAN = 'Calculate the mean fare. Answer with the value alone. Format: [mean], where "mean" is a number rounded to {}.'
COUNT = 'How many rows are missing? Answer with the value alone. Format: [count] where "count" is an integer.'
NORMAL = 'Is it normally distributed? Format: [answer], where "answer" is a string that is either "yes" or "no".'
FAILING = {"action": "x = 1", "observation": "Traceback (most recent call last):\nKeyError: 'Age'", "error": True}


@pytest.mark.parametrize(
    ("asked", "answer", "given"),
    [
        ("two decimal places", "570.681275303644", "give 570.68."),
        ("2 decimals", "39.2071", "give 39.21."),
        ("3 decimal places", "-0.5494996", "give -0.549."),
        ("the nearest hundredth", "4.787", "give 4.79."),
        ("the nearest 0.1", "4.787", "give 4.8."),
        ("the nearest integer", "364.25", "give 364."),
        ("the nearest whole number", "-0.2", "give 0."),
        ("an integer", "12.5", "give 12."),
        ("one decimal", "2.60526", "give 2.6."),
        ("two digits after the decimal point", ".126", "give 0.13."),
        ("four decimal places", "7.33734e-08", "give 0.0000."),
        ("2dp", "$1.234", "give 1.23."),
        ("two decimal places", "45.678%", "give 45.68."),
        ("two decimal places", "−1.256", "give -1.26."),
    ],
)
def test_more_decimals_than_asked(asked, answer, given):
    assert rounded_as_asked(MEAN.format(asked), answer).endswith(given)


def test_the_message_says_what_was_asked_and_what_to_give():
    assert rounded_as_asked(MEAN.format("two decimal places"), "570.6812753036441") == (
        "The task asks for 2 decimal places and the answer has 13: give 570.68."
    )
    several = rounded_as_asked("Give mean and median up to 2 decimal places.", "21144.0812, 19711.5, 0.333")
    assert several == "The task asks for 2 decimal places: give 21144.08 for 21144.0812, 0.33 for 0.333."


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (MEAN.format("two decimal places"), "570.68"),
        (MEAN.format("two decimal places"), "570.7"),
        (MEAN.format("two decimal places"), "570"),
        (MEAN.format("two decimal places"), "570.6800"),
        (MEAN.format("two decimal places"), "No"),
        (MEAN.format("two decimal places"), "version 3.11.4"),
        (MEAN.format("two decimal places"), ""),
        (MEAN.format("the nearest whole number"), "364.0"),
        ("What is the mean fare?", "570.681275"),
        ("Give it to at least two decimal places.", "570.681275"),
        ("Give it to 3 significant figures.", "0.000123"),
        ("Give the share to the nearest tenth of a percent.", "0.1234"),
        ("Round the mean to two decimals and the p-value to four decimals.", "0.1234"),
        (NORMAL + " Round the p-value to two decimals.", "0.12345"),
    ],
)
def test_rounding_that_is_no_fault(question, answer):
    assert rounded_as_asked(question, answer) == ""


@given(st.floats(-1e9, 1e9), st.integers(0, 6))
def test_what_was_rounded_as_asked_passes_and_so_does_what_the_message_gives(value, places):
    question = f"Round to {places} decimal places."
    assert rounded_as_asked(question, str(round(value, places))) == ""
    message = rounded_as_asked(question, f"{value:.9f}")
    if message:
        given_value = message.rpartition("give ")[2].rstrip(".")
        assert float(given_value) == pytest.approx(value, abs=0.5 * 10**-places + 1e-6)
        assert rounded_as_asked(question, given_value) == ""


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("@mean[32.2]", "32.2"),
        ("@mean[32.2] [49.69]", "32.2"),
        ("[49.69]", "49.69"),
        ("['Nile']", "Nile"),
        ("(3.5,)", "3.5"),
        ("{'mean': 3.5}", "3.5"),
        ("mean: 3.5", "3.5"),
        ("mean = 3.5", "3.5"),
        ("Final answer: Nile", "Nile"),
        ("The answer is Nile.", "Nile"),
        ('"Nile"', "Nile"),
        ("`Nile`", "Nile"),
        ("**Nile**", "Nile"),
        ("\\boxed{42}", "42"),
        ("np.float64(3.5)", "3.5"),
    ],
)
def test_a_wrapped_value(answer, value):
    message = bare_value(MEAN.format("two decimal places"), answer)
    assert message.startswith("Give the ")
    assert message.endswith(f": {value}")
    assert bare_value(MEAN.format("two decimal places"), value) == ""


def test_a_sentence_around_the_number_that_was_asked_for():
    assert bare_value(COUNT, "The number of missing rows is 42.").endswith("around it: 42")
    assert bare_value("Who wrote Catch-22?", "The author of it is 22.") == ""


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Which film?", "Star Wars: A New Hope"),
        ("Which brand?", "Preferred Hotels & Resorts"),
        ("Which countries?", "Kuwait, Saudi Arabia"),
        ("When?", "12:30"),
        ("Which ratio?", "3:1"),
        ("Which years?", "[]"),
        ("Which years?", "[1999, 2001]"),
        ("Answer as JSON.", '{"mean": 3}'),
        ("Answer in the form [value].", "[3]"),
        ("Answer in the form @mean[value].", "@mean[3]"),
        ("Answer in the form mean: value", "mean: 3"),
        ("Put it in quotation marks.", '"Nile"'),
        ("Who said it?", "O'Hara"),
        ("Which method?", "f(x)"),
    ],
)
def test_values_that_are_bare_or_asked_for_in_this_form(question, answer):
    assert bare_value(question, answer) == ""


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        (NORMAL, "yes", "0.03"),
        ('Report your findings as "Normal" if p is greater than 0.05 and "Not Normal" otherwise.', "Not Normal", "no"),
        ("where “x” is a boolean value, 'True' if it is so and 'False' otherwise.", "False", "no"),
        ('[is_normal] where "is_normal" is a boolean that denotes it', "true", "1"),
        ('a string that can either be "normal" or "not_normal"', "not normal", "skewed"),
        ("Is it? Answer yes or no.", "No.", "maybe"),
        ('the answer should be "True". If not, the answer should be "False".', "True", "0.2"),
        ('should be one of "low", "medium" or "high".', "Medium", "500"),
        ('a string that takes the value "yes" if the data follows it, and "no" if it does not.', "no", "p < 0.05"),
    ],
)
def test_options(question, right, wrong):
    assert one_of_options(question, right) == ""
    assert wrong in one_of_options(question, wrong)
    assert one_of_options(question, f"0.0012, {right}") == "", "a second value may have been asked for"


@pytest.mark.parametrize(
    "question",
    [
        'Ignore all the pairs that either "Value" or "TIME" is null.',
        'Do not use the "Age" or "Fare" columns.',
        'where "mean" and "median" are numbers',
        "Which of the two rivers is longer?",
        "What did the 'A' team do or not do?",
    ],
)
def test_what_is_no_list_of_options(question):
    assert one_of_options(question, "0.02") == ""


def test_a_number_was_asked_for():
    assert "in digits" in is_number(COUNT, "three")
    assert "in digits" in is_number("How many albums were published?", "several")
    assert "integer" in is_number(COUNT, "2.5")
    for fine in ("3", "3.0", "", "about 3", "1,200"):
        assert is_number(COUNT, fine) == ""


@pytest.mark.parametrize(
    "question",
    [
        "Are there outliers? How many? Give a list of the rows.",
        "Which country has how many people?",
        "Who is it?",
        NORMAL,
        '"Age" is an integer column. What is the title?',
    ],
)
def test_no_number_was_asked_for(question):
    assert is_number(question, "none of them") == ""


def test_units():
    assert without_units("How many apples are there?", "5 apples").endswith(": 5")
    assert without_units("How far is it? Give the number without units.", "5.2 km/h").endswith(": 5.2")
    assert without_units("How much is it? Do not include the currency sign.", "$5").endswith(": 5")
    for question, answer in [
        ("How many apples are there?", "5"),
        ("How much is it?", "$5"),
        ("How much is it?", "5%"),
        ("How many people?", "5 million"),
        ("How far is it? Include the unit.", "5 km"),
        ("Where was it?", "10 Downing Street"),
    ]:
        assert without_units(question, answer) == ""


@pytest.mark.parametrize("answer", ["", "  ", "nan", "NaN", "None", "inf", "-inf", "'nan'", "[None]"])
def test_nothing_is_no_answer(answer):
    assert "give a value" in not_empty("What is the mean?", answer)
    assert not_empty("Are there any outliers? If so, give the list of rows.", answer) == ""
    assert not_empty("Leave it empty where there is none.", answer) == ""


def test_something_is_an_answer():
    assert [not_empty("What is it?", answer) for answer in ("0", "no", "nano", "False")] == ["", "", "", ""]


def test_exceptions_in_the_last_step():
    assert "KeyError" in no_traceback([FAILING])
    swallowed = {
        "action": "try:\n    f()\nexcept Exception as e:\n    print('Error:', e)",
        "observation": "Error: 'Age'\n3",
    }
    assert "caught" in no_traceback([swallowed])
    assert "message of an error" in no_traceback([], "Error: no such file")
    assert "message of an error" in no_traceback([], "FileNotFoundError: x.csv")


def test_exceptions_that_were_mended_or_are_none():
    fine = {"action": "print(1)", "observation": "Standard Error: 0.3\n1"}
    assert no_traceback([FAILING, fine]) == ""
    assert no_traceback([]) == ""
    assert no_traceback([{"action": "", "observation": "UserWarning: old"}]) == ""
    assert no_traceback([fine], "Errors in variables") == ""


def test_files_that_nobody_opened():
    table, other = "my table.csv", "b.xlsx"
    blind, read = [{"action": "final_answer(3)"}], [{"action": "pd.read_csv('my table.csv')"}]
    assert "my table.csv" in file_was_read("Mean age?", blind, [table])
    assert "b.xlsx" in file_was_read("Compare with b.xlsx", read, [table, other])
    assert "sales.csv" in file_was_read("Sum the column of sales.csv", blind)
    for question, steps, files in [
        ("Mean age?", read, [table]),
        ("Mean age?", read, [table, other]),
        ("Compare with b.xlsx", [{"action": "for f in glob.glob('*'): open(f)"}], [table, other]),
        ("Mean age?", blind, []),
        ("See https://host/sales.csv", blind, []),
    ]:
        assert file_was_read(question, steps, files) == ""


def test_within_bounds_where_the_word_stands():
    asked = "Report the p-value."
    assert "between 0 and 1" in within(asked, "1.5", 0, 1, when="p-value")
    assert within("Report the p_value.", "-0.1", 0, 1, when="p-value")
    for question, answer in [
        (asked, "0.05"),
        (asked, "1"),
        (asked, "no"),
        ("Report the mean.", "1.5"),
        (asked, "150%"),
    ]:
        assert within(question, answer, 0, 1, when="p-value") == ""
    assert within("How many have a p-value below 0.05?", "12", 0, 1, when="p-value") == ""
    assert within("Anything", "7", 0, 5)


def test_matches_and_item_count():
    assert matches("Which year?", "in 1999", r"\d{4}", "Give the year.") == "Give the year."
    assert matches("Which year?", "1999 ", r"\d{4}", "Give the year.") == ""
    assert matches("Which day?", "Monday", r"\d{4}", when="year") == ""
    assert r"\d{4}" in matches("Which year?", "x", r"\d{4}")
    assert "has 2" in item_count("The two largest and the smallest?", "a, b", 3)
    assert item_count("The top three?", "a; b; c", 3, when="top three") == ""
    assert item_count("Anything", "1,234", 1) == item_count("Anything", "1,234", 2) == ""
    assert item_count("Anything", "a, b", 3, when="top three") == ""


TEXTS = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from([*"\"'[]{}()@:;,.$%-−", " ", "\n", "1", "2.55", "e9", "a", " or ", " if ", "round to", "two decimals",
        "nearest", "how many", "yes", "value alone", "\x00", "\ud800", "١٫٥"]), max_size=25,
    ).map("".join),
)  # fmt: skip
STEPS = st.lists(st.fixed_dictionaries({}, optional={"action": TEXTS, "observation": TEXTS}), max_size=3)


@given(TEXTS, TEXTS, STEPS, st.lists(TEXTS, max_size=2))
@settings(max_examples=300)
def test_predicates_take_anything(question, answer, steps, files):
    given_values = {"question": question, "answer": answer, "steps": steps, "files": files}
    extra = {"low": 0, "high": 1, "pattern": "x", "n": 2, "say": "", "when": ""}
    for function in FUNCTIONS.values():
        names = inspect.signature(function).parameters
        message = function(**{name: {**given_values, **extra}[name] for name in names})
        assert isinstance(message, str)


def test_the_library_stands_alone():
    source = inspect.getsource(library)
    imported = set(re.findall(r"^(?:from|import) (\w+)", source, re.MULTILINE))
    assert imported <= {"__future__", "re", "decimal", "collections"}
    scope: dict[str, object] = {"__name__": "library"}
    exec(compile(source, "library", "exec"), scope)
    assert set(FUNCTIONS) <= set(scope)
