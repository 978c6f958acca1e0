"""What every checker must do, in every tier that this machine has: verdicts, limits, and no check in another's way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentfly.protocols import Checked, Checker, Subject
from agentfly.tools.checking import SandboxedChecker
from agentfly.tools.sandbox import check as tiers
from agentfly.types import Bullet, Step

LIBRARY = '''
import builtins, ctypes, decimal, gc, json, os, re, signal, socket, subprocess, sys, threading, time
FORBIDDEN = "word"
def bare(answer):
    """Message or nothing."""
    return "" if re.fullmatch(r"-?\\d+", answer) else "give the bare number"
def starts(text, with_what="x"):
    return text.startswith(with_what)
def slow(answer):
    return re.match(r"(a+)+$", "a" * 40 + "b") if answer == "slow" else None
def module(name):
    return sys.modules[name]
def _hidden():
    return 1
'''
FINE, STEPS = (
    Checked(),
    (Step(index=0, thought="t", action="a", observation="o"), Step(index=1, final=True, error=True)),
)

Put = Callable[[Sequence[str], Sequence[Subject]], list[list[Checked]]]


def subject(answer: str = "7", question: str = "how many?") -> Subject:
    return Subject(question=question, answer=answer, steps=STEPS, files=("data.csv",))


def bullet(text: str, number: int = 1) -> Bullet:
    return Bullet(id=f"chk-{number:05d}", section="checks", text=text, kind="check")


@pytest.fixture(scope="module", params=["bubblewrap", "landlock", "unsafe"])
def put(request: pytest.FixtureRequest) -> Iterator[Put]:
    """Puts answers to checks in one worker for all tests, so that each finds what the ones before it left."""
    with asyncio.Runner() as runner:
        if problem := runner.run(tiers.probe(request.param)):
            pytest.skip(f"{request.param} does not work here: {problem}")
        stack = AsyncExitStack()
        checker: Checker = SandboxedChecker(LIBRARY, tier=request.param)
        assert isinstance(checker, Checker)

        async def opened() -> Put:
            worker = await stack.enter_async_context(checker.open())

            def put(texts: Sequence[str], subjects: Sequence[Subject]) -> list[list[Checked]]:
                checks = [bullet(text, number) for number, text in enumerate(texts)]
                return [list(row) for row in runner.run(_timed(worker.check(checks, subjects)))]

            return put

        yield runner.run(opened())
        runner.run(stack.aclose())


async def _timed(work):  # type: ignore[no-untyped-def]
    async with asyncio.timeout(20):
        return await work


def told(checked: Checked) -> tuple[str, str]:
    return checked.message, checked.problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bare(answer)", "give the bare number"),
        ("bare(answer) or bare(question)", "give the bare number"),
        ("starts(answer, with_what='y')", "The answer does not pass a check."),
        ("starts(answer)", ""),
        ("None", ""),
        ("True", ""),
        ("''", ""),
        ("False", "The answer does not pass a check."),
        ("' \\n '", "The answer does not pass a check."),
        ("f'{answer} of {question} with {files[0]}'", "x 7 of how many? with data.csv"),
        ("def check(question, answer, steps):\n    return steps[-1]['final'] and steps[0]['observation']", "o"),
        ("def check(question, answer, steps):\n    return 'no'\nTrue", ""),
        ("import re\nx = re.sub('[a-z ]', '', answer)\n'' if x == '8' else x", "7"),
        ("from collections import Counter as C\nC(answer).most_common(1)[0][0]", "x"),
        ("import collections.abc, json.decoder\nisinstance(steps, collections.abc.Sequence)", ""),
        ("from datetime import datetime\nstr(datetime.strptime('2024-02-29', '%Y-%m-%d').day)", "29"),
        ("'a\\x1b[31m b\\r\\nc\\u202e\\ud800'", "a [31m b c"),
        ("'x' * 10_000_000", "x" * 300),
        ("import statistics, decimal, fractions, math, unicodedata\nstr(statistics.mean([1, 2]))", "1.5"),
        ("import json\njson.dumps(sorted(steps[0]))", '["action", "error", "final", "observation", "thought"]'),
        ("print('loud')\n'x'.encode('cp1252').decode('utf-16-le', 'ignore')", ""),
        (
            "from datetime import date, datetime\ndatetime(2024, 2, 29).strftime('%d ') + str(date.today() > date.min)",
            "29 True",
        ),
        ("str(len(str(int('7' * 4000))))", "4000"),
        ("class A:\n    def __del__(self):\n        raise ValueError\nA()\nNone", ""),
        ("print('\\0\\0\\0\\x0d{\"id\": 1}')\n'a message'", "a message"),
    ],
)
def test_verdicts(put: Put, text: str, expected: str) -> None:
    ((checked,),) = put([text], [subject("x 7")])
    assert told(checked) == (expected, "")
    assert 0 < checked.seconds < 5


HOSTILE = {
    "loops": ("while True:\n    pass\nTrue", "longer than 50 ms"),
    "swallows": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass\nTrue",
        "longer than 50 ms",
    ),
    "computes in one go": ("len(str(10 ** 10 ** 8))", "longer than 50 ms"),
    "matches for ever": ("import re\nre.match(r'(a+)+$', 'a' * 40 + 'b')", "longer than 50 ms"),
    "prints for ever": ("while True:\n    print('x' * 10 ** 6)\nTrue", "longer than 50 ms"),
    "sleeps": ("module('time').sleep(1)", "tried to sleep"),
    "waits": ("lock = module('threading').Lock()\nlock.acquire() and lock.acquire()", "not done after 450 ms"),
    "takes the alarms": (
        "s = module('signal')\ns.signal(27, s.SIG_IGN)\ns.signal(14, s.SIG_IGN)\nwhile True: pass\nTrue",
        "was stopped",
    ),
    "stops itself": ("module('signal').raise_signal(19)", "was stopped"),
    "reads": ("open('/etc/passwd').read()", "tried to open a file"),
    "writes": ("open('left.txt', 'w').write('x')", "tried to open a file"),
    "opens": ("module('os').open('left.txt', 66)", "tried to open a file"),
    "removes": ("module('os').remove('/etc/passwd')", "do what checks must not do (os.remove)"),
    "makes a folder": ("module('os').mkdir('left')", "do what checks must not do (os.mkdir)"),
    "goes elsewhere": ("module('os').chdir('/')", "do what checks must not do (os.chdir)"),
    "lists": ("module('os').listdir('/')", "do what checks must not do (os.listdir)"),
    "tcp": ("module('socket').create_connection(('127.0.0.1', 9))", "tried to open a socket"),
    "udp": ("module('socket').socket(2, 2).sendto(b'x', ('127.0.0.1', 9))", "tried to open a socket"),
    "unix": ("module('socket').socketpair()", "tried to open a socket"),
    "forks": ("module('os').fork()", "tried to start a process"),
    "shell": ("module('os').system('true')", "tried to start a process"),
    "subprocess": ("module('subprocess').run(['true'])", "tried to start a process"),
    "spawns": ("module('os').posix_spawn('/bin/true', ['true'], {})", "tried to start a process"),
    "executes": ("module('os').execv('/bin/true', ['true'])", "tried to start a process"),
    "thread": ("module('threading').Thread(target=len).start()", "tried to start a thread"),
    "ctypes": ("module('ctypes').CDLL(None)", "tried to use ctypes"),
    "garbage": ("module('gc').get_objects()", "look into the interpreter"),
    "frames": ("module('sys')._getframe()", "look into the interpreter"),
    "generator's frame": ("(x for x in ()).gi_frame", "look into the interpreter"),
    "code": ("eval('1')", "run code that it made"),
    "more code": ("compile('1', '', 'exec')", "run code that it made"),
    "imports": ("import os\nTrue", "tried to import os"),
    "imports what C code imports": ("import time\ntime.time()", "tried to import time"),
    "imports from": ("from os import path\nTrue", "tried to import os"),
    "imports what is not there": ("import numpy\nTrue", "tried to import numpy"),
    "imports what a module imported": ("from re import enum\nTrue", "cannot import name 'enum' from 're'"),
    "reads input": ("input()", "tried to read input"),
    "hidden attribute": ("answer.__class__", "uses __class__"),
    "hidden name": ("__builtins__", "uses __builtins__"),
    "hidden pattern": ("match answer:\n    case str(__class__=c): pass\nc", "uses __class__"),
    "hidden import": ("from re import __dict__ as d\nd", "uses __dict__"),
    "getattr": ("getattr(answer, 'upper')()", "NameError"),
    "private function": ("_hidden()", "NameError"),
    "library's module": ("re.sub('a', 'b', answer)", "NameError"),
    "memory": ("len(bytearray(10 ** 9))", "MemoryError"),
    "hoards": ("x = []\nwhile True:\n    x.append(bytearray(10 ** 7))\nTrue", "MemoryError | longer than 50 ms"),
    "recursion": ("def f(n):\n    return f(n + 1)\nf(0)", "RecursionError"),
    "exits": ("raise SystemExit\nTrue", "raised SystemExit"),
    "exits at once": ("module('os')._exit(0)", "ended its process"),
    "exits as if stopped": ("module('os')._exit(3)", "ended its process"),
    "kills": ("o = module('os')\no.kill(o.getppid(), 9)", "tried to send a signal"),
    "aborts": ("module('os').abort()", "broke its process (signal 6)"),
    "forges": (
        "for fd in range(64):\n    try: module('os').write(fd, b'0 f 0.1 \\n')\n    except OSError: pass\nTrue",
        "wrote verdicts of its own",
    ),
    "floods its report": (
        "for fd in range(3, 64):\n    try: module('os').write(fd, b'x' * 10 ** 6)\n    except OSError: pass\nTrue",
        "",
    ),
    "closes its report": (
        "for fd in range(64):\n    try: module('os').close(fd)\n    except OSError: pass\nTrue",
        "ended",
    ),
    "number": ("7", "returned int"),
    "list": ("[]", "returned list"),
    "odd": (
        "class Odd:\n    def __str__(self): raise ValueError\n    __bool__ = __repr__ = __eq__ = __str__\nOdd()",
        "uses __bool__",
    ),
    "odd indeed": (
        "class Odd:\n    def __bool__(self): raise ValueError\n    def __str__(self): return 1\nOdd()",
        "returned Odd",
    ),
    "text of its own": ("class S(str): pass\nS('x')", "returned S,"),
    "odd error": ("class E(Exception):\n    def __str__(self): raise self\nraise E\nTrue", "raised E"),
    "raises": ("1 / 0", "ZeroDivisionError: division by zero"),
    "no verdict": ("x = 1", "gives no verdict"),
    "empty": ("", "gives no verdict"),
    "no code": ("if if", "cannot be compiled: SyntaxError: invalid syntax (line 1)"),
    "null": ("'\0'", "cannot be compiled"),
    "deep": ("-" * 15_000 + "1", "cannot be compiled"),
    "long": ("#" * 20_001 + "\nTrue", "longer than 20,000 characters"),
    "undefined": ("rounded(answer)", "NameError: name 'rounded' is not defined"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bad_check_is_its_own_problem(put: Put, name: str) -> None:
    text, problem = HOSTILE[name]
    rows = put(["bare(answer)", text, "len(answer) == 1"], [subject("7"), subject("x 7")])
    for (before, bad, after), messages in zip(
        rows, [("", ""), ("give the bare number", "The answer does not pass a check.")], strict=True
    ):
        assert (told(before), told(after)) == ((messages[0], ""), (messages[1], ""))
        assert bad.message == ""
        assert any(one in bad.problem for one in problem.split(" | "))
        assert bad.problem
        assert len(bad.problem) <= 300


@pytest.mark.parametrize(
    "name",
    [
        "reads",
        "writes",
        "removes",
        "tcp",
        "udp",
        "unix",
        "forks",
        "shell",
        "thread",
        "ctypes",
        "code",
        "sleeps",
        "frames",
    ],
)
def test_hiding_an_attempt_does_not_help(put: Put, name: str) -> None:
    text, problem = HOSTILE[name]
    hidden = f"try:\n    {text}\nexcept BaseException:\n    pass\n''"
    ((checked,),) = put([hidden], [subject()])
    assert problem in checked.problem


@pytest.mark.parametrize(
    "tamper",
    [
        "module('builtins').len = lambda x: 99",
        "module('re').fullmatch = lambda *a: True",
        "module('library').bare = lambda answer: 'changed'",
        "module('json').dumps = None",
        "module('sys').setrecursionlimit(30)",
        "module('signal').setitimer(0, 0.001)",
        "module('decimal').getcontext().prec = 2",
        "steps.clear(); files.clear()",
        "module('os').close(1)",
        "module('gc').disable()",
        "def later():\n    try: yield 1\n    finally: module('builtins').len = None\ng = later()\nnext(g)\nx = [g]\nx.append(x)",
    ],
)
def test_nothing_that_a_check_does_is_seen_by_another(put: Put, tamper: str) -> None:
    honest = [
        "bare(answer)",
        "import re\nbool(re.fullmatch('x .', answer))",
        "import decimal, json\njson.dumps([len(steps), len(files), str(decimal.Decimal(1) / 3)])",
        "def f(n):\n    return n and f(n - 1)\nstr(f(200))",
    ]
    expected = [told(c) for c in put(honest, [subject("x 7")])[0]]
    assert expected[0] == ("give the bare number", "")
    assert all(problem == "" for _, problem in expected)
    row = put([honest[0], f"{tamper}\nNone", *honest[1:], f"{tamper}\nNone", *honest], [subject("x 7")])[0]
    assert [told(row[0]), *map(told, row[2:5])] == expected
    assert [told(c) for c in row[6:]] == expected
    assert [told(c) for c in put(honest, [subject("x 7")])[0]] == expected


def test_a_problem_with_one_answer_stands_for_the_later_ones(put: Put) -> None:
    subjects = [subject(answer) for answer in ("4", "0", "2", "x")]
    for text, problem in {
        "str(4 / int(answer))": "it raised ZeroDivisionError: division by zero",
        "if answer == '0':\n    while True: pass\nstr(4 / int(answer))": "it took longer than 50 ms",
        "if answer == '0': open('x')\nstr(4 / int(answer))": "it tried to open a file",
    }.items():
        rows = put([text, "bare(answer)", "if answer == '3': raise ValueError\nNone"], subjects)
        assert [told(row[0]) for row in rows] == [("1.0", "")] + [("", problem)] * 3
        assert [row[1].message for row in rows] == ["", "", "", "give the bare number"]


def test_one_call_of_the_library_that_hangs_costs_the_others_nothing(put: Put) -> None:
    texts = ["bare(answer)", "slow(answer)", "starts(answer)", "nothing(answer)", "module(answer)", "bare(question)"]
    rows = put(texts, [subject("1"), subject("slow"), subject("x")])
    assert [told(row[0]) for row in rows] == [("", ""), ("give the bare number", ""), ("give the bare number", "")]
    assert [told(row[1]) for row in rows] == [("", ""), *[("", "it took longer than 50 ms")] * 2]
    assert [row[2].message for row in rows] == ["The answer does not pass a check."] * 2 + [""]
    assert {row[3].problem for row in rows} == {"it raised NameError: name 'nothing' is not defined"}
    assert {row[4].problem for row in rows} == {"it raised KeyError: '1'"}
    assert {row[5].message for row in rows} == {"give the bare number"}


def test_answers_of_any_size_and_number(put: Put) -> None:
    large = Subject(
        question="q" * 9_000_000, answer="a" * 2_000_000 + "end", steps=(Step(index=0, observation="ü" * 5_000_000),)
    )
    subjects = [subject(str(n)) for n in range(600)] + [large, subject("\ud800 \0"), large, subject("")]
    text = "def check(question, answer, steps):\n    return answer[-3:] + steps[-1]['observation'][:1]"
    rows = put([text, "bare(answer)", "if answer == '3': raise ValueError\nNone"], subjects)
    assert [row[0].message for row in rows[:600]] == [str(n)[-3:] for n in range(600)]
    assert [row[0].message for row in rows[600:]] == ["endü", "The answer does not pass a check.", "endü", ""]
    assert {told(row[2]) for row in rows[:3]} == {("", "")}
    assert {told(row[2]) for row in rows[3:]} == {("", "it raised ValueError")}
    assert rows[600][1].message == "give the bare number"


def test_nothing_to_do(put: Put) -> None:
    assert put([], [subject(), subject()]) == [[], []]
    assert put(["True"], []) == []


PURE = [
    "bare(answer)",
    "starts(question, 'how')",
    "len(answer) < 2",
    "answer.upper() if answer.isalpha() else None",
    "import re\n'digits' if re.search('[0-9]', answer) else ''",
    "str(1 / len(answer))",
    "int(answer)",
    "[]",
]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_verdicts_do_not_depend_on_the_order(put: Put, data: st.DataObject) -> None:
    answers = data.draw(st.lists(st.sampled_from(["7", "x", "x 7", "12"]), min_size=1, max_size=5, unique=True))
    checks = data.draw(st.lists(st.sampled_from(PURE), min_size=1, max_size=5, unique=True))
    order, others = data.draw(st.permutations(checks)), data.draw(st.permutations(answers))
    first = put(checks, [subject(a) for a in answers])
    second = put(order, [subject(a) for a in others])
    for c, text in enumerate(checks):
        ours, theirs = ([row[n] for row in rows] for rows, n in ((first, c), (second, order.index(text))))
        if any(x.problem for x in ours):  # which answers come after the first problem is a matter of order
            assert any(x.problem for x in theirs)
            continue
        for a, answer in enumerate(answers):
            assert told(ours[a]) == told(theirs[others.index(answer)])
