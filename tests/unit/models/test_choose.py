"""Which model is taken, and what a wrong name gets."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.fake_provider import FakeProvider

from agentfly.config import Settings
from agentfly.errors import ModelUnavailableError
from agentfly.models import choose
from agentfly.models.choose import DEFAULTS, Choice, choose_model, ollama_address, open_model

NO_OLLAMA = {"OLLAMA_HOST": "127.0.0.1:9"}


@pytest.fixture
def no_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "available_offline", lambda configured: False)


def test_a_configured_model_comes_first() -> None:
    taken = choose_model(Settings(model="gemini/x"), {"OPENAI_API_KEY": "k"})
    assert taken == Choice("gemini/x", "as configured")


@pytest.mark.parametrize("variable", DEFAULTS)
def test_a_key_brings_its_providers_model(variable: str) -> None:
    taken = choose_model(Settings(), {variable: "k", **NO_OLLAMA})
    assert taken.name == DEFAULTS[variable]
    assert variable in taken.why


def test_an_empty_key_is_no_key(no_embedded: None) -> None:
    with pytest.raises(ModelUnavailableError):
        choose_model(Settings(), {"OPENAI_API_KEY": "", **NO_OLLAMA})


@pytest.mark.parametrize("variable", ["OPENAI_API_BASE", "OPENAI_BASE_URL"])
def test_a_server_named_by_the_environment_is_asked_for_its_model(variable: str, fake_provider: FakeProvider) -> None:
    fake_provider.models = ["text-embed-1", "house-model"]
    taken = choose_model(Settings(), {variable: fake_provider.base, "OPENAI_API_KEY": "k", **NO_OLLAMA})
    assert taken == Choice("openai/house-model", f"served at {fake_provider.base}")


def test_a_server_that_lists_nothing_leaves_the_key_to_decide() -> None:
    taken = choose_model(Settings(), {"OPENAI_API_BASE": "http://127.0.0.1:9/v1", "OPENAI_API_KEY": "k", **NO_OLLAMA})
    assert taken.name == DEFAULTS["OPENAI_API_KEY"]


def test_a_local_ollama_is_found(fake_provider: FakeProvider) -> None:
    taken = choose_model(Settings(), {"OLLAMA_HOST": fake_provider.root.removeprefix("http://")})
    assert taken.name == "ollama_chat/fake-model"
    assert fake_provider.root in taken.why


def test_an_ollama_without_models_is_none(fake_provider: FakeProvider, no_embedded: None) -> None:
    fake_provider.models = []
    with pytest.raises(ModelUnavailableError):
        choose_model(Settings(), {"OLLAMA_HOST": fake_provider.root})


def test_the_embedded_model_is_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "available_offline", lambda configured: True)
    monkeypatch.setattr(choose, "_installed", lambda package: True)
    assert choose_model(Settings(), NO_OLLAMA).name == "embedded"


def test_without_any_model_one_message_says_what_to_do(no_embedded: None) -> None:
    with pytest.raises(ModelUnavailableError) as caught:
        choose_model(Settings(), NO_OLLAMA)
    message = str(caught.value)
    assert "\n" not in message
    for hint in ("OPENAI_API_KEY", "Ollama", "agentfly-framework[embedded]", "--model"):
        assert hint in message


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({}, "http://127.0.0.1:11434"),
        ({"OLLAMA_HOST": "0.0.0.0"}, "http://127.0.0.1:11434"),
        ({"OLLAMA_HOST": "box:99"}, "http://box:99"),
        ({"OLLAMA_HOST": "https://box/"}, "https://box"),
        ({"OLLAMA_HOST": "[::1]:5"}, "http://[::1]:5"),
        ({"OLLAMA_HOST": "a", "OLLAMA_API_BASE": "http://b:1"}, "http://b:1"),
    ],
)
def test_ollamas_address_in_all_its_forms(given: dict[str, str], address: str) -> None:
    assert ollama_address(given) == address


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("embeded", "'embedded'"),
        ("Embedded", "'embedded'"),
        ("opanai/gpt-5", "'openai/gpt-5'"),
        ("nosuch/x", "openai/"),
    ],
)
def test_a_wrong_name_gets_a_hint(name: str, hint: str) -> None:
    with pytest.raises(ModelUnavailableError, match="unknown model") as caught:
        open_model(name, Settings())
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", " ", "openai/"])
def test_an_empty_name_is_refused(name: str) -> None:
    with pytest.raises(ModelUnavailableError):
        open_model(name, Settings())


def test_opening_needs_no_server_and_keeps_the_name() -> None:
    assert open_model("openai/any", Settings(api_base="http://127.0.0.1:9/v1")).name == "openai/any"
    assert open_model("anthropic/claude-x", Settings(), environ={"ANTHROPIC_API_KEY": "k"}).name == "anthropic/claude-x"
    assert open_model("openai/any", Settings(), environ={"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}).name
    assert open_model("hosted_vllm/x", Settings(), environ={}).name == "hosted_vllm/x"


@pytest.mark.parametrize("variable", DEFAULTS)
def test_a_provider_without_its_key_is_refused_at_once(variable: str) -> None:
    with pytest.raises(ModelUnavailableError, match=f"needs a key: set {variable}"):
        open_model(DEFAULTS[variable], Settings(), environ={})


def test_without_llama_cpp_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "_installed", lambda package: False)
    with pytest.raises(ModelUnavailableError, match=r"agentfly-framework\[embedded\]"):
        open_model("embedded", Settings())


def test_the_defaults_are_models_that_litellm_knows() -> None:
    from agentfly.models.litellm import load_litellm

    litellm = load_litellm()
    for name in DEFAULTS.values():
        bare, provider, *_ = litellm.get_llm_provider(name)
        assert provider == name.split("/")[0]
        assert provider == "openrouter" or bare in litellm.model_cost or name in litellm.model_cost, name


def test_choosing_imports_no_provider_library(tmp_path: Path) -> None:
    program = """
import sys
from agentfly.config import Settings
from agentfly.models.choose import choose_model, open_model
choose_model(Settings(), {"OPENAI_API_KEY": "k"})
print([m for m in ("litellm", "xllamacpp", "openai", "httpx") if m in sys.modules])
"""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=dict(os.environ), timeout=30
    )
    assert done.stdout.strip() == "[]"
    assert time.monotonic() - began < 10
