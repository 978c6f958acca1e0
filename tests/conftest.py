"""Fixtures for all tests: an isolated environment, a fake provider, and one embedded model for the whole session."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from support.fake_provider import FakeProvider

from agentfly.models.choose import DEFAULTS
from agentfly.models.embedded import EmbeddedModel
from agentfly.models.weights import available_offline, cache_folder

# How long anything takes is measured in tests/benchmarks: here a busy machine must not fail a test.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")

_MODEL_CACHE = cache_folder().parent  # before the environment is isolated
_FOREIGN = {*DEFAULTS, "OPENAI_API_BASE", "OPENAI_BASE_URL", "OLLAMA_HOST", "OLLAMA_API_BASE", "HF_ENDPOINT"}
_FOREIGN |= {"TAVILY_API_KEY", "SERPER_API_KEY", "DDGS_PROXY"}
_FOREIGN |= {"COLUMNS", "LINES"}  # the plugin that runs tests side by side sets them

# A shell that runs the tests in its background has them ignore Ctrl-C, and all that they start: some tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests side by side: those of a file stay together, for what they share, and all that need the embedded model, which is large."""
    for item in items:
        embedded = item.get_closest_marker("embedded") or "embedded_model" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("embedded" if embedded else item.path.name))


@pytest.fixture(autouse=True)
def isolated_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings, keys or home of the person who runs the tests; the model cache is kept, for its weights."""
    for name in list(os.environ):
        if name.startswith("AGENTFLY_") or name in _FOREIGN:
            monkeypatch.delenv(name)
    monkeypatch.setenv("AGENTFLY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AGENTFLY_CACHE", str(_MODEL_CACHE))
    # What is left to chance while learning would be so in tests as well; those that are about it say so.
    monkeypatch.setenv("AGENTFLY_PLAYBOOK__LEAVE_OUT", "0")
    # Built-in tools lengthen prompts; those that are about them say so.
    monkeypatch.setenv("AGENTFLY_TOOLS__BUILTIN", "none")
    # A person's Ollama must not be found: this port belongs to no one.
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")


@pytest.fixture
def fake_provider() -> Iterator[FakeProvider]:
    """An OpenAI-compatible server that does as it is told."""
    with FakeProvider() as provider:
        yield provider


@pytest.fixture(scope="session")
def embedded_model() -> Iterator[EmbeddedModel]:
    """The real embedded model; its server starts once for all tests that use it."""
    missing = None
    if importlib.util.find_spec("xllamacpp") is None:
        missing = "xllamacpp is not installed"
    elif not available_offline():
        missing = "the embedded model's weights are not on this machine"
    if missing and os.environ.get("CI"):
        pytest.fail(f"{missing}, and CI must not skip what needs it")
    if missing:
        pytest.skip(missing)
    model = EmbeddedModel()
    _in_a_loop_of_its_own(model.start())  # the server lives as long as this one uses it
    yield model
    _in_a_loop_of_its_own(model.aclose())


def _in_a_loop_of_its_own(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, also where an async fixture that asked for ours already runs a loop."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()
