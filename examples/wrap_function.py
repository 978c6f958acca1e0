"""A plain function that gets better: it sorts letters to teams, and knows nothing but what is put before it.

    python examples/wrap_function.py [--home DIR]

Needs no model and no network: cases alone are learned. The function answers unseen letters before and after learning from
others; see docs/wrapping.md.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

import agentfly
from agentfly import Plan, Task
from agentfly.errors import UserError

LETTERS = {
    "billing": (
        "I was charged twice on my last invoice.",
        "The invoice shows a wrong amount for March.",
        "Please refund the payment that was charged by mistake.",
        "My card was charged although I cancelled the subscription.",
        "Why is the amount on the invoice higher than last month?",
        "I want a refund for the second payment.",
    ),
    "shipping": (
        "My parcel has not arrived after two weeks.",
        "The courier left the parcel at the wrong address.",
        "When will the delivery of my order arrive?",
        "The delivery was late and the parcel was damaged.",
        "Please change the delivery address of my order.",
        "The courier says that my parcel was returned.",
    ),
    "accounts": (
        "I forgot my password and cannot log in.",
        "Please reset the password of my account.",
        "My account is locked after three log in attempts.",
        "I cannot log in since I changed my email.",
        "How do I delete my account and my email address?",
        "The link to reset my password does not work.",
    ),
    "press": (
        "I am a journalist and would like an interview.",
        "May our magazine print a photo of your founder?",
        "Our newspaper would like a statement by tomorrow.",
        "I write an article and have questions for your founder.",
        "Can a journalist visit your office for an article?",
        "Please send a photo and a statement for our magazine.",
    ),
}
QUESTION = "Which team answers this letter? {}"
UNSEEN = 2
"""Letters of each team that are never learned from."""
_EXAMPLE = re.compile(r"Solved example \[[^\]]+\]: (.+)\n(?:.*\n)*?Answer: (.+)")


def sort_letter(question: str, context: str = "") -> str:
    """The team of the solved example that shares the most words with the question; `unknown` without one.

    It stands for any function of your own: agentfly only sees that it takes a question and, since it asks for one, a context.
    """
    known = [(len(words(question) & words(text)), answer.strip()) for text, answer in _EXAMPLE.findall(context)]
    return max(known, default=(0, "unknown"))[1]


def words(text: str) -> set[str]:
    """The words of a text that say something."""
    return {
        word for word in re.findall(r"[a-z]{4,}", text.lower()) if word not in {"which", "team", "answers", "letter"}
    }


def tasks(team: str, letters: tuple[str, ...]) -> list[Task]:
    return [Task(QUESTION.format(letter), reference=team) for letter in letters]


LEARN = [task for team, letters in LETTERS.items() for task in tasks(team, letters[:-UNSEEN])]
TEST = [task for team, letters in LETTERS.items() for task in tasks(team, letters[-UNSEEN:])]


def main() -> int:
    """Learn, and print what that was worth."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--home", type=Path, help="where to keep what is learned; by default nowhere")
    home = parser.parse_args().home
    with tempfile.TemporaryDirectory() as folder:
        settings = {"learning.strategies": False, "learning.checks": False}
        try:
            with agentfly.wrap(sort_letter, home or folder, settings=settings) as learner:
                done = learner.learn_tasks(LEARN, test=TEST, plan=Plan(window=4))
                base, test = done.report.base, done.report.test
                print(f"before learning: {base.correct} of {base.total} unseen letters right")
                print(f"after {done.report.learned} letters: {test.correct} of {test.total} right")
                result = learner.run(TEST[0].question, learn=False)
                print(f"{TEST[0].question} -> {result.answer}, with {len(result.recalled)} cases in view")
        except UserError as error:
            print(f"wrap_function: {error}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
