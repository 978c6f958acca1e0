"""The worker's loop: one block in, one result out."""

from __future__ import annotations

import gc
import importlib
import json
import os
import site
import sys
import types

from . import limits
from .channel import Channel

TYPE_CHECKING = False  # typing and its like are not imported here: a worker starts in half the time without them
if TYPE_CHECKING:
    from typing import Any

    from .execute import Block


def main(fd: int, text: str) -> None:
    """Serve a host until it goes away.

    Args:
        fd: the worker's end of the channel.
        text: options as JSON: those of `limits.apply`, ``tools`` (name, description), ``preimport`` (module names),
            ``packages`` (further import folders), ``prefix`` (`sys.prefix` of the host), ``keeper`` (whether to leave a keeper behind), ``confine`` (walls to put
            up, see `confine`). With ``checks`` it becomes a worker for checks, without tools, preimport and packages.
    """
    options = json.loads(text)
    if options["keeper"]:
        from .keeper import keep

        keep()
    limits.apply(options)
    if "confine" in options:
        from .confine import confine

        confine(options)
    os.set_inheritable(fd, False)
    channel = Channel(fd)
    if options.get("checks"):
        from .checks import serve

        serve(channel)
    os.register_at_fork(after_in_child=channel.close)  # what the code forks reports nothing and hears nothing
    from .brokered import Broker, ToolError  # here, for a worker for checks starts sooner without them
    from .execute import Block, Clock

    _as_with_site(options["prefix"])
    sys.path += [p for p in (*options["packages"], os.getcwd()) if p not in sys.path]  # noqa: PTH109
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    block = Block(_namespace(), Clock())
    block.namespace["ToolError"] = ToolError
    broker = Broker(channel, block.clock)
    for tool in options["tools"]:
        block.namespace[tool["name"]] = broker.function(tool["name"], tool["description"])
    channel.send({"op": "ready"})
    _warm(channel, options["preimport"])
    try:
        while True:
            _serve(channel, block)
    except (EOFError, OSError):  # the host is gone
        os._exit(0)


def _as_with_site(prefix: str) -> None:
    """What the module `site` does for a program, but for the ``.pth`` files: what they lead to cannot be seen from here."""
    sys.prefix = sys.exec_prefix = prefix
    for add in (site.setquit, site.setcopyright, site.sethelper):
        add()


def _namespace() -> dict[str, Any]:
    """The module that blocks run in: pickling, dataclasses and type hints look names up in `__main__`."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    return module.__dict__


def _serve(channel: Channel, block: Block) -> None:
    request = channel.receive()
    if request.get("op") != "run":
        return
    block.namespace["final_answer"] = block.final_answer  # in place again, should a block have covered it
    result = block.run(request["code"], request["seconds"])
    message = {"op": "result", "id": request["id"], **result}
    try:
        channel.send(message)
    except (ValueError, TypeError) as error:
        channel.send({"op": "result", "id": request["id"], "error": f"The answer cannot be handed over: {error}"})
    if "error" in result:
        gc.collect()


def _warm(channel: Channel, modules: list[str]) -> None:
    """Import what the code will want while the host's model is still writing it."""
    for name in modules:
        if channel.waiting(0.1):  # a host that has a block ready should not wait for imports it may not need
            return
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001, S112  # the code that needs it will see the error itself
            continue
