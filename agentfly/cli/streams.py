"""Standard output kept for one object, whatever libraries print."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any


def print_json(data: Any) -> None:
    """One JSON value on standard output, in ASCII so that it survives every encoding and no control code gets through."""
    sys.stdout.write(json.dumps(data, ensure_ascii=True, allow_nan=False) + "\n")


@contextlib.contextmanager
def reserved_stdout() -> Iterator[Callable[[Any], None]]:
    """Everything written to standard output goes to standard error, but what the yielded function prints as JSON.

    The file descriptor is swapped too, since native libraries write past `sys.stdout`.
    """
    printed: list[Any] = []
    with _descriptor_to_stderr(), contextlib.redirect_stdout(sys.stderr):
        yield printed.append
    for data in printed:
        print_json(data)


@contextlib.contextmanager
def _descriptor_to_stderr() -> Iterator[None]:
    try:
        own = sys.stdout.fileno() == 1
    except (io.UnsupportedOperation, AttributeError, ValueError):
        own = False
    if not own:
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
