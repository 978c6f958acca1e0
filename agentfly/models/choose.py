"""Which model to use, and opening it by name. Imports no provider library, so that it takes no time."""

from __future__ import annotations

import difflib
import importlib.util
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agentfly.config import Settings
from agentfly.errors import ModelUnavailableError
from agentfly.events import Notice
from agentfly.models.weights import available_offline
from agentfly.protocols import Model

EMBEDDED = "embedded"
_INSTALL = 'pip install "agentfly-framework[embedded]"'

# Variable with a key -> a model of that provider which is good at code and costs little, in order of preference.
DEFAULTS = {
    "OPENAI_API_KEY": "openai/gpt-5-mini",
    "ANTHROPIC_API_KEY": "anthropic/claude-sonnet-5",
    "GEMINI_API_KEY": "gemini/gemini-3.8-flash",
    "MISTRAL_API_KEY": "mistral/mistral-medium-latest",
    "GROQ_API_KEY": "groq/openai/gpt-oss-120b",
    "DEEPSEEK_API_KEY": "deepseek/deepseek-v4-flash",
    "XAI_API_KEY": "xai/grok-4.20",
    "OPENROUTER_API_KEY": "openrouter/openai/gpt-5-mini",
}

# Variables one of which must be set, where a provider cannot do without a key.
_KEYS = {
    "openai": ("OPENAI_API_KEY",),
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "mistral": ("MISTRAL_API_KEY",),
    "groq": ("GROQ_API_KEY",),
    "deepseek": ("DEEPSEEK_API_KEY",),
    "xai": ("XAI_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY", "OR_API_KEY"),
}

