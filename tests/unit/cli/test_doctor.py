"""`agentfly doctor`: each check can fail, and says how to mend."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentfly.cli import checks
from agentfly.cli.checks import Check, Patient
from agentfly.config import Settings

Run = Callable[..., Any]
NAMES = ["python", "packages", "model", "embedder", "sandbox", "home", "index"]


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    return Patient(tmp_path / "home", Settings(model="openai/any"), False, lambda notice: None)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> dict[str, Check]:
    """Every check answers at once: with what stands in this mapping, else well."""
    plan: dict[str, Check] = {}
    for name in NAMES:
        monkeypatch.setitem(
            checks.CHECKS, name, lambda patient, name=name: plan.get(name, Check(name, "ok", f"{name} is well"))
        )
    return plan


def test_all_is_well(agentfly: Run, quick: dict[str, Check]) -> None:
    done = agentfly("doctor", "--json")
    data = json.loads(done.out)
    assert done.code == 0
    assert data["ok"] is True
    assert [check["name"] for check in data["checks"]] == NAMES
    assert set(data["checks"][0]) == {"name", "state", "detail", "mend"}


@pytest.mark.parametrize(("state", "code"), [("warn", 0), ("fail", 1)])
def test_exit_status_and_how_to_mend(agentfly: Run, quick: dict[str, Check], state: Any, code: int) -> None:
    quick["model"] = Check("model", state, "no key [red]\x1b[31m", "set OPENAI_API_KEY")
    done = agentfly("doctor")
    assert done.code == code
    assert f"{state:4} model    no key [red]\\x1b[31m\n" in done.out.replace(" \n", "\n")
    assert "→ set OPENAI_API_KEY" in done.out
    assert json.loads(agentfly("doctor", "--json").out)["ok"] is (code == 0)


def test_a_check_that_breaks_is_a_finding_not_a_crash(
    agentfly: Run, quick: dict[str, Check], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(patient: Patient) -> Check:
        raise ImportError("libfoo.so.1: cannot open shared object file")

    monkeypatch.setitem(checks.CHECKS, "embedder", broken)
    done = agentfly("doctor", "--json")
    found = {check["name"]: check for check in json.loads(done.out)["checks"]}
    assert done.code == 1
    assert found["embedder"]["state"] == "fail"
    assert "libfoo.so.1" in found["embedder"]["detail"]
    assert found["index"]["state"] == "ok"


def test_nothing_is_made(agentfly: Run, tmp_path: Path, patient: Patient) -> None:
    assert checks.check_home(patient).state in {"ok", "warn"}
    assert checks.check_index(patient).detail == "no cases yet"
    assert not patient.home.exists()


def test_model(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    assert checks.check_model(patient) == Check("model", "ok", "openai/any (as configured)")
    monkeypatch.delenv("OPENAI_API_KEY")
    missing = dict(checks.examine(patient))["model"]()
    assert missing.state == "fail"
    assert "OPENAI_API_KEY" in missing.detail
    local = replace(patient, settings=Settings(model="openai/any", api_base="http://127.0.0.1:1/v1"))
    assert checks.check_model(local).state == "ok"


def test_weights_missing_and_damaged(patient: Patient, tmp_path: Path) -> None:
    weights = tmp_path / "weights.gguf"
    ours = replace(patient, settings=Settings.model_validate({"model": "embedded", "embedded": {"weights": weights}}))
    pytest.importorskip("xllamacpp")
    assert checks.check_model(ours).state == "fail"
    weights.write_bytes(b"not a model")
    damaged = checks.check_model(ours)
    assert damaged.state == "fail"
    assert "wrong checksum" in damaged.detail
    assert weights.read_bytes() == b"not a model"


def test_packages_name_what_is_missing(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(checks.EXTRAS, "data", ("nonexistent_package",))
    found = checks.check_packages(patient)
    assert (found.state, found.mend) == ("warn", 'pip install "agentfly-framework[data]"')
    assert "nonexistent_package" in found.detail
    monkeypatch.setattr(checks, "NEEDED", ("nonexistent_package",))
    assert checks.check_packages(patient).state == "fail"


def test_home_that_cannot_be_made(patient: Patient, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    found = checks.check_home(replace(patient, home=tmp_path / "file" / "home"))
    assert found.state == "fail"
    assert "cannot be written to" in found.detail


def test_a_real_home_and_embedder(agentfly: Run, patient: Patient) -> None:
    from agentfly.store.home import Home

    Home.open(patient.home).close()
    assert "schema" in checks.check_home(patient).detail
    assert checks.check_index(patient) == Check("index", "ok", "0 cases, 0 in the index")
    assert checks.check_embedder(patient).state == "ok"
