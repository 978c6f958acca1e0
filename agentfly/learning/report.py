"""What came of learning over a dataset, from what is on record: finished, interrupted or still going on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agentfly.config import Settings
from agentfly.errors import InputError
from agentfly.learning.curves import Block, Validation, blocks
from agentfly.learning.tallies import Comparison, Cost, Flip, LevelScore, Score, by_level, compare, cost, score
from agentfly.records import to_data
from agentfly.store.adaptations import AdaptationRecord, AdaptationStore, Sample, Stage
from agentfly.store.runs import RunStore

BASE, LEARN, VALIDATE, TEST = "base", "learn", "validate", "test"
UNFINISHED = "unfinished"
ALWAYS = ("gate", "policy", "feedback", "explore")
"""Settings that are told even where nobody changed them."""
PRIVATE = frozenset({"model", "strategy", "api_base", "tools.searxng", "mcp.config", "embedded.weights"})
"""Settings that are not told: those told elsewhere, addresses and paths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One part of a course: ``base``, ``learn``, ``validate``, ``test``, or ``test:`` with what was shown."""

    name: str
    planned: int | None
    """Samples that it has when it is done; None where that depends on how learning goes."""
    score: Score
    """Of learning: of first answers. Of validation: of all validations together."""
    cost: Cost
    levels: tuple[LevelScore, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What the home held when so many samples had been learned from."""

    samples: int
    epoch: int
    cases: int
    bullets: int
    """Without checks."""
    checks: int
    version: int
    """Of the playbook."""
    kept: int
    """Changes of the playbook that were kept in this window."""
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """All of learning, and what it cost per sample learned from."""

    samples: int
    tokens_per_sample: float
    """Everything that the learning samples used, reflections, curation and the gate's attempts included."""
    tokens_per_sample_validated: float
    """The same with the validations."""
    seconds_per_sample: float
    calls_per_sample: float
    cost_usd_per_sample: float
    attempts: int
    """Tries at all tasks together."""
    solved_by_further_attempts: int
    """Samples whose first answer was not right, and a further attempt's was."""
    repaired: int
    """Samples whose first answer was not right, and one small edit of a solution was."""
    kept: int
    """Changes of the playbook that were kept."""
    dropped: int
    cases: int
    """That the samples left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of a course of learning. `contract` gives it as JSON."""

    id: str
    mode: str
    model: str
    strategy: str
    seed: int
    plan: Mapping[str, Any]
    """Epochs, window, order and the like."""
    settings: Mapping[str, Any]
    """The agent's, by dotted names: those that differ from their defaults, and a few that always matter."""
    tasks: Mapping[str, int]
    """How many there were to ``learn`` from, to ``validate`` and to ``test`` on."""
    started: float
    """Seconds since the epoch."""
    finished: float | None
    """None where it is not finished."""
    reason: str
    """Why it ended: ``done``, ``early``, ``budget``; or ``unfinished``."""
    seconds: float | None
    """That learning took, base and test not counted, however often it was interrupted; None where that is not on record."""
    notices: tuple[str, ...]
    learned: int
    """Samples learned from."""
    kept: int | None
    """Samples that the version which was kept had learned from, 0 for the home as it was; None while that is not decided."""
    base: Score
    """Before learning, on the test tasks."""
    test: Score
    """After learning, with everything that was learned."""
    comparison: Comparison | None
    """Test against base; None where there are no test tasks in both yet."""
    ablations: tuple[Comparison, ...]
    """The same for each choice of what was shown."""
    validations: tuple[Validation, ...]
    blocks: tuple[Block, ...]
    phases: tuple[Phase, ...]
    learning: Learning
    growth: tuple[Growth, ...]
    samples: tuple[Sample, ...] = field(repr=False)


def report(store: AdaptationStore, id: str, runs: RunStore | None = None) -> Report:
    """What is on record of a course.

    Args:
        store: where it is on record.
        id: of the course.
        runs: where the tasks that flipped are looked up, so that the report has their questions and right answers.

    Raises:
        InputError: there is none of that id.
    """
    found = summary(store.show(id), store.samples(id), store.stages(id))
    if runs is None:
        return found
    main = found.comparison
    return replace(
        found,
        comparison=main and _looked_up(main, runs),
        ablations=tuple(_looked_up(one, runs) for one in found.ablations),
    )


def _looked_up(found: Comparison, runs: RunStore) -> Comparison:
    gained, lost = (tuple(_asked(flip, runs) for flip in flips) for flips in (found.gained, found.lost))
    return replace(found, gained=gained, lost=lost)


def _asked(flip: Flip, runs: RunStore) -> Flip:
    try:
        task = runs.show(flip.after_run).task
    except InputError:  # the run was taken out of the record
        return flip
    return replace(flip, question=task.question, reference=task.reference)


def contract(found: Report) -> dict[str, Any]:
    """A report as the JSON object that commands print."""
    return to_data(found)  # type: ignore[no-any-return]


