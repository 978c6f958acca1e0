"""Predicates that checks may call. Standard library alone: the text of this file runs inside the sandbox.

Each gives the message that asks for another look at an answer, or ``""``. When in doubt they say nothing: a false alarm costs a
right answer, a missed mistake costs what it would have cost anyway. Of a long question the beginning is read, a long answer passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal

LONGEST = 20_000
"""Characters of a question that are read."""
LONGEST_ANSWER = 1_000


def _any_case(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
_PLACES = {word: n for n, word in enumerate(_WORDS)} | {"single": 1, "first": 1, "second": 2, "third": 3, "fourth": 4}
_COUNT = rf"\b(\d{{1,2}}|{'|'.join(_PLACES)})"
_ASKED_PLACES = [
    _any_case(rf"{_COUNT}[\s-]*(?:decimal|digits? (?:after|past|behind|to the right of)|d\.?p\b)"),
    _any_case(rf"\bround(?:ed|ing)?\b[^.\n]{{0,40}}?\bto {_COUNT} places\b"),
    re.compile(r"(?:%|:|\{)\.(\d)f\b"),
]
_AT_LEAST = _any_case(r"(?:at least|minimum(?: of)?|no fewer than|more than)\s+(?:the )?$")
_NEAREST = _any_case(r"\bnearest[\s-]+(integer|whole|unit|tenth|hundredth|thousandth|0?\.0{0,8}1)\b")
_FRACTIONS = {"tenth": 1, "hundredth": 2, "thousandth": 3}
_WHOLE = _any_case(
    r"\bround(?:ed|ing)?\b[^.\n]{0,40}?\b(?:to|as) an? (?:integer|whole number)\b|\b(?:no|without(?: any)?) decimals?\b"
)
_SIGNIFICANT = _any_case(r"\bsignificant (?:figures|digits)\b")
_SHARE = _any_case(r"\s*(?:of (?:an? )?)?(?:percent|per cent|%)")
_NUMBER = r"[-+−]?(?:\d{1,30}(?:\.\d{1,40})?|\.\d{1,40})(?:[eE][-+]?\d{1,3})?"
_NUMBERS = re.compile(rf"(?<![\w.]){_NUMBER}(?!\w|\.\d)")
_ALONE = _any_case(
    r"\b(?:value|number|answer|name|word|result)s? alone\b"
    r"|\b(?:only|just)(?: (?:with|give|return|provide|report|state))? (?:the|a|one) (?:\w+ )?(?:value|number|answer|name|word|result)\b"
    r"|\b(?:value|number|answer|name|word|result)s? only\b"
)
_INTEGER = _any_case(
    r"[\"'”’]\s+(?:is|are|should be|must be)\s+(?:an?\s+)?(?:(?:non-negative|positive|single|whole)\s+)?integers?\b"
    r"(?!\s+(?:column|field|type|variable))"
)
_HOW_MANY = _any_case(r"\bhow (?:many|much)\b")
_NUMERIC = _any_case(
    r"[\"'”’]\s+(?:is|are|should be|must be)\s+(?:an?\s+|the\s+)?(?:[\w-]+\s+){0,2}(?:number|integer|float)s?\b(?!\s+(?:column|field|type|variable))"
    r"|\b(?:answer|give|return|provide|respond|report)\b[^.\n]{0,30}\b(?:an?|as an?) (?:single |whole |decimal )?(?:number|integer|float)\b"
)
_NOT_NUMERIC = _any_case(
    r"\b(?:who|whom|whose|(?<!, )which|where (?:is|was|are|were|did|do|does)|lists? of|name|names|strings?|boolean|in words)\b"
)
_NO_UNITS = _any_case(
    r"\b(?:without|no|omit|drop|exclude|(?:do not|don't) (?:include|use|give|write|add))(?: the| any)? "
    r"(?:\w+ )?(?:units?|symbols?|signs?)\b"
)
_WITH_UNIT = re.compile(
    r"^([$€£¥]?)\s*(" + _NUMBER + r"|\d{1,3}(?:,\d{3})+(?:\.\d+)?)\s*((?:[A-Za-zµ°%Å²³/·^-]+\.? ?){0,3})$"
)
_UNITS = _any_case(r"\bunits?\b")
_MAGNITUDE = _any_case(r"(?:hundred|thousand|million|billion|trillion|st|nd|rd|th|dozen)\b")
_MAY_BE_EMPTY = _any_case(
    r"\b(?:empty|blank|nan|none|null answer|infinity|infinite|lists? of|if any|are there|is there|all of them)\b"
)
_NOTHING = {"", "nan", "none", "null", "inf", "-inf", "infinity", "<na>", "nat"}
_NAMED = _any_case(
    r"(?<![\w/.-])[\w-][\w.+=-]{0,80}\.(?:csv|tsv|xlsx?|jsonl?|parquet|pdf|docx?|pptx?|sqlite|db|wav|mp3|png|jpe?g)\b"
)
_OPENS_ANY = re.compile(r"\b(?:glob|listdir|scandir|iterdir|walk|argv)\b")
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt)(?::|$)")
_FAILED = _any_case(
    r"(?:an? )?(?:unexpected )?(?:error|exception)(?: occurred)?\s*(?:[:\-(]|while|reading|in\b)|traceback \(most"
    r"|(?:[A-Za-z_]\w*\.)*[A-Za-z]\w*(?:Error|Exception):"
)
_TAGGED = re.compile(r"@\w{1,60}\[([^\[\]]*)\]")
_LABEL = _any_case(
    rf"^((?:the )?(?:final )?(?:answer|result|value|output)|[A-Za-z_][\w %()-]{{0,40}}[A-Za-z)_](?=\s*[:=]\s*{_NUMBER}%?$))"
    r"\s*[:=]\s*(\S[^\n]*)$"
)
_SENTENCE = re.compile(
    rf"^(?:[A-Za-z][^\d\n]{{2,200}}?)\s(?:is|are|was|were|equals|be|=)\s+(?:about |approximately |exactly )?({_NUMBER})\s*%?\.?$"
)
_WRAPPINGS = [
    # pattern, a sign that shows this form where it stands in the question, words that ask for it
    (re.compile(r"^\[([^\[\],;]*)\]$"), "[", ("json", "python list")),
    (re.compile(rf"^\(\s*({_NUMBER}|[^(),]*(?=,\s*\))),?\s*\)$"), "(", ("tuple",)),
    (re.compile(r"^\{\s*['\"]?[^'\":{},]+['\"]?\s*:\s*([^,{}:]+)\}$"), "{", ("json", "dict", "object", "mapping")),
    (re.compile(r"^(?:np|numpy)\.\w+\(([^()]*)\)$"), "", ()),
    (re.compile(r"^\"([^\"\n]{1,60})\"$"), "", ("quot", "json")),
    (re.compile(r"^'([^'\n]{1,60})'$"), "", ("quot", "json")),
    (re.compile(r"^`{1,3}([^`]+)`{1,3}$"), "`", ("markdown", "code")),
    (re.compile(r"^(?:\*\*|__)([^*_]+)(?:\*\*|__)$"), "", ("markdown", "bold")),
    (re.compile(r"^\$?\\boxed\{([^{}]*)\}\$?$"), "\\boxed", ("latex",)),
    (_any_case(r"^(?:the )?(?:final |correct )?answer is:? +(\S[^\n]{0,100}?)\.?$"), "", ()),
]
_OPTION = r'"([^"\n]{1,60})"'
_EITHER = _any_case(
    r"(?:\b(?:be|is|as|answer|respond with|reply with|answer with|report|return|output|print|write|state|say|one of|options are)"
    r"(?: either)?(?: be)?)\s*[:(]?\s*"
    r'("[^"\n]{1,60}"(?:\s*,\s*"[^"\n]{1,60}")*\s*,?\s*or\s*"[^"\n]{1,60}")'
    r"(?!\s*(?:columns?|is|are|was|were|has|have|in|than|rows?|fields?|variables?)\b)"
)
_VERB = r"(?:return|output|report|respond with|print|write|say|answer (?:should|must|is to) be|answer)\s*"
_DEPENDS = [
    re.compile(
        rf"{_OPTION}\s+(?:if|when)\b[^\"]{{1,200}}?\b(?:and|or|otherwise|else),?\s*{_OPTION}\s*(?:if|when|otherwise|\.|,|$)"
    ),
    _any_case(rf"{_VERB}{_OPTION}[^\"]{{1,120}}?\b(?:otherwise|else|if)\b[^\"]{{0,80}}?{_VERB}{_OPTION}"),
]
_PAIRS = {
    _any_case(r"\byes\s*(?:/|or)\s*no\b"): ("yes", "no"),
    _any_case(r"\btrue\s*(?:/|or)\s*false\b|\"\s+(?:is|should be) a boolean\b"): ("True", "False"),
}


def rounded_as_asked(question: str, answer: str) -> str:
    """Flags numbers with more decimals than the question asks for; trailing zeros and fewer decimals pass."""
    places = _places(question)
    found = list(_NUMBERS.finditer(answer)) if len(answer) <= LONGEST_ANSWER else []
    if places is None or not found or one_of_options(question, answer):
        return ""  # a number where words were asked for is not mended by rounding it
    long = {match[0]: _decimals(match[0]) for match in found if _decimals(match[0]) > places}
    if not long:
        return ""
    wanted = f"{places} decimal place{'' if places == 1 else 's'}" if places else "a whole number"
    if len(found) == 1:
        given, count = next(iter(long.items()))
        return f"The task asks for {wanted} and the answer has {count}: give {_rounded(given, places)}."
    instead = ", ".join(f"{_rounded(given, places)} for {given}" for given in list(long)[:8])
    return f"The task asks for {wanted if places else 'whole numbers'}: give {instead}."


def bare_value(question: str, answer: str) -> str:
    """Flags an answer that is wrapped: a label, brackets, quotes, a one-item list or dict, markdown, a sentence."""
    text, said = answer.strip(), question[:LONGEST].casefold()
    if not text or len(text) > LONGEST_ANSWER:
        return ""
    alone = bool(_ALONE.search(said))
    tagged = _TAGGED.findall(text)
    if tagged and (alone or "@" not in question):
        return f"Give the value alone, without @name[...] around it, such as: {tagged[0][:200]}"
    for pattern, shown, asked_for in _WRAPPINGS:
        match = pattern.match(text)
        if match and not any(word in said for word in asked_for) and (alone or not shown or shown not in said):
            inner = match[1].strip().strip("'\"")
            if inner:
                return f"Give the value alone, without anything around it: {inner[:200]}"
    label = _LABEL.match(text)
    if label and (alone or label[1].strip().casefold() not in said):
        return f"Give the value alone, without the label before it: {label[2][:200]}"
    sentence = _SENTENCE.match(text) if _asks_number(question) else None
    if sentence:
        return f"Give the number alone, without the words around it: {sentence[1]}"
    return ""


def one_of_options(question: str, answer: str) -> str:
    """Flags an answer in which none of the options stands that the question lists, such as yes or no."""
    options, given = _options(question), f" {_plain(answer[:LONGEST_ANSWER])} "
    if not options or not given.strip() or len(answer) > LONGEST_ANSWER:
        return ""
    if any(f" {_plain(option)} " in given for option in options):
        return ""
    listed = ", ".join(f'"{option}"' for option in options)
    return f"The task asks for one of {listed}; the answer is {answer.strip()[:80]!r}."


def is_number(question: str, answer: str) -> str:
    """Flags an answer without a digit where the question asks for a number, and decimals where it asks for an integer."""
    text = answer.strip()
    if not text or len(text) > LONGEST_ANSWER or not _asks_number(question):
        return ""
    if not re.search(r"\d", text):
        return f"The task asks for a number and the answer is {text[:80]!r}: give the number, in digits."
    if _INTEGER.search(question) and _places(question) is None and re.fullmatch(_NUMBER, text) and _decimals(text):
        return f"The task asks for an integer and the answer is {text}: look again at how it is computed."
    return ""


def without_units(question: str, answer: str) -> str:
    """Flags a unit after (or a currency sign before) the number where the question wants the number without."""
    text, refused = answer.strip(), _NO_UNITS.search(question[:LONGEST])
    wanted = refused or (_asks_number(question) and not _UNITS.search(question[:LONGEST]))
    match = _WITH_UNIT.match(text) if wanted and len(text) <= 80 else None
    if not match or _MAGNITUDE.match(match[3]):
        return ""
    if not refused and (match[1] or not match[3] or match[3].startswith("%")):
        return ""  # signs that readers of numbers pass over
    return f"Give the number alone, without its unit: {match[2]}" if match[1] or match[3] else ""


def not_empty(question: str, answer: str) -> str:
    """Flags nothing at all, nan, None and infinity, unless the question allows for an empty answer."""
    text = answer.strip()
    if text.strip("'\"`[](){} ").casefold() not in _NOTHING or _MAY_BE_EMPTY.search(question[:LONGEST]):
        return ""
    shown = f"is {text[:20]!r}" if text else "is empty"
    return f"The answer {shown}: look at the data that it was computed from and give a value."


def no_traceback(steps: Iterable[Mapping[str, object]], answer: str = "") -> str:
    """Flags an answer after an exception: the last output ends in one, or the code caught one and answered anyway."""
    if _FAILED.match(answer[:LONGEST_ANSWER].strip()):
        return "The answer is the message of an error: correct the code and give what the task asks for."
    for step in list(steps)[-1:]:
        printed = str(step.get("observation", ""))[-LONGEST:].splitlines()
        lines = [line.strip()[:LONGEST_ANSWER] for line in printed if line.strip()]
        if lines and _EXCEPTION.match(lines[-1]):
            return f"The last step ended in an error ({lines[-1][:120]}): correct the code before you answer."
        caught = re.search(r"^\s*except\b", str(step.get("action", "")), re.MULTILINE)
        if caught and any(_FAILED.match(line) for line in lines):
            return "The code caught an error and answered anyway: correct what raises it, then answer."
    return ""


def file_was_read(question: str, steps: Iterable[Mapping[str, object]], files: Iterable[str] = ()) -> str:
    """Flags an answer for which a file that the question names, or all attached ones, stand in no action."""
    actions = "\n".join(str(step.get("action", "")) for step in steps)[:200_000].casefold()
    attached, said = [str(name) for name in files], question.casefold()
    named = [name for name in attached if name.casefold() in said] or (attached or _NAMED.findall(question[:LONGEST]))
    if not named or _OPENS_ANY.search(actions):
        return ""
    unread = [name for name in named if not _named_in(actions, name)]
    optional = bool(attached) and not any(name.casefold() in said for name in attached)
    if not unread or (optional and len(unread) < len(named)):
        return ""
    return f"No step read {unread[0]!r}: open it and compute the answer from what it holds."


def within(question: str, answer: str, low: float, high: float, when: str = "") -> str:
    """Flags a number outside low..high, both included; with `when`, only where that word stands in the question.

    Args:
        low: least value that makes sense.
        high: largest one.
        when: a word or words, such as ``p-value``; spaces, hyphens and underscores count as the same.
    """
    number = re.fullmatch(_NUMBER, answer[:LONGEST_ANSWER].strip())
    if not number or not _stands(when, question) or _HOW_MANY.search(question[:LONGEST]):
        return ""
    if low <= float(_ascii(number[0])) <= high:
        return ""
    subject = f"A {when}" if when else "The answer"
    return f"{subject} lies between {low} and {high} and the answer is {number[0]}: compute it again."


def matches(question: str, answer: str, pattern: str, say: str = "", when: str = "") -> str:
    """Flags an answer that is not, as a whole, what the regular expression describes; says `say`."""
    if not _stands(when, question) or re.fullmatch(pattern, answer.strip()):
        return ""
    return say or f"The answer does not have the form that the task asks for ({pattern})."


def item_count(question: str, answer: str, n: int, when: str = "") -> str:
    """Flags a list, separated by commas or semicolons, of other than n items."""
    text = answer[: 10 * LONGEST_ANSWER].strip().strip("[](){}")
    cuts = (r"[,;]", r";|,(?!\d{3}(?!\d))", ";")
    counts = {sum(bool(part.strip()) for part in re.split(cut, text)) for cut in cuts}
    if not _stands(when, question) or n in counts:
        return ""
    return f"The task asks for {n} value{'' if n == 1 else 's'} and the answer has {max(counts)}."


def _places(question: str) -> int | None:
    """Decimal places asked for, the most where several are; None where none are or where that is not certain."""
    text = question[:LONGEST]
    if _SIGNIFICANT.search(text):
        return None
    found = [0] if _WHOLE.search(text) else []
    for match in (match for pattern in _ASKED_PLACES for match in pattern.finditer(text)):
        if _AT_LEAST.search(text[max(0, match.start() - 30) : match.start()]):
            return None
        word = match[1].lower()
        found.append(int(word) if word.isdigit() else _PLACES[word])
    for match in _NEAREST.finditer(text):
        if _SHARE.match(text, match.end()):
            return None
        word = match[1].lower()
        found.append(len(word.split(".")[1]) if "." in word else _FRACTIONS.get(word, 0))
    return max(found, default=None)


def _ascii(number: str) -> str:
    return number.replace("−", "-")


def _decimals(number: str) -> int:
    exponent = Decimal(_ascii(number)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _rounded(number: str, places: int) -> str:
    return f"{round(float(_ascii(number)), places) + 0.0:.{places}f}"


def _asks_number(question: str) -> bool:
    """Whether the question asks for one number and for nothing in words."""
    text = question[:LONGEST]
    asked = _HOW_MANY.search(text) or _NUMERIC.search(text)
    return bool(asked) and not _NOT_NUMERIC.search(text) and not _options(text)


def _options(question: str) -> list[str]:
    """The answers that a question lists, each once; empty where it lists none."""
    text = re.sub(r"(?<!\w)['‘]([^'‘’\"\n]{1,60})['’](?!\w)", r'"\1"', re.sub("[“”]", '"', question[:LONGEST]))
    found = [option for match in _EITHER.finditer(text) for option in re.findall(_OPTION, match[1])]
    found += [option for pattern in _DEPENDS for match in pattern.finditer(text) for option in match.groups()]
    found += [option for pattern, pair in _PAIRS.items() if pattern.search(text) for option in pair]
    return list({_plain(option): option.strip() for option in reversed(found) if _plain(option)}.values())[::-1]


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def _stands(words: str, question: str) -> bool:
    return f" {_plain(words)} " in f" {_plain(question)} " if _plain(words) else True


def _named_in(actions: str, name: str) -> bool:
    """Whether the file's name, its ending aside, stands in the code; a short one must stand there as a word."""
    stem = name.rsplit("/", 1)[-1].rsplit(".", 1)[0].casefold()
    return stem in actions if len(stem) > 3 else re.search(rf"(?<!\w){re.escape(stem)}(?!\w)", actions) is not None
