"""What an agent that is not ours raises: its own failure, or that of a provider, which says nothing about the task. Pure."""

from __future__ import annotations

import traceback

_AWAY = frozenset(
    {"APIConnectionError", "APITimeoutError", "RateLimitError", "InternalServerError", "ServiceUnavailableError"}
    | {"AuthenticationError", "PermissionDeniedError", "TransportError", "ConnectionError"}
)
"""By the names that clients of providers and of HTTP give them, bases included."""
_STATUS = frozenset({401, 402, 403, 408, 429})


def is_away(error: BaseException) -> bool:
    """Whether a provider failed and not the agent: out of reach, busy, or refusing the key."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and (status in _STATUS or status >= 500):
        return True
    return any(kind.__name__ in _AWAY for kind in type(error).__mro__)


def described(error: BaseException) -> str:
    """An error in a line, with the place where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" (in {frames[-1].name}, line {frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}{': ' if text else ''}{text}{place}"
