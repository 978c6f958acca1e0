"""What can be read by address: the playbook, and the record of a run."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from agentfly.errors import InputError

if TYPE_CHECKING:
    from agentfly.agent import Agent

PLAYBOOK = "agentfly://playbook"
RUN = "agentfly://runs/{id}"
_RUN = re.compile(r"agentfly://runs/(?P<id>[^/?#]+)")


def read(agent: Agent, uri: str, *, runs: bool = True) -> tuple[str, str]:
    """Media type and text of what stands at an address.

    Args:
        agent: an open one.
        uri: as a client wrote it.
        runs: whether the record of runs may be read.

    Raises:
        InputError: there is nothing, or no such run.
    """
    if uri.rstrip("/") == PLAYBOOK:
        from agentfly.playbooks.render import to_markdown

        return "text/markdown", to_markdown(agent.playbook.current())
    found = _RUN.fullmatch(uri)
    if not runs or found is None:
        raise InputError(f"there is nothing at {uri}; there is {PLAYBOOK}{f' and {RUN}' if runs else ''}")
    return "application/json", run_record(agent, unquote(found["id"]))


def run_record(agent: Agent, run_id: str) -> str:
    """A run's record as JSON, without the reference: whoever asks may be about to try the task.

    Raises:
        InputError: no such run, or several.
    """
    from agentfly.records import to_data

    data = to_data(agent.runs.show(run_id))
    data["task"].pop("reference", None)
    return json.dumps(data, ensure_ascii=False, indent=1)
