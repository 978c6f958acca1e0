"""Where an HTML page goes, known to be possible before the work whose page it is."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from agentfly.errors import ConfigError, InputError


def page_path(given: Path | str | None, option: str) -> Path | None:
    """The file for a page.

    Args:
        given: as the person gave it; None where no page is wanted.
        option: names it in messages, such as ``--html``.

    Raises:
        InputError: it cannot be written there.
        ConfigError: what draws its plots is not installed.
    """
    if given is None:
        return None
    if find_spec("matplotlib") is None:
        raise ConfigError(f"the plots of {option} need matplotlib: pip install 'agentfly-framework[report]'")
    path = Path(given).expanduser().absolute()
    if path.is_dir():
        raise InputError(f"{option} {given} is a folder; give the name of a file in it")
    if not path.parent.is_dir():
        raise InputError(f"{option} {given}: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"{option} {given} cannot be written")
    return path
