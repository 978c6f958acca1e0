"""Datasets of the Hugging Face hub: found in its cache on this machine, or fetched when asked to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from agentfly.errors import ConfigError, InputError, ProviderError

PREFIX = "hf:"
"""Begins the name of a dataset of the hub: ``hf:OWNER/NAME``, or ``hf:OWNER/NAME@REVISION``."""
_NAME = re.compile(r"(?P<repository>\w[\w.-]*/\w[\w.-]*)(@(?P<revision>[\w./-]+))?")
_CACHED = "datasets--"
_SIGNING = "set HF_TOKEN to a token of it (https://huggingface.co/settings/tokens)"


def folder_of(given: str, split: str | None, *, download: bool) -> Path:
    """The folder of a dataset in the hub's cache.

    Args:
        given: ``hf:OWNER/NAME``; a branch, tag or commit may follow an ``@``.
        split: folder under ``2023/`` that is needed; None for everything.
        download: whether to ask the hub for what is missing or newer. Without it no connection is made.

    Raises:
        InputError: the name is malformed, or the dataset is not here, not there, or not open to this account.
        ProviderError: the hub cannot be reached or fails.
        ConfigError: its client is not installed.
    """
    named = _NAME.fullmatch(given.removeprefix(PREFIX))
    if named is None:
        raise _malformed(given)
    wanted = {
        "repo_id": named["repository"],
        "repo_type": "dataset",
        "revision": named["revision"],
        "allow_patterns": None if split is None else [f"2023/{split}/*"],
    }
    try:
        return _fetched(given, wanted) if download else _cached(given, wanted)
    except ValueError:  # the client has rules of its own for names
        raise _malformed(given) from None


def _malformed(given: str) -> InputError:
    return InputError(f"{given}: write a dataset of the hub as {PREFIX}OWNER/NAME or {PREFIX}OWNER/NAME@REVISION")


def snapshot_in(folder: Path) -> Path:
    """Of a dataset's folder in the hub's cache, the newest snapshot that was fetched of its main branch; else the folder itself."""
    shots = folder / "snapshots"
    if not (folder.name.startswith(_CACHED) and shots.is_dir()):
        return folder
    main = folder / "refs" / "main"
    if main.is_file() and (shot := shots / main.read_text(encoding="utf-8", errors="replace").strip()).is_dir():
        return shot
    there = sorted(shot for shot in shots.iterdir() if shot.is_dir())
    if len(there) != 1:
        raise InputError(f"{shots} holds {len(there)} snapshots: give the folder of one")
    return there[0]


def cached_name(folder: Path) -> str | None:
    """The dataset's name where the folder is a snapshot in the hub's cache, which is itself named by a commit."""
    kept = folder.absolute().parent.parent.name
    return kept.split("--")[-1] if folder.absolute().parent.name == "snapshots" and kept.startswith(_CACHED) else None


def _cached(given: str, wanted: dict[str, Any]) -> Path:
    hub = _client()
    try:
        return Path(hub.snapshot_download(**wanted, local_files_only=True))
    except hub.errors.LocalEntryNotFoundError as error:
        if type(error).__name__ == "IncompleteSnapshotError":  # a class that older clients do not have
            raise InputError(f"{given} is only partly on this machine; --download fetches the rest") from None
        raise InputError(f"{given} is not on this machine; --download fetches it from the Hugging Face hub") from None


def _fetched(given: str, wanted: dict[str, Any]) -> Path:
    hub = _client()
    name = given.removeprefix(PREFIX)
    page = f"{hub.constants.ENDPOINT}/datasets/{wanted['repo_id']}"
    if hub.constants.HF_HUB_OFFLINE:
        raise InputError(f"{name} cannot be downloaded: HF_HUB_OFFLINE is set; unset it")
    import httpx

    hub.logging.set_verbosity_error()
    try:
        httpx.head(hub.constants.ENDPOINT, timeout=10.0)  # the client itself tries for half a minute
        return Path(hub.snapshot_download(**wanted, etag_timeout=10))
    except hub.errors.GatedRepoError:
        raise InputError(
            f"{name} is gated: sign in at {page}, accept its conditions there, and {_SIGNING}, then ask again"
        ) from None
    except hub.errors.RevisionNotFoundError:
        raise InputError(f"{name}: the dataset has no revision of that name") from None
    except hub.errors.RepositoryNotFoundError:
        raise InputError(f"{name} is not at {page}, or it is private: check the name, or {_SIGNING}") from None
    except (hub.errors.HfHubHTTPError, httpx.HTTPError, OSError) as error:
        raise _refused(name, page, error) from None


def _refused(name: str, page: str, error: Exception) -> InputError | ProviderError:
    """What else can go wrong, by its status where there is one."""
    chain = [error, error.__cause__, error.__context__]
    status = next(
        (code for one in chain if (code := getattr(getattr(one, "response", None), "status_code", None))), None
    )
    if status == 401:
        return InputError(f"the hub wants a valid token for {name}: {_SIGNING}")
    if status == 403:
        return InputError(
            f"the token may not read {name}: accept the conditions at {page}, or {_SIGNING} that may read it"
        )
    reason = " ".join(str(error).split())[:160]
    return ProviderError(f"{name} could not be downloaded from the Hugging Face hub: {reason or type(error).__name__}")


class _Client:
    """The parts of the official client that are used."""

    def __init__(self) -> None:
        try:
            import huggingface_hub
            from huggingface_hub import constants, errors
            from huggingface_hub.utils import logging
        except ImportError:
            raise ConfigError(
                "datasets of the Hugging Face hub need its client: pip install 'agentfly-framework[hub]'"
            ) from None
        self.snapshot_download: Any = huggingface_hub.snapshot_download
        self.constants: Any = constants
        self.errors: Any = errors
        self.logging: Any = logging


def _client() -> _Client:
    return _Client()
