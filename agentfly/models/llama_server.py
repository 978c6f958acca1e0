"""The llama.cpp server as a process of its own (sole import of xllamacpp).

Loading weights holds Python's interpreter lock for seconds, in which no Ctrl-C could be served; and a crash in native
code must not take the user's session along. So the server runs in a child, which is this file run as a script: one JSON line on stdin says what to serve, one on stdout says where, and the end of stdin is the end of the process.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any


def main() -> None:
    """Serve until stdin is closed, which also happens when the parent is killed."""
    asked = json.loads(sys.stdin.buffer.readline())
    _die_with_parent()
    answer = _private_stdout()
    try:
        server = _serve(asked)
    except Exception as error:  # noqa: BLE001 - reported to the parent, which raises it
        answer.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
        answer.flush()
        os._exit(1)
    answer.write(json.dumps({"address": server.listening_address}) + "\n")
    answer.flush()
    sys.stdin.buffer.read()
    os._exit(0)  # the server's threads have nothing to save


def _die_with_parent() -> None:
    """Let the kernel end this process when stdin closes, for Python cannot look while the weights load."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        import fcntl

        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    except (ImportError, AttributeError, OSError):  # elsewhere the load is waited for
        return


def _private_stdout() -> Any:
    """Keep stdout for the answer and send what native code prints there to stderr."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answer


def _serve(asked: dict[str, Any]) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = asked["weights"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [asked["key"]]
    params.cors_origins = ""
    params.ui = False
    params.verbosity = 0
    params.use_jinja = True
    params.n_parallel = asked["slots"]
    params.n_ctx = asked["slots"] * asked["context"]
    params.cpuparams.n_threads = asked["threads"]
    params.cpuparams_batch.n_threads = asked["threads"]
    params.cache_prompt = True
    params.cache_ram_mib = asked["cache_mib"]
    params.fit_params = False  # it loads the model twice to see what fits a graphics card
    params.warmup = False  # the first prompt warms up just as well, and the start is shorter
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
