"""What a model can do, by its name. No one is asked, and nothing is loaded that the name alone can answer."""

from __future__ import annotations

from agentfly.models.choose import DEFAULTS, EMBEDDED


def sees(name: str) -> bool:
    """Whether a model is known to look at images; ``provider/model``, or ``embedded``, which does not."""
    if name == EMBEDDED or "/" not in name:
        return False
    from agentfly.models.litellm import sees as listed

    return listed(name)


def calls_functions(name: str) -> bool:
    """Whether a model is known to call functions natively.

    Args:
        name: ``embedded`` or ``provider/model``.

    Returns:
        False for the embedded model, which writes better Python than calls, and for models that nobody knows.
    """
    if name == EMBEDDED or "/" not in name:
        return False
    if name in DEFAULTS.values():
        return True
    from agentfly.models.litellm import calls_functions as listed

    return listed(name)
