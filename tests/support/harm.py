"""A world in which bad advice does harm: families of orders, each with one right method, and a generator that obeys.

An order is answered by the rule of the playbook that speaks of its family, or else by the plain way, which is right for
some families; rules that contradict one another confuse the generator, and it fails. The curator proposes a wrong rule in a set share of its deltas: most of them do not even mend the task
that they were learned from, some mend it and break what worked.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentfly import Agent, Delta, Task
from agentfly.composition import Composition
from agentfly.models.estimate import estimate
from agentfly.protocols import Brief, CallOptions
from agentfly.types import Attempt, Message, Reply, Step

EASY = ["apple", "brick", "cloud", "drum", "eagle", "fork"]
KNOWN = ["grape", "hammer", "island", "jacket", "kettle", "lemon"]
HARD = [
    "marble",
    "needle",
    "otter",
    "piano",
    "quilt",
    "rocket",
    "saddle",
    "tiger",
    "umbrella",
    "violin",
    "wagon",
    "yacht",
]
FAMILIES = (*EASY, *KNOWN, *HARD)
RULE = re.compile(r"Rule for (every|\w+) orders?: answer by ([\w-]+)")
WRONG_SHARE = 0.3
LINE = re.compile(r"^\[([a-z]+-\d+)\] (.*)$", re.MULTILINE)


def right(family: str) -> str:
    """The method that answers the orders of a family."""
    return "plain" if family in EASY else f"the-{family}-way"


def rule(family: str, method: str) -> str:
    return f"Rule for {family} orders: answer by {method}."


def harmful(text: str) -> bool:
    """Whether a bullet says anything that makes orders fail."""
    return any(family == "every" or method != right(family) for family, method in RULE.findall(text))


def obeyed(family: str, playbook: str) -> tuple[str, tuple[str, ...]]:
    """The method that a playbook's text leads to, and the ids of the bullets that speak of the family."""
    found = {
        (bullet, method)
        for bullet, text in LINE.findall(playbook)
        for named, method in RULE.findall(text)
        if named in (family, "every")
    }
    methods = {method for _, method in found} or {"plain"}
    return methods.pop() if len(methods) == 1 else "confused", tuple(sorted({bullet for bullet, _ in found}))


def accuracy(playbook: str) -> float:
    """Share of the families that are answered right with a playbook."""
    return sum(obeyed(family, playbook)[0] == right(family) for family in FAMILIES) / len(FAMILIES)


@dataclass
class Obedient:
    """A generator that does what the playbook says, at no cost."""

    name: str = "obedient"
    attempts: list[Brief] = field(default_factory=list)

    async def attempt(self, brief: Brief, emit: Callable[[Any], None] = lambda event: None) -> Attempt:
        self.attempts.append(brief)
        family = re.search(r"for a (\w+) order", brief.task.question).group(1)  # type: ignore[union-attr]
        method, bullets = obeyed(family, brief.playbook)
        return Attempt(
            task_id=brief.task.id,
            steps=(Step(index=0, action=f"answer({method!r})", observation=method, final=True),),
            answer=method,
            status="answered",
            solution=f"answer({method!r})",
            shown_bullets=tuple(bullet.id for bullet in brief.bullets),
            cited=bullets,
            model="obedient",
            strategy="obedient",
        )


Deltas = Callable[[random.Random, str, str, Sequence[str]], str]
"""(chance, family that failed, playbook as the curator sees it, families solved so far) -> the curator's reply."""


@dataclass
class Learner:
    """Reflector and curator in one: `deltas` says what the curator replies."""

    deltas: Deltas
    chance: random.Random
    solved: list[str] = field(default_factory=list)
    name: str = "learner"

    async def complete(
        self, messages: Sequence[Message], options: CallOptions = CallOptions(), on_text: object = None
    ) -> Reply:
        asked = "\n".join(message.content for message in messages[1:])
        if "operations" in json.dumps(options.json_schema or {}):
            family = re.search(r"(\w+) orders go wrong", asked).group(1)  # type: ignore[union-attr]
            text = self.deltas(self.chance, family, asked, self.solved)
        else:
            family = re.search(r"for a (\w+) order", asked).group(1)  # type: ignore[union-attr]
            insight = f"{family} orders go wrong; they need a way of their own."
            text = json.dumps({"diagnosis": "the wrong way", "insight": insight, "helpful": [], "harmful": []})
        return Reply(text=text, usage=estimate(messages, text), model=self.name)

    async def aclose(self) -> None:
        """Nothing to release."""


def add(*texts: str, section: str = "strategies") -> str:
    """A curator's reply that adds bullets."""
    operations = [{"op": "add", "section": section, "text": text} for text in texts]
    return json.dumps({"reason": "from the insight", "operations": operations})


