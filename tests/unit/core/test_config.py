"""Layers, refusals and messages of the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentfly.errors import ConfigError
from agentfly.layers import home_path, load_settings, resolve_settings


def test_layers_override_each_other_in_order(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("model: from-file\nlimits:\n  steps: 3\n  seconds: 11\nretries: 1\n")
    environ = {"AGENTFLY_LIMITS__STEPS": "7", "AGENTFLY_RETRIES": "2", "AGENTFLY_HOME": "/x", "PATH": "/bin"}
    settings, origin = resolve_settings(
        tmp_path, {"retries": 3, "models.reflector": "big", "limits.tokens": None}, environ
    )
    assert (settings.model, settings.limits.steps, settings.limits.seconds) == ("from-file", 7, 11.0)
    assert (settings.retries, settings.models.reflector, settings.limits.tokens) == (3, "big", None)
    assert origin["model"].endswith("config.yaml")
    assert (origin["limits.steps"], origin["retries"]) == ("environment", "arguments")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modle: x\n", "did you mean 'model'"),
        ("limits:\n  stepz: 3\n", "did you mean 'limits.steps'"),
        ("limts:\n  steps: 3\n", "did you mean 'limits'"),
        ("limits: 3\n", "'limits'"),
        ("recall:\n  k: many\n", "'recall.k'"),
        ("- a\n- b\n", "name: value"),
        ("model: [\n", "cannot be read"),
        ("1: x\n", "name: value"),
    ],
)
def test_a_bad_file_is_one_clear_line_that_names_it(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path, environ={})
    message = str(caught.value)
    assert said in message
    assert "config.yaml" in message
    assert "\n" not in message


def test_an_unknown_environment_variable_of_ours_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'modle' \(environment\); did you mean 'model'"):
        load_settings(environ={"AGENTFLY_MODLE": "x"})


def test_an_impossible_argument_says_what_is_possible() -> None:
    with pytest.raises(ConfigError, match=r"'gate' \(arguments\) is 'sometimes'.*'always'"):
        load_settings(overrides={"gate": "sometimes"}, environ={})


def test_null_lifts_a_limit_that_a_lower_layer_set() -> None:
    assert load_settings(None, {"limits": {"tokens": None}}, {"AGENTFLY_LIMITS__TOKENS": "5"}).limits.tokens is None
    assert load_settings(environ={"AGENTFLY_LIMITS__SECONDS": "none"}).limits.seconds is None


def test_the_home_is_the_argument_then_the_variable_then_the_platform(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AGENTFLY_HOME", str(tmp_path / "env"))
    assert home_path(tmp_path / "given") == tmp_path / "given"
    assert home_path() == tmp_path / "env"
    monkeypatch.delenv("AGENTFLY_HOME")
    assert home_path().name == "agentfly"
