"""Download of one file from the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def download(repository: str, file: str, folder: Path, progress: Callable[[int], None]) -> Path:
    """Fetch a file, going on where an earlier download stopped.

    Args:
        repository: ``owner/name``.
        file: path in the repository.
        folder: where the file and the state of an unfinished download are kept.
        progress: takes the bytes done so far; an exception from it ends the download and is passed on.

    Raises:
        ConnectionError: the hub cannot be reached or does not have the file.
        OSError: the disk.
    """
    import httpx
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
    from huggingface_hub.utils import logging as hub_logging
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    class Meter(tqdm):  # type: ignore[misc]
        """A progress bar that draws nothing and reports."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs["disable"] = True
            kwargs.pop("name", None)
            super().__init__(*args, **kwargs)
            self.seen = int(kwargs.get("initial") or 0)

        def update(self, n: float | None = 1) -> bool | None:
            self.seen += int(n or 0)
            progress(self.seen)
            return None

    hub_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        if not constants.HF_HUB_OFFLINE:
            httpx.head(constants.ENDPOINT, timeout=5.0)  # the client itself tries for half a minute
        return Path(hf_hub_download(repository, file, local_dir=folder, etag_timeout=5, tqdm_class=Meter))
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, httpx.HTTPError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ConnectionError(f"the Hugging Face hub cannot be reached or refused: {reason}") from None