# Prefixes that need no look into litellm; any other is looked up there.
_PROVIDERS = frozenset(
    {
        "openai",
        "anthropic",
        "gemini",
        "mistral",
        "groq",
        "deepseek",
        "xai",
        "openrouter",
        "ollama",
        "ollama_chat",
        "azure",
        "azure_ai",
        "bedrock",
        "vertex_ai",
        "together_ai",
        "fireworks_ai",
        "huggingface",
        "hosted_vllm",
        "lm_studio",
        "llamafile",
        "cohere_chat",
        "perplexity",
        "cerebras",
        "deepinfra",
        "nvidia_nim",
        "sambanova",
        "databricks",
        "watsonx",
        "moonshot",
        "dashscope",
        "zai",
        "replicate",
        "github",
        "litellm_proxy",
    }
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A model and the reason for it."""

    name: str
    why: str
    """One short phrase for people."""


def choose_model(settings: Settings, environ: Mapping[str, str] = os.environ) -> Choice:
    """The configured model, else a provider whose key is set, else a local Ollama, else the embedded model.

    Asks no one but an OpenAI-compatible server that the environment names, and Ollama (0.3 s at most).

    Raises:
        ModelUnavailableError: there is none; says what the person can do.
    """
    if settings.model != "auto":
        return Choice(settings.model, "as configured")
    base = settings.api_base or _openai_base(environ)
    if base:
        served = _first_openai_model(base, environ.get("OPENAI_API_KEY", ""))
        if served:
            return Choice(f"openai/{served}", f"served at {base}")
    for variable, name in DEFAULTS.items():
        if environ.get(variable):
            return Choice(name, f"{variable} is set")
    address = ollama_address(environ)
    local = _first_ollama_model(address)
    if local:
        return Choice(f"ollama_chat/{local}", f"Ollama runs at {address}")
    if _installed("xllamacpp") and available_offline(settings.embedded.weights):
        return Choice(EMBEDDED, "no key is set and no Ollama runs")
    raise ModelUnavailableError(
        f"no model to use: set a provider's key (such as {', '.join(list(DEFAULTS)[:3])}), or start Ollama with a "
        f"model pulled, or install the embedded model ({_INSTALL}), or name a model with --model"
    )


def open_model(
    name: str,
    settings: Settings,
    notify: Callable[[Notice], None] = lambda notice: None,
    environ: Mapping[str, str] = os.environ,
) -> Model:
    """A model by name; nothing is loaded and no one is asked until its first call.

    Args:
        name: ``embedded``, ``auto``, or ``provider/model``.
        settings: timeouts, retries and sampling defaults.
        notify: takes notices, possibly from another thread.

    Raises:
        ModelUnavailableError: a name that nothing answers to, with the nearest one that something does; or a
            provider whose key is not set.
    """
    name = name.strip()
    if not name or name.endswith("/"):
        raise ModelUnavailableError(f"unknown model {name!r}: names look like openai/gpt-5-mini, or embedded")
    if name == "auto":
        name = choose_model(settings, environ).name
    if name == EMBEDDED:
        return _open_embedded(settings, notify)
    _check_name(name)
    base = ollama_address(environ) if name.startswith(("ollama/", "ollama_chat/")) else settings.api_base
    _check_key(name, base, environ)
    from agentfly.models.litellm import LiteLLMModel

    return LiteLLMModel(
        name,
        api_base=base,
        retries=settings.retries,
        call_seconds=longest_call(settings, name),
        temperature=settings.temperature,
        seed=settings.seed,
    )


def longest_call(settings: Settings, name: str) -> float:
    """Seconds that one call of a model may take, retries included.

    Args:
        settings: which may say so.
        name: of the model.
    """
    if settings.call_seconds is not None:
        return settings.call_seconds
    return 600.0 if name == EMBEDDED else 300.0


def _open_embedded(settings: Settings, notify: Callable[[Notice], None]) -> Model:
    if not _installed("xllamacpp"):
        raise ModelUnavailableError(f"the embedded model is not installed: {_INSTALL}")
    from agentfly.models.embedded import EmbeddedModel

    return EmbeddedModel(
        settings.embedded,
        call_seconds=longest_call(settings, EMBEDDED),
        temperature=settings.temperature,
        seed=settings.seed,
        notify=notify,
    )


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _check_name(name: str) -> None:
    prefix, slash, model = name.partition("/")
    if slash and model and prefix in _PROVIDERS:
        return
    known = sorted(_PROVIDERS) if slash else [EMBEDDED, "auto"]
    close = difflib.get_close_matches(prefix.lower(), known, n=1, cutoff=0.75)
    if close:
        meant = f"{close[0]}/{model}" if slash else close[0]
        raise ModelUnavailableError(f"unknown model {name!r}; did you mean {meant!r}?")
    from agentfly.models.litellm import check_name

    check_name(name)


def _check_key(name: str, base: str | None, environ: Mapping[str, str]) -> None:
    provider = name.partition("/")[0]
    wanted = _KEYS.get(provider, ())
    own_server = base or (provider == "openai" and _openai_base(environ))
    if wanted and not own_server and not any(environ.get(variable) for variable in wanted):
        raise ModelUnavailableError(f"{name} needs a key: set {wanted[0]}")


def ollama_address(environ: Mapping[str, str] = os.environ) -> str:
    """Where Ollama listens, from ``OLLAMA_API_BASE`` or ``OLLAMA_HOST`` in any of the forms that Ollama takes."""
    given = environ.get("OLLAMA_API_BASE") or environ.get("OLLAMA_HOST") or "127.0.0.1:11434"
    scheme, marker, rest = given.rpartition("://")
    rest = rest.rstrip("/").replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - where to call, not where to listen
    has_port = rest.rpartition("]")[2].count(":") == 1
    return f"{scheme if marker else 'http'}://{rest if has_port or marker else rest + ':11434'}"


def _openai_base(environ: Mapping[str, str]) -> str:
    return environ.get("OPENAI_BASE_URL") or environ.get("OPENAI_API_BASE") or ""


def _first_openai_model(base: str, key: str) -> str | None:
    data = _get_json(base.rstrip("/") + "/models", 2.0, {"Authorization": f"Bearer {key}"} if key else {})
    return _first_name(data, "data", "id")


def _first_ollama_model(address: str) -> str | None:
    return _first_name(_get_json(address + "/api/tags", 0.3, {}), "models", "name")


def _first_name(data: Any, field: str, key: str) -> str | None:
    listed = data.get(field) if isinstance(data, dict) else None
    for entry in listed if isinstance(listed, list) else ():
        name = entry.get(key) if isinstance(entry, dict) else None
        if isinstance(name, str) and name and "embed" not in name:
            return name
    return None


def _get_json(url: str, timeout: float, headers: Mapping[str, str]) -> Any:
    """What a server answers, or None when none answers with JSON in time."""
    if not url.startswith(("http://", "https://")):
        return None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310 - http only, see above
        with opener.open(request, timeout=timeout) as response:
            return json.loads(response.read(1 << 20))
    except (OSError, ValueError, urllib.error.URLError):
        return None
