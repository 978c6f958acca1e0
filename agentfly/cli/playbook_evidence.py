"""What the record of runs and the history of the playbook say of its bullets, gathered for one command and put in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentfly.cli.home import opened
from agentfly.cli.text import count, one_line

if TYPE_CHECKING:
    from agentfly.playbooks.credit import Arm, Asked, Credit, Lift
    from agentfly.playbooks.playbook import Playbook
    from agentfly.playbooks.rows import Revision
    from agentfly.types import Bullet

STANDING = ("wrong", "caught", "right", "alarms")
_NAMED = 3
"""How many of a kind are named: of the others the number. What flipped is always named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """How a bullet came to say what it says."""

    author: str
    """Who brought it in; see `Revision.author`."""
    standing: Mapping[str, int] | None
    """Of a check: how many of the ``wrong`` answers on the record it had ``caught`` when it was admitted, and on how many of
    the ``right`` ones it had raised ``alarms``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of bullets, by id."""

    credits: Mapping[str, Credit]
    origins: Mapping[str, Origin]

    def credit(self, bullet: Bullet) -> Credit:
        """Its credit; of no runs where the record does not know it."""
        from agentfly.playbooks.credit import Credit

        return self.credits.get(bullet.id) or Credit()


def gather(home: Path | None) -> tuple[Playbook, Evidence]:
    """The playbook, and what is known of its bullets.

    Raises:
        HomeError: there is no home, or it cannot be used.
    """
    with opened(home) as place:
        from agentfly.playbooks.credit import credited, reworded
        from agentfly.playbooks.ledger import PlaybookLedger
        from agentfly.store.runs import RunStore

        ledger = PlaybookLedger(place.db, place.playbook)
        book, kept = ledger.current(), ledger.history(None, dropped=False)[::-1]
        credits = credited(RunStore(place.db).exposures(), reworded(kept))
        return book, Evidence(credits=credits, origins=origins(kept))


def origins(revisions: Sequence[Revision]) -> dict[str, Origin]:
    """How each bullet came to say what it says, by id.

    Args:
        revisions: what was kept, oldest first.
    """
    found, said = dict[str, Origin](), dict[str, str]()
    for revision in revisions:
        for change in revision.changes:
            if change.after is not None and said.get(change.id) != change.after.text:
                said[change.id] = change.after.text
                author = found[change.id].author if change.id in found else revision.author
                found[change.id] = Origin(author=author, standing=standing(revision.evidence))
    return found


def standing(evidence: Mapping[str, Any]) -> dict[str, int] | None:
    """How a check stood on the record when it was decided on; None where that was not measured."""
    figures = evidence.get("standing")
    if not isinstance(figures, Mapping) or not all(isinstance(figures.get(name), int) for name in STANDING):
        return None
    return {name: figures[name] for name in STANDING}


def as_data(bullet: Bullet, evidence: Evidence) -> dict[str, Any]:
    """A bullet with its evidence, as plain data; what is not known is null."""
    from agentfly.records import to_data

    credit, origin = evidence.credit(bullet), evidence.origins.get(bullet.id)
    known: dict[str, Any] = {
        "shown": credit.shown,
        "cited": credit.cited,
        "with": _arm(credit.used),
        "without": _arm(credit.without),
        "lift": to_data(credit.lift) if credit.lift else None,
        "author": origin.author if origin else None,
    }
    if bullet.kind == "check":
        known |= {"standing": origin.standing if origin else None, "asked": to_data(credit.asked)}
    return {**to_data(bullet), "evidence": known}


def _arm(arm: Arm) -> dict[str, Any]:
    return {"runs": arm.runs, "reward": arm.reward, "mean": arm.mean}


def in_words(bullet: Bullet, origin: Origin | None) -> str:
    """Where a bullet comes from."""
    if bullet.runs:
        more = f" and {len(bullet.runs) - 1} more" if len(bullet.runs) > 1 else ""
        return f"from run {one_line(bullet.runs[-1])}{more}, version {bullet.version}"
    by = {"human": "by a person", "import": "imported", "refine": "merged"}.get(origin.author if origin else "", "")
    return ", ".join(filter(None, (by, f"version {bullet.version}")))


def exposure(credit: Credit, kind: str) -> str:
    """How often a bullet was there and named, and what runs earned with and without it."""
    there = "in force" if kind == "check" else "shown"
    parts = [f"{there} {credit.shown:,}"] + ([] if kind == "check" else [f"cited {credit.cited:,}"])
    arms = [f"with it {_mean(credit.used)}"] if credit.used.runs else []
    arms += [f"without {_mean(credit.without)}"] if credit.without.runs else []
    return " · ".join([*parts, ", ".join(arms)] if arms else parts)