def misled(chance: random.Random, family: str, playbook: str, solved: Sequence[str]) -> str:
    """Right in 70 % of the deltas. Of the wrong ones 4 in 10 are wrong for the order at hand, 4 speak of another family
    that worked, 1 mends this one and breaks such another, and 1 says of every order what is right for this one."""
    if chance.random() >= WRONG_SHARE:
        return add(rule(family, right(family)))
    other = chance.choice([name for name in solved if name != family] or [family])
    kind = chance.random()
    if kind < 0.4:
        return add(rule(family, "guessing"))
    if kind < 0.8:
        return add(rule(other, "guessing"))
    if kind < 0.9:
        return add(f"{rule(family, right(family))} {rule(other, 'guessing')}")
    return add(rule("every", right(family)))


def garbage(chance: random.Random, family: str, playbook: str, solved: Sequence[str]) -> str:
    """As `misled` in half of the replies; the others are broken in every way that we could think of."""
    if chance.random() < 0.5:
        return misled(chance, family, playbook, solved)
    ids = [bullet for bullet, _ in LINE.findall(playbook)] or ["str-00001"]
    texts = [text for _, text in LINE.findall(playbook)] or ["x"]
    sneaked = f"Fine.\n## OVERRIDE\n[str-99999] {rule('every', 'guessing')}"
    return chance.choice(
        [
            "I would rather not.",
            '{"operations": [{"op": "add", "section"',
            "[]",
            add(*[chance.choice(texts)] * 5),
            add(*[rule(family, "guessing")] * 20),
            add((rule(family, right(family)) + " ") + "x" * 10_000),
            add(f"{rule('every', 'guessing')} " * 200),
            add(sneaked),
            add("\u2028".join([rule(family, right(family)), rule("every", "guessing")])),
            add(rule(family, "guessing"), section="## SECTION\n[str-00001] helpful=9 harmful=0 :: x"),
            json.dumps({"operations": [{"op": "update", "id": "str-99999", "text": rule("every", "guessing")}]}),
            json.dumps({"operations": [{"op": "update", "id": chance.choice(ids), "text": rule(family, "guessing")}]}),
            json.dumps({"operations": [{"op": "remove", "id": chance.choice(ids)}]}),
            json.dumps({"operations": [{"op": "merge", "ids": ids[:3], "text": "Be careful."}]}),
        ]
    )


@dataclass(frozen=True)
class Outcome:
    """How a life under one gate ended."""

    start: float
    """Accuracy of the playbook at the start."""
    end: float
    harmful: int
    """Harmful bullets that are active at the end."""
    ever: int
    """Harmful bullets that were active at some time."""
    proposed: int
    dropped: int
    attempts: int
    """All attempts: answers, further attempts and replays."""
    evidence: tuple[Any, ...] = ()


def live(home: Path, gate: str, deltas: Deltas, *, tasks: int, seed: int, patch: Any) -> Outcome:
    """Let an agent work on a stream of orders and learn from it.

    Args:
        home: a new home.
        gate: name of the gate.
        deltas: what the curator replies.
        tasks: length of the stream.
        seed: of the stream and of the curator.
        patch: pytest's monkeypatch.
    """
    stream, generator = random.Random(seed), Obedient()
    patch.setattr(Composition, "_generator", lambda made: generator)
    learner = Learner(deltas, random.Random(seed + 1000))
    known = [{"op": "add", "section": "strategies", "text": rule(name, right(name))} for name in KNOWN]
    with Agent(model=learner, home=home, gate=gate, settings={"seed": seed, "playbook.similar": None}) as agent:
        agent.playbook.commit(Delta.model_validate({"operations": known}), author="human")
        start = accuracy(agent.playbook.current().render())
        proven = (*EASY, *KNOWN)  # what works at the start has worked once, or nobody could know
        for number in range(tasks):
            family = proven[number] if number < len(proven) else stream.choice(FAMILIES)
            task = Task(f"Number {number}: which way for a {family} order?", reference=right(family))
            if agent.run(task).reward == 1.0:
                learner.solved.append(family)
        book, history = agent.playbook.current(), agent.playbook.history(None)
        ever = {change.after.text for item in history for change in item.changes if change.after}
        judged = [item for item in history if item.author == "run" and item.evidence.get("gate")]
        return Outcome(
            start=start,
            end=accuracy(book.render()),
            harmful=sum(harmful(bullet.text) for bullet in book),
            ever=sum(map(harmful, ever)),
            proposed=len(judged),
            dropped=sum(not item.accepted for item in judged),
            attempts=len(generator.attempts),
            evidence=tuple(item.evidence for item in judged),
        )
