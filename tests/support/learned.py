"""Courses of learning put on record by hand, in a real home."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentfly.config import Settings
from agentfly.store.adaptations import AdaptationStore, Sample, Stage
from agentfly.store.home import Home
from agentfly.types import Usage


def sample(phase: str, place: int, right: bool = True, **fields: Any) -> Sample:
    """A sample with 100 prompt tokens, 10 completion tokens and one call in two seconds, unless told otherwise."""
    told: dict[str, Any] = {
        "phase": phase,
        "epoch": 1 if phase == "learn" else 0,
        "place": place,
        "task_id": f"{'train' if phase == 'learn' else phase.partition(':')[0].replace('base', 'test')}-{place}",
        "verdict": "correct" if right else "wrong",
        "reward": float(right),
        "source": "reference",
        "answer": "right" if right else "wrong",
        "usage": Usage(calls=1, prompt_tokens=100, completion_tokens=10, seconds=1.5),
        "seconds": 2.0,
    }
    told |= fields
    told.setdefault("run_id", f"L-{phase.replace(':', '.')}-{told['epoch']}-{place}")
    return Sample(**told)


def stage(samples: int, **fields: Any) -> Stage:
    """What the home held when so many samples had been learned from."""
    told: dict[str, Any] = {
        "phase": "learn", "epoch": 1 if samples else 0, "number": samples, "samples": samples,
        "cases": 0, "bullets": 0, "checks": 0, "version": 0,
    }  # fmt: skip
    return Stage(**(told | fields))


def record(
    home: Path,
    samples: Sequence[Sample],
    stages: Sequence[Stage] = (),
    *,
    outcome: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    **plan: Any,
) -> tuple[AdaptationStore, str]:
    """Put a course on record; without an outcome it is unfinished."""
    store = AdaptationStore(Home.open(home).db)
    told = {
        "mode": "offline", "epochs": 1, "window": 4, "concurrency": 4, "order": "given", "seed": 7, "every": None,
        "patience": None, "budget": {"tokens": None, "cost_usd": None, "seconds": None}, "ablations": [["cases"], ["strategies", "checks"], []],
        "model": "embedded", "strategy": "codeact", "tasks": {"learn": 0, "validate": 0, "test": 0},
        "settings": Settings.model_validate(settings or {}).model_dump(mode="json"),
    }  # fmt: skip
    id, _ = store.open("identity", told | plan)
    store.add(id, samples)
    for one in stages:
        store.reach(id, one)
    if outcome is not None:
        store.finish(id, {"id": id, "reason": "done", "kept": None, "notices": [], "resumed": False, **outcome})
    else:
        store.release(id)
    return store, id


def grown(
    home: Path, *, train: int = 120, test: int = 60, seed: int = 1, evil: str = ""
) -> tuple[AdaptationStore, str]:
    """A finished course of two epochs with validations, ablations and flips, as one that went well looks."""
    chance = random.Random(seed)
    samples, stages = list[Sample](), [stage(0)]
    for phase, share in (
        ("base", 0.6),
        ("test", 0.85),
        ("test:cases", 0.75),
        ("test:strategies+checks", 0.7),
        ("test:nothing", 0.6),
    ):
        for place in range(test):
            right = random.Random(f"{seed} {place}").random() * 0.9 + 0.1 * chance.random() < share
            level = str(1 + place % 3)
            samples.append(
                sample(
                    phase, place, right, level=level, answer=f"{evil}{place * 7 % 11}", seconds=1 + 3 * chance.random()
                )
            )
    for epoch in (1, 2):
        for place in range(train):
            done = (epoch - 1) * train + place + 1
            right = chance.random() < 0.55 + 0.3 * done / (2 * train)
            tries = 1 if right else chance.choice((1, 4))
            usage = Usage(calls=tries + (not right), prompt_tokens=400 * tries, completion_tokens=60 * tries)
            samples.append(
                sample(
                    "learn",
                    place,
                    right,
                    epoch=epoch,
                    attempts=tries,
                    solved=right or tries > 1,
                    usage=usage,
                    seconds=2.0 * tries,
                    cases=(f"case-{done}",) if right or tries > 1 else (),
                )
            )
            if done % 4 == 0:
                kept = int(chance.random() < 0.3)
                stages.append(
                    stage(
                        done,
                        epoch=epoch,
                        number=place // 4,
                        cases=int(done**0.9),
                        bullets=sum(s.kept for s in stages) + kept,
                        checks=min(3, done // 40),
                        version=sum(s.kept for s in stages) + kept,
                        kept=kept,
                        dropped=done % 3 % 2,
                    )
                )
    for number in range(0, 2 * train + 1, 40):
        for place in range(30):
            right = chance.random() < 0.6 + 0.25 * min(1, number / (1.2 * train))
            samples.append(sample("validate", place, right, epoch=number, run_id=f"L-validate-{number}-{place}"))
    samples[3] = sample("base", 3, verdict="limit", reward=None, answer=None, level="1")
    return record(
        home, samples, stages,
        outcome={"kept": 160}, epochs=2, every=40,
        tasks={"learn": train, "validate": 30, "test": test},
        settings={"gate": "fix", "explore": 3, "learning": {"successes": False}},
    )  # fmt: skip
