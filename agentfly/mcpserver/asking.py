"""Permission for a call of a tool, asked of the person at the client."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from agentfly.types import Decision, Pending

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

_LONGEST = 2000
_ANSWERS: dict[str, Decision] = {"yes": True, "always": "always"}
_FORM = {
    "type": "object",
    "properties": {
        "permit": {
            "type": "string",
            "enum": ["yes", "no", "always"],
            "description": "always: every call of this tool in this run",
        }
    },
    "required": ["permit"],
}


def asking(context: ServerRequestContext[Any, Any]) -> Callable[[Pending], Awaitable[Decision]] | None:
    """Asks the person at the client; None where the client cannot put a question while a call goes on."""
    from mcp_types.version import MODERN_PROTOCOL_VERSIONS

    can = context.session.client_capabilities
    if can is None or can.elicitation is None or context.protocol_version in MODERN_PROTOCOL_VERSIONS:
        return None

    async def ask(call: Pending) -> Decision:
        from mcp.shared.exceptions import MCPError

        try:
            said = await context.session.elicit_form(question(call), _FORM, related_request_id=context.request_id)
        except MCPError:  # nobody could be asked: that is no permission
            return False
        permit = (said.content or {}).get("permit") if said.action == "accept" else None
        return _ANSWERS.get(permit, False) if isinstance(permit, str) else False

    return ask


def question(call: Pending) -> str:
    """What is asked: the tool, what it may do, and all that it is given."""
    given = json.dumps(dict(call.arguments), ensure_ascii=False, default=str)
    shown = given if len(given) <= _LONGEST else f"{given[:_LONGEST]}… ({len(given):,} characters)"
    return f"May agentfly call {call.tool} ({call.risk}) with {shown}?"
