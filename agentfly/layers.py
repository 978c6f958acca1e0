"""Where settings come from: defaults < ``config.yaml`` in the home < environment < arguments.

Environment variables are ``AGENTFLY_`` and the setting's name in capitals; two underscores go one level down:
``AGENTFLY_MODEL=openai/gpt-5-mini``, ``AGENTFLY_LIMITS__STEPS=10``, ``AGENTFLY_MODELS__REFLECTOR=openai/gpt-5``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from agentfly.config import Settings
from agentfly.errors import ConfigError

PREFIX = "AGENTFLY_"
_OWN_ENV = {
    "AGENTFLY_HOME",
    "AGENTFLY_CACHE",
    "AGENTFLY_ANSWER",
    "AGENTFLY_MCP_TOKEN",
}  # of the machine or of a command, not settings

_ROOM = 100_000
"""Tokens that are never reached: where a preset shows all that there is."""

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "agentfly": {},
        # ACE (arXiv 2510.04618): a reflector and a curator after every sample, whose additions are all kept and all shown; no cases.
        "ace": {
            "learning.cases": False,
            "learning.strategies": True,
            "learning.checks": False,
            "learning.repair": False,
            "learning.every": True,
            "learning.add_only": True,
            "show.cases": False,
            "show.checks": False,
            "gate": "always",
            "rounds": 1,
            "explore": 0,
            "recall.k": 0,
            "playbook.tokens": _ROOM,
            "playbook.prompt_tokens": None,
            "playbook.bullet_chars": 4000,
            "playbook.leave_out": 0.0,
            "playbook.similar": None,
        },
        # Memento (AgentFly, arXiv 2508.16153), without a trained selection: the nearest cases, failures among them; no playbook.
        "memento": {
            "learning.cases": True,
            "learning.strategies": False,
            "learning.checks": False,
            "learning.answers": "never",
            "learning.repair": False,
            "show.cases": True,
            "show.strategies": False,
            "show.examples": False,
            "show.checks": False,
            "policy": "similarity",
            "explore": 0,
            "recall.k": 4,
            "recall.floor": -1.0,
            "recall.failures": 1.0,
            "recall.diversity": 0.0,
            "recall.temperature": 0.0,
            "recall.tokens": _ROOM,
        },
    }
)
"""Settings under which the agent learns as others do, so that their way can be compared with ours on the same tasks."""


def preset(name: str) -> dict[str, Any]:
    """The settings of a preset by their dotted keys, for ``Agent(settings={**preset("ace"), ...})``.

    Raises:
        ConfigError: there is no such preset.
    """
    if name not in PRESETS:
        raise ConfigError(f"no preset is named {name!r}; there are: {', '.join(sorted(PRESETS))}")
    return dict(PRESETS[name])


def home_path(given: str | Path | None = None) -> Path:
    """The home folder: the argument, else ``$AGENTFLY_HOME``, else the platform's data folder."""
    if given is None:
        given = os.environ.get("AGENTFLY_HOME") or None
    if given is None:
        from platformdirs import user_data_path

        return user_data_path("agentfly", appauthor=False)
    return Path(given).expanduser().absolute()


def load_settings(
    home: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from all layers.

    Args:
        home: home folder, whose ``config.yaml`` is the file layer where it exists.
        overrides: the arguments layer, nested or with dotted keys.
        environ: environment to read, by default this process's.

    Raises:
        ConfigError: unknown key or impossible value; names the key and the layer.
    """
    return resolve_settings(home, overrides, environ)[0]


def resolve_settings(
    home: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> tuple[Settings, dict[str, str]]:
    """As `load_settings`, with the layer that each dotted key came from (keys left at their default are absent)."""
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for name, layer in (
        (str(home / "config.yaml") if home else "file", _file_layer(home)),
        ("environment", _env_layer(os.environ if environ is None else environ)),
        ("arguments", _expand(overrides or {}, keep_none=True)),
    ):
        _merge(merged, layer)
        for key in _dotted(layer):
            origin[key] = name
    if origin.get("unsafe_code") not in (None, "arguments"):
        raise ConfigError(
            f"unsafe_code is set in {origin['unsafe_code']}: it takes the sandbox away, so only --unsafe-code can ask for it"
        )
    try:
        return Settings.model_validate(merged), origin
    except ValidationError as error:
        raise ConfigError(_explain(error, origin)) from None


def _file_layer(home: Path | None) -> dict[str, Any]:
    path = home / "config.yaml" if home else None
    if path is None or not path.is_file():
        return {}
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise ConfigError(f"{path} must hold settings as `name: value` lines")
    return _expand(data)


def _env_layer(environ: Mapping[str, str]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in environ.items():
        if key.startswith(PREFIX) and key not in _OWN_ENV and value != "":
            dotted = key.removeprefix(PREFIX).lower().replace("__", ".")
            flat[dotted] = None if value.lower() in {"null", "none"} else value
    return _expand(flat, keep_none=True)


def _expand(flat: Mapping[str, Any], keep_none: bool = False) -> dict[str, Any]:
    """Nest dotted keys."""
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        if value is None and not keep_none:
            continue
        *parents, leaf = key.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        if isinstance(value, Mapping):
            _merge(node.setdefault(leaf, {}), dict(value))
        else:
            node[leaf] = value
    return tree


def _merge(base: dict[str, Any], layer: Mapping[str, Any]) -> None:
    for key, value in layer.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = dict(value) if isinstance(value, Mapping) else value


def _dotted(tree: Mapping[str, Any], prefix: str = "") -> list[str]:
    keys: list[str] = []
    for key, value in tree.items():
        keys += _dotted(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [prefix + key]
    return keys


def _explain(error: ValidationError, origin: Mapping[str, str]) -> str:
    """The first problem, in one line that names the key, its layer and what would be right."""
    problem = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in problem["loc"])
    layer = origin.get(key) or next((origin[k] for k in origin if k.startswith(key + ".")), "arguments")
    if problem["type"] == "extra_forbidden":
        import difflib

        known = _known_keys(Settings)
        groups = {name.rpartition(".")[0] for name in known if "." in name}
        close = difflib.get_close_matches(key, [*known, *groups], n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known settings: {', '.join(known)}"
        return f"unknown setting {key!r} ({layer}); {hint}"
    return f"setting {key!r} ({layer}) is {problem['input']!r}: {problem['msg']}"


def _known_keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    keys: list[str] = []
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys += _known_keys(kind, f"{prefix}{name}.")
        else:
            keys.append(prefix + name)
    return keys
