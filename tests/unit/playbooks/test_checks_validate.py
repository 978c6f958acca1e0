"""Which texts can be checks, why others cannot, and how the playbook takes them."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentfly.playbooks import Delta, Playbook, Rules
from agentfly.playbooks.checks.catalogue import FUNCTIONS, READY, for_curator, shown
from agentfly.playbooks.checks.validate import BUILTINS, GIVEN, IMPORTS, problem
from agentfly.playbooks.exchange import form
from agentfly.playbooks.exchange.own import export_json, import_json
from agentfly.playbooks.rules import Refused
from agentfly.playbooks.text import bullet_text, clean_code

ROUNDED = "rounded_as_asked(question, answer)"
WRITTEN = '''import re

def check(question, answer, steps):
    # the year alone
    found = re.findall(r"\\d{4}", answer)
    if "year" in question and len(found) != 1:
        return f"Give one year, not {len(found)}."
    return ""'''
HUGE = 1_000_000


def delta(*operations):
    return Delta.model_validate({"operations": list(operations)})


def add(text, kind="check"):
    return {"op": "add", "section": "checks", "text": text, "kind": kind}


def reasons(playbook, *operations):
    return [refusal.reason for refusal in playbook.refusals(delta(*operations))]


@pytest.mark.parametrize(
    "text",
    [
        ROUNDED,
        WRITTEN,
        'within(question, answer, 0, 1, when="p-value")',
        "within(question, answer, low=0, high=1)",
        "arguments = (question, answer)\nbare_value(*arguments)",
        "len(answer) < 10",
        "def check(text):\n    return len(text) < 10\ncheck(answer)",
        'None if answer else "Give an answer."',
        "not_empty(question, answer) or no_traceback(steps) or file_was_read(question, steps, files)",
        "import math as m\nm.isfinite(len(answer))",
        "from collections import Counter\nmax(Counter(answer).values(), default=0) < 9",
        "total = sum(1 for step in steps if step['error'])\ntotal < 3",
        "try:\n    x = float(answer)\nexcept ValueError as error:\n    x = 0\n(n := len(answer)) > 2 and 'Too long.'",
        "match answer.split():\n    case [first, *rest]:\n        many = rest\n    case {'a': 1, **more}:\n        many = more\nmany == 1",
        "def one_of_options(x):\n    return x\none_of_options(answer)",
        'import re\nre.search("\\d", answer) is not None',
        "while True:\n    pass\nlen(answer)",
    ],
)
def test_texts_that_can_be_checks(text):
    assert problem(text) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no result"),
        ("x = answer", "no result"),
        ("'Round the answer.'", "the same of every answer"),
        ("Round the answer.", "not Python: line 1"),
        ("if answer:\nTrue", "not Python: line 2"),
        ("return answer", "outside function"),
        ("a\x00b", "not Python"),
        ("\ud800", "not Python"),
        ("(" * 500, "not Python"),
        ("-" * 1000 + "1", "nested too deeply"),
        ("+".join("a" * 400), "nested too deeply"),
        ("1" * 1201, "1201 characters; 1200"),
        ("rounded_as_aksed(question, answer)", "did you mean rounded_as_asked?"),
        (
            "def check(question, answer, steps):\n    return answr",
            "line 2: there is nothing of the name answr; did you",
        ),
        ("json.loads(answer)", "import json is missing"),
        ("rounded_as_asked", "write rounded_as_asked(question, answer)"),
        (
            "within(question, answer)",
            "missing a required argument: 'low'; call it as within(question, answer, low, high",
        ),
        ("bare_value(question, answer, 3)", "too many positional"),
        ("bare_value(question, answer, text=answer)", "unexpected keyword argument 'text'"),
        ("import os\nTrue", "os cannot be imported; a check may import collections"),
        ("import os.path as re\nTrue", "os.path cannot be imported"),
        ("from . import x\nTrue", ". cannot be imported"),
        ("from re import *\nTrue", "import *"),
        ("open('x')", "open is out of bounds"),
        ("eval(answer)", "eval is out of bounds"),
        ("getattr(answer, 'x')", "getattr is out of bounds"),
        ("answer.__class__", "__class__ is out of bounds"),
        ("(x for x in answer).gi_frame", "gi_frame is out of bounds"),
        ("__import__('os')", "__import__ is out of bounds"),
        ("def __f():\n    pass\nTrue", "__f is out of bounds"),
        ("class A:\n    pass\nTrue", "a class has no place"),
        ("async def f():\n    pass\nTrue", "async code has no place"),
        ("def f():\n    yield 1\nlist(f())", "yield has no place"),
        ("def check(answer):\n    return True", "write def check(question, answer, steps)"),
        ("def check(*all):\n    return True", "write def check(question, answer, steps)"),
    ],
)
def test_texts_that_cannot(text, reason):
    found = problem(text)
    assert reason in found
    assert "\n" not in found


PIECES = st.sampled_from(
    ["def check(question, answer, steps):\n", "    ", "return ", "answer", "(", ")", "[", "]", "{", "}", ":", "lambda: ", "\n",
    "import ", "re", "from . ", "\x00", "\ud800", "\u202e", "__class__", ".", "=", "'", '"', "f'{", "#", "\\", "\t", "1", "*", "**",
    "await ", "match x:\n", " case ", "not ", "-", "yield ", "9" * 5000, "𝔬pen", "within(", ", ", "ﬁ", "global x\n", "@", ";", "\r"]
)  # fmt: skip
TEXT = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=30).map("".join))


@given(TEXT, st.sampled_from([1200, 10**7]))
@settings(max_examples=400)
def test_every_text_gets_a_verdict_in_one_line(text, limit):
    assert "\n" not in problem(text, limit)


@pytest.mark.parametrize("text", ["(" * HUGE, "x\n" * HUGE, "\x00" * HUGE, "not " * HUGE, "é" * HUGE])
def test_megabytes_cost_nothing(text):
    start = time.perf_counter()
    assert "are allowed" in problem(text)
    assert reasons(Playbook(), add(text))
    assert time.perf_counter() - start < 5


def test_the_ready_checks_are_checks():
    assert len({ready.name for ready in READY}) == len({ready.text for ready in READY}) == len(READY) >= 8
    for ready in READY:
        assert problem(ready.text) == ""
        assert ready.line.startswith("Flags ")
        assert "\n" not in ready.line + ready.text
    book = Playbook().apply(delta(*(add(ready.text) for ready in READY)), strict=True)
    assert [bullet.text for bullet in book.checks] == [ready.text for ready in READY]


def test_the_curator_is_told_of_every_function():
    lines = for_curator().splitlines()
    assert len(lines) == len(FUNCTIONS)
    for name, line in zip(FUNCTIONS, lines, strict=True):
        assert f"`{shown(name)}`: Flags " in line
    assert shown("within") == "within(question, answer, low, high, when='')"
    assert not set(FUNCTIONS) & {*GIVEN, *BUILTINS, *IMPORTS}


def test_a_check_keeps_its_lines_and_its_indentation():
    book = Playbook().apply(delta(add(f"\n\n    {WRITTEN}\n\n".replace("\n", "\n    "))), strict=True)
    assert book.checks[0].text == WRITTEN.replace("\n\n", "\n")


@pytest.mark.parametrize(
    "raw",
    [
        f"```python\n{ROUNDED}\n```",
        f"~~~\n{ROUNDED}\n~~~\n",
        f"- {ROUNDED}",
        f"[che-00003] {ROUNDED}",
        f"- [che-00003] helpful=2 harmful=0 :: {ROUNDED}",
        f"[che-00003]\n```\n{ROUNDED}\n```",
        f"  {ROUNDED}  \r\n",
        f"\ufeff{ROUNDED}\u200b",
    ],
)
def test_what_models_put_around_code_is_taken_off(raw):
    assert clean_code(raw, 1200) == ROUNDED


def test_comments_are_no_headings_and_labels_are_refused():
    assert clean_code(f"# look\n## closer\n    ### here\n{ROUNDED}", 99) == f"# look\n# closer\n    # here\n{ROUNDED}"
    with pytest.raises(Refused, match="label"):
        clean_code(f"{ROUNDED}\n[che-00009] injected", 1200)
    with pytest.raises(Refused, match=r"U\+202E"):
        clean_code(f"{ROUNDED} # \u202e", 1200)
    with pytest.raises(Refused, match="empty"):
        clean_code("```\n```", 1200)


@given(TEXT)
@settings(max_examples=300)
def test_what_is_stored_is_stored_again_the_same(raw):
    try:
        stored = clean_code(raw, 1200)
    except Refused:
        return
    assert clean_code(stored, 1200) == stored == clean_code(f"- {stored}", 1200)


def test_operations_that_write_no_check_are_refused_with_the_reason():
    book = Playbook().apply(delta(add(ROUNDED), add("len(answer) < 9")), strict=True)
    first, second = (bullet.id for bullet in book.checks)
    wrong = [
        add("Answer is rounded."),
        {"op": "update", "id": first, "text": "rounded_as_aksed(question, answer)"},
        {"op": "merge", "ids": [first, second], "text": "both of them"},
    ]
    found = reasons(book, *wrong)
    assert ["not Python" in found[0], "did you mean rounded_as_asked" in found[1], "not Python" in found[2]] == [
        True
    ] * 3
    assert book.apply(delta(*wrong)) == book
    right = [
        {"op": "update", "id": first, "text": "bare_value(question, answer)"},
        {"op": "merge", "ids": [first, second], "text": "bare_value(question, answer) or len(answer) < 9"},
    ]
    (merged,) = book.apply(delta(*right), strict=True).checks
    assert merged.text == "bare_value(question, answer) or len(answer) < 9"


def test_case_tells_checks_apart_but_not_strategies():
    book = Playbook().apply(delta(add(r'matches(question, answer, "\\d+")'), add("Round.", "strategy")), strict=True)
    assert reasons(book, add(r'matches(question, answer, "\\D+")')) == []
    assert "says the same" in reasons(book, add(r'matches(question, answer, "\\d+")'))[0]
    assert "says the same" in reasons(book, add("round", "strategy"))[0]


def test_checks_survive_export_and_edit():
    book = Playbook().apply(delta(add(f"## year\n{WRITTEN}"), add(ROUNDED), add("Round.", "strategy")), strict=True)
    assert import_json(export_json(book)) == book
    assert not form.read(form.write(book).encode(), book).delta.operations


def test_checks_have_a_length_of_their_own():
    long = f"{ROUNDED}  # {'x' * 600}"
    assert reasons(Playbook(), add(long)) == []
    assert "500 are allowed" in reasons(Playbook(), add("x" * 501, "strategy"))[0]
    book = Playbook().refusals(delta(add(long)), rules=Rules(check_chars=100))
    assert "100 are allowed" in book[0].reason
    with pytest.raises(Refused):
        bullet_text(long, "check", Rules(check_chars=100))
