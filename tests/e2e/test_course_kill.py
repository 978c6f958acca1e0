"""Kill -9 in the middle of a course, again and again: no sample twice, none missing, and the same in the end."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import course

PARTS = ("open", "base", "validate", "attempts", "shown", "keep", "curate", "close", "best", "test")
"""Of a course, in the order in which they begin."""
IN_FLIGHT = course.PLAN.concurrency
"""So many calls of the model may be under way in vain when a process is killed."""
REPLAYED = 4
"""Most calls of one gate for past successes here, which no journal has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A course that was carried out."""

    came_to: Mapping[str, Any]
    ended: list[int]
    """How its processes ended."""
    calls: int
    """Of the model, in all of them."""
    counts: Mapping[str, int]
    """Moments of the last process, by part."""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """In memory where there is such a place: a process is killed here, not a machine."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


def carried_out(folder: Path, wanted: Mapping[str, list[str]]) -> dict[str, Done]:
    """The courses, each killed at its moments."""
    for name in wanted:
        (folder / name).mkdir()
        (folder / name / "calls").touch()
    asked = json.dumps({str(folder / name): kills for name, kills in wanted.items()})
    done = subprocess.run(
        [sys.executable, str(Path(course.__file__)), asked], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    ended, found = json.loads(done.stdout), {}
    for name in wanted:
        home = folder / name / "home"
        processes = ended[str(folder / name)]
        assert processes[-1] == 0, done.stderr
        found[name] = Done(
            came_to=course.summary(home),
            ended=processes,
            calls=len((folder / name / "calls").read_text().splitlines()),
            counts=json.loads((home / "counts.json").read_text()),
        )
    return found


@pytest.fixture(scope="module")
def whole(folder: Path) -> Done:
    """The course that nobody interrupts."""
    return carried_out(folder, {"whole": []})["whole"]


def same(found: Done, expected: Done) -> None:
    for name, value in expected.came_to.items():
        assert found.came_to[name] == value, name


def test_the_course_has_something_to_lose(whole: Done) -> None:
    """Or the tests below would not tell anything."""
    found = whole.came_to
    assert found["outcome"][:2] == ["done", 8], "it goes back to a version before the last one"
    accepted = [line[1] for line in found["deltas"]]
    assert 1 in accepted
    assert 0 in accepted
    assert any("fails with it" in line[4] for line in found["deltas"]), "a gate's replay found harm"
    assert {line[1] for line in found["events"]} >= {"superseded", "merged", "pruned", "restored"}
    assert set(whole.counts) == set(PARTS)
    assert len({sample[0]["run_id"] for sample in found["samples"]}) == len(found["samples"]) == len(found["runs"])
    assert found["left over"] == [0, 0, 0]


def test_killed_again_and_again_it_comes_to_the_same(whole: Done, folder: Path) -> None:
    rng = random.Random(5)

    def early(part: str) -> str:
        """A moment early in a part: a process that goes on has less of it left."""
        return f"{part}:{rng.randint(1, max(1, whole.counts[part] // 8))}"

    parts = [*PARTS, *rng.choices(["attempts", "keep", "curate", "close"], k=3)]
    each = [*map(early, parts), "shown:2"]  # after it is on record and before the graph knows
    each.sort(key=lambda kill: PARTS.index(kill.partition(":")[0]))
    anywhere = [f"any:{rng.randint(10, sum(whole.counts.values()) // 6)}" for _ in range(10)]
    found = carried_out(folder, {"in each part": each, "anywhere": anywhere})
    for name, kills in (("in each part", each), ("anywhere", anywhere)):
        done = found[name]
        print(f"killed {done.ended.count(-9)} times ({kills}): {done.calls} calls, {whole.calls} without")
        same(done, whole)
        # What was under way is asked again, and what a gate tries again of the past; all else is in the journal.
        assert done.calls - whole.calls <= done.ended.count(-9) * max(IN_FLIGHT, REPLAYED)
    assert sum(done.ended.count(-9) for done in found.values()) >= 16
    assert found["in each part"].ended.count(-9) >= 10