def summary(record: AdaptationRecord, samples: Sequence[Sample], stages: Sequence[Stage]) -> Report:
    """As `report`, from the records themselves."""
    plan, outcome, phases = record.plan, record.outcome, _phases(samples, record.plan)
    learning = phases.get(LEARN, [])
    kept = _kept(record, len(learning))
    base = phases.get(BASE, [])
    compared = [compare(name, base, phases[name]) for name in phases if name.partition(":")[0] == TEST and base]
    return Report(
        id=record.id,
        mode=plan.get("mode", ""),
        model=plan.get("model", ""),
        strategy=plan.get("strategy", ""),
        seed=plan.get("seed", 0),
        plan={
            name: plan[name] for name in plan if name not in ("settings", "tasks", "model", "strategy", "mode", "seed")
        },
        settings=told(plan.get("settings", {})),
        tasks=dict(plan.get("tasks", {})),
        started=record.created,
        finished=record.finished,
        reason=outcome.get("reason", "done") if record.finished else UNFINISHED,
        seconds=outcome.get("seconds"),
        notices=(*_ending(record).get("notices", ()), *_remarks(phases)),
        learned=len(learning),
        kept=kept,
        base=score(base),
        test=score(phases.get(TEST, [])),
        comparison=next((one for one in compared if one.phase == TEST and one.tasks), None),
        ablations=tuple(one for one in compared if one.phase != TEST and one.tasks),
        validations=tuple(_validations(phases.get(VALIDATE, []), kept)),
        blocks=blocks(learning),
        phases=tuple(_phase(name, group, plan, done=bool(record.finished)) for name, group in phases.items()),
        learning=_learning(learning, phases.get(VALIDATE, []), stages),
        growth=tuple(_growth(stage) for stage in sorted(stages, key=lambda stage: stage.samples)),
        samples=tuple(sample for group in phases.values() for sample in group),
    )


def _phases(samples: Sequence[Sample], plan: Mapping[str, Any]) -> dict[str, list[Sample]]:
    """Samples by phase, the phases and the samples in the order in which they are worked on."""
    found: dict[str, list[Sample]] = {}
    for sample in sorted(samples, key=lambda one: (one.epoch, one.place)):
        found.setdefault(sample.phase, []).append(sample)
    tried = [f"{TEST}:{'+'.join(parts) or 'nothing'}" for parts in plan.get("ablations", ())]
    order = dict.fromkeys((BASE, LEARN, VALIDATE, TEST, *tried, *sorted(found)))
    return {name: found[name] for name in order if name in found}


def _phase(name: str, samples: Sequence[Sample], plan: Mapping[str, Any], *, done: bool) -> Phase:
    tasks = plan.get("tasks", {})
    planned = None
    if name == BASE or name.partition(":")[0] == TEST:
        planned = tasks.get(TEST)
    elif name == LEARN and not done:
        planned = tasks.get(LEARN, 0) * plan.get("epochs", 1)
    return Phase(name=name, planned=planned, score=score(samples), cost=cost(samples), levels=by_level(samples))


def _validations(samples: Sequence[Sample], kept: int | None) -> Iterator[Validation]:
    """One for each number of samples learned, which validation samples have in place of an epoch."""
    for learned in sorted({sample.epoch for sample in samples}):
        group = [sample for sample in samples if sample.epoch == learned]
        yield Validation(samples=learned, score=score(group), kept=kept == learned)


def _ending(record: AdaptationRecord) -> Mapping[str, Any]:
    """How learning ended; nothing while it goes on. The tests that follow may still be missing."""
    ending: Mapping[str, Any] = record.outcome if record.finished else record.outcome.get("ending", {})
    return ending


def _kept(record: AdaptationRecord, learned: int) -> int | None:
    ending = _ending(record)
    if not ending:
        return None
    kept = ending.get("kept")
    return learned if kept is None else int(kept)


def _learning(samples: Sequence[Sample], validation: Sequence[Sample], stages: Sequence[Stage]) -> Learning:
    spent, number = cost(samples), max(1, len(samples))
    return Learning(
        samples=len(samples),
        tokens_per_sample=spent.tokens / number,
        tokens_per_sample_validated=(spent.tokens + cost(validation).tokens) / number,
        seconds_per_sample=spent.seconds / number,
        calls_per_sample=spent.usage.calls / number,
        cost_usd_per_sample=spent.usage.cost_usd / number,
        attempts=sum(sample.attempts for sample in samples),
        solved_by_further_attempts=sum(sample.solved and not (sample.correct or sample.mended) for sample in samples),
        repaired=sum(bool(sample.mended) and not sample.correct for sample in samples),
        kept=sum(stage.kept for stage in stages),
        dropped=sum(stage.dropped for stage in stages),
        cases=len({case for sample in samples for case in sample.cases}),
    )


def _growth(stage: Stage) -> Growth:
    return Growth(
        samples=stage.samples,
        epoch=stage.epoch,
        cases=stage.cases,
        bullets=stage.bullets,
        checks=stage.checks,
        version=stage.version,
        kept=stage.kept,
        dropped=stage.dropped,
    )


def told(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that matter, by dotted names."""
    usual, given = dict(_dotted(Settings().model_dump(mode="json"))), dict(_dotted(settings))
    return {
        name: value
        for name, value in given.items()
        if name not in PRIVATE and (name in ALWAYS or value != usual.get(name))
    }


def _dotted(tree: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{before}{name}.")
        else:
            yield before + name, value


def _remarks(phases: Mapping[str, Sequence[Sample]]) -> Iterator[str]:
    """What a reader of the figures has to know."""
    for name, samples in phases.items():
        unjudged = sum(sample.verdict == "unjudged" for sample in samples)
        if unjudged:
            yield f"{name}: nobody judged {unjudged} of {len(samples)} answers; they count as not right"