def _mean(arm: Arm) -> str:
    return f"{arm.mean or 0.0:.2f} in {count(arm.runs, 'run')}"


def effect(lift: Lift) -> str:
    """A lift with what is known of it."""
    return f"lift {lift.estimate:+.2f} (95 %: {lift.low:+.2f} to {lift.high:+.2f}), helps: {_percent(lift.helps)}"


def unknown(bullet: Bullet, credit: Credit) -> str:
    """Why there is no estimate of a lift."""
    if not bullet.runs:
        return "never left out, because no run is its source"
    return "not left out yet" if credit.shown and not credit.without.runs else "not used yet"


def _percent(probability: float) -> str:
    if 0.01 <= probability <= 0.99:
        return f"{probability:.0%}".replace("%", " %")
    return "> 99 %" if probability > 0.5 else "< 1 %"


def measured(figures: Mapping[str, int]) -> str:
    """How a check stood on the record."""
    wrong = f"{figures['caught']:,} of {count(figures['wrong'], 'wrong answer')}"
    return f"flags {wrong}, {figures['alarms']:,} of {figures['right']:,} right {'one' if figures['right'] == 1 else 'ones'}"


def questions(asked: Asked) -> str:
    """What came of the times that a check asked another look at an answer."""
    if not asked.times:
        return "has not asked another look at an answer yet"
    named = (
        (asked.wrong, "wrong", asked.mended, "mended"),
        (asked.right, "right", asked.spoiled, "spoiled"),
        (asked.unknown, "not known", 0, ""),
    )
    told = [f"{many:,} {what}" + (f" ({then:,} {came})" if then else "") for many, what, then, came in named if many]
    return f"asked another look at {count(asked.times, 'answer')}: {', '.join(told)}"


def grounds(evidence: Mapping[str, Any]) -> Iterator[str]:
    """What a change of the playbook rests on, one line each. What is not known here is passed over."""
    yield from filter(None, (_decision(evidence), _replays(evidence.get("replays")), _support(evidence)))
    figures = standing(evidence)
    if figures:
        yield f"on the record: {measured(figures)}"
    for key, word in (("refined", "merged"), ("merged", "merged"), ("refusals", "left out")):
        lines = _texts(evidence.get(key))
        yield from (f"{word}: {line}" for line in lines[:_NAMED])
        if len(lines) > _NAMED:
            yield f"{word}: {len(lines) - _NAMED:,} more"
    renamed = evidence.get("renamed")
    if renamed and isinstance(renamed, Mapping):
        yield "renamed: " + _listed([one_line(f"{old} is {new}") for old, new in renamed.items()])


def _decision(evidence: Mapping[str, Any]) -> str:
    parts = [f"gate {one_line(str(evidence['gate']))}"] if evidence.get("gate") else []
    before, after = evidence.get("before"), evidence.get("after")
    if isinstance(before, int | float):
        listed = after if isinstance(after, list) else []
        rewards = [f"{reward:.2f}" for reward in listed if isinstance(reward, int | float)]
        source = evidence.get("source")
        parts.append(
            f"reward {before:.2f}"
            + (f" → {', '.join(rewards)}" if rewards else "")
            + (f" ({one_line(str(source))})" if source else "")
        )
    attempts = _texts(evidence.get("attempts"))
    if attempts:
        parts.append(f"{'attempt' if len(attempts) == 1 else 'attempts'} {_listed(attempts)}")
    return " · ".join(parts)


def _replays(replays: object) -> str:
    """What became of the past successes that were tried again."""
    found = dict[str, list[str]]()
    for one in replays if isinstance(replays, list) else ():
        if isinstance(one, Mapping):
            found.setdefault(one_line(str(one.get("outcome", "?"))), []).append(one_line(str(one.get("run", "?"))))
    told = (
        f"{len(runs)} {outcome} ({', '.join(runs) if outcome == 'flipped' else _listed(runs)})"
        for outcome, runs in sorted(
            found.items(), key=lambda item: ("held", "flipped", "noise", item[0]).index(item[0])
        )
    )
    text = ", ".join(told)
    return f"tried again: {text}" if text else ""


def _support(evidence: Mapping[str, Any]) -> str:
    """How many reflections asked for a change, of those that were curated together."""
    support, runs = evidence.get("support"), _texts(evidence.get("because"))
    if not isinstance(support, int):
        return ""
    return f"asked for by {count(support, 'run')}" + (f": {_listed(runs)}" if runs else "")


def _texts(value: object) -> list[str]:
    return [one_line(str(line)) for line in value] if isinstance(value, list | tuple) else []


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
