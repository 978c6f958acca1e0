"""What is put on record: nothing secret, and nothing that the results depend on left out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from agentfly.bench.configuration import differences
from agentfly.bench.datasets import load_dataset
from agentfly.bench.running import record
from agentfly.bench.running.plan import Plan
from agentfly.bench.running.record import Agent, code_state, on_record, prompts_hash, versions
from agentfly.bench.running.redacting import REDACTED, redacted
from agentfly.config import Settings
from agentfly.errors import InputError

AGENT = Agent(model="m", why="named", strategy="codeact", sandbox="landlock", scorer="gaia", home=None, source=None)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"api_key": "abc", "tokens": 2000}, {"api_key": REDACTED, "tokens": 2000}),
        ({"deep": [{"HF_TOKEN": "x"}]}, {"deep": [{"HF_TOKEN": REDACTED}]}),
        ({"password": None, "secret": ""}, {"password": None, "secret": ""}),
        ("https://me:pass@host/v1", f"https://{REDACTED}@host/v1"),
        ("https://host/v1?api_key=abcdef&x=1", f"https://host/v1?api_key={REDACTED}&x=1"),
        ("curl -H 'x: sk-proj-abcdefghijklmnop1234'", f"curl -H 'x: {REDACTED}'"),
        ("prefix hunter2hunter2 suffix", f"prefix {REDACTED} suffix"),
        ("the keyboard, 42 tokens, a task", "the keyboard, 42 tokens, a task"),
        (7, 7),
    ],
)
def test_secrets_are_replaced_and_nothing_else(data: object, expected: object) -> None:
    assert redacted(data, {"MY_SERVICE_API_KEY": "hunter2hunter2", "EDITOR": "the keyboard"}) == expected


def test_the_configuration_holds_all_that_decides_and_no_secret(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(json.dumps({"id": "a", "question": "?", "answer": "the reference"}) + "\n")
    dataset = load_dataset(tmp_path / "t.jsonl")
    settings = Settings(api_base="https://me:hunter2hunter2@host/v1", command="check --token sk-abcdefghijklmnop")
    config = on_record(dataset, Plan(attempts=3), settings, AGENT, ["note"])
    told = json.dumps(config)
    assert "hunter2" not in told
    assert "sk-abc" not in told
    assert "the reference" not in told
    decides, about = config["decides"], config["about"]
    assert decides["dataset"]["hash"] == dataset.hash
    assert decides["tasks"] == [{"task_id": "a", "level": None, "judged": True}]
    assert (decides["attempts"], decides["mode"], decides["model"]) == (3, "frozen", "m")
    assert decides["prompts"] == prompts_hash()
    assert about["sandbox"] == "landlock"
    assert about["notes"] == ["note"]
    other = on_record(dataset, Plan(attempts=3, concurrency=9, retries=7), settings, AGENT)
    assert other["identity"] == config["identity"], "how many at once makes no difference"
    changed = on_record(dataset, Plan(attempts=2), settings, AGENT)
    assert differences(config["decides"], changed["decides"]) == {"attempts": (3, 2)}


def test_versions_name_what_it_stands_on() -> None:
    assert {"agentfly", "python", "system", "langgraph", "litellm"} <= versions().keys()


def test_the_state_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "repository" / "agentfly"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("x = 1\n")
    monkeypatch.setattr(record.agentfly, "__file__", str(package / "__init__.py"))
    assert code_state() is None
    git = ["git", "-C", str(package), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git[:3], "init", "-q"], check=True)
    assert code_state() is None, "somebody else's repository"
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    clean = code_state()
    assert clean is not None
    assert clean["dirty"] is False
    assert len(clean["commit"]) == 40
    (package / "__init__.py").write_text("x = 2\n")
    assert code_state() == {"commit": clean["commit"], "dirty": True}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"attempts": 0}, "attempts"),
        ({"concurrency": 0}, "concurrency"),
        ({"retries": -1}, "retries"),
        ({"mode": "online", "attempts": 2}, "--attempts 1"),
        ({"mode": "online", "executor": "ray"}, "--executor"),
    ],
)
def test_impossible_plans_are_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Plan(**given)  # type: ignore[arg-type]


def test_an_order_is_made_by_its_seed(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"id": str(n), "question": f"{n}?"}) + "\n" for n in range(9)))
    tasks = load_dataset(tmp_path / "t.jsonl").tasks
    one, same, other = (Plan(order="shuffled", seed=seed).ordered(tasks) for seed in (1, 1, 2))
    assert one == same
    assert one != other
    assert sorted(task.id for task in one) == [task.id for task in tasks] == [t.id for t in Plan().ordered(tasks)]
