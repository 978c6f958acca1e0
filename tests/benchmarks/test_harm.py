"""What each gate lets through when 30 % of what a curator proposes is wrong, over 100 tasks; see `support.harm`."""

import pytest
from support.harm import garbage, live, misled

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

TASKS = 100
SEEDS = (1, 2)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("deltas", [misled, garbage])
def test_harm_is_stopped(tmp_path, monkeypatch, deltas, seed):
    ends = {}
    for gate in ("always", "fix", "replay"):
        end = ends[gate] = live(tmp_path / gate, gate, deltas, tasks=TASKS, seed=seed, patch=monkeypatch)
        print(
            f"\n{deltas.__name__}, seed {seed}, {gate}: accuracy {end.start:.2f} → {end.end:.2f}, "
            f"{end.harmful} harmful bullets, {end.dropped} of {end.proposed} deltas dropped, {end.attempts} attempts",
            end="",
        )
    assert ends["replay"].harmful == 0
    assert ends["replay"].end >= ends["replay"].start
    assert ends["fix"].harmful <= 2
    assert ends["always"].harmful >= 3
    assert ends["always"].end < ends["replay"].end - 0.1, "visibly degraded"
