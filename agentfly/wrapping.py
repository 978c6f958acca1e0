"""Learning around an agent that is not ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from agentfly.agent import Agent, ScorerLike
from agentfly.generators.runnables import callee
from agentfly.generators.wrapped import WrappedGenerator

if TYPE_CHECKING:
    from agentfly.events import Notice
    from agentfly.protocols import Model


def wrap(
    agent: Any,
    home: str | Path | None = None,
    *,
    context: Literal["auto", "argument", "system", "question"] = "auto",
    input: Callable[..., Any] | None = None,
    answer: Callable[[Any], Any] | None = None,
    config: Mapping[str, Any] | None = None,
    name: str = "",
    outside: bool | None = None,
    model: str | Model | None = None,
    scorer: ScorerLike | None = None,
    policy: str | None = None,
    gate: str | None = None,
    settings: Mapping[str, Any] | None = None,
    notify: Callable[[Notice], None] | None = None,
) -> Agent:
    """Learn around an agent of any make: what helped before is put before it, and its results are learned from.

    Args:
        agent: a function of the question, plain or asynchronous, which gets what was recalled where it has a parameter ``context``, and
            where it has parameters of these names the ``task``, its ``files``, and a ``workspace`` folder; or whatever has ``invoke`` or ``ainvoke``, such as a
            chain of LangChain or a compiled graph of LangGraph. It gives text, a number, a dictionary or an object with ``answer`` or
            ``output``, or messages; ``steps`` and ``messages`` beside it become the steps of the attempt.
        home: folder that holds what is learned; see `agentfly.layers.home_path` for the default.
        context: where what was recalled goes: an argument, a system message, or before the question. ``auto`` takes the first of these
            that the agent has a place for.
        input: makes the input of a runnable: a function of the question which may ask for the others too. By
            default the input goes by the runnable's schema.
        answer: takes the answer out of what the agent gives, where it stands in no usual place.
        config: goes along with each call of a runnable, as LangChain's ``config``.
        name: of the agent on record; by default its own.
        outside: whether the agent reads content that the person did not choose, which is kept from teaching anything by itself. None goes
            by the names of the tools that it called.
        model: reflects and curates; the agent itself is not asked which model it uses.
        scorer: as for `Agent`.
        policy: as for `Agent`.
        gate: as for `Agent`.
        settings: as for `Agent`; those of strategies, tools and sampling have no effect on what is not ours.
        notify: as for `Agent`.

    Returns:
        An `Agent` that acts by calling what was given: ``run``, ``learn``, ``learn_tasks`` and the rest are the same.

    Raises:
        ConfigError: the agent cannot be called so, or a setting is wrong.
        HomeError: the home cannot be used.
    """
    asked = callee(agent, name, None if context == "auto" else context, input, config)
    return Agent(
        generator=WrappedGenerator(asked, extract=answer, outside=outside),
        model=model,
        home=home,
        scorer=scorer,
        policy=policy,
        gate=gate,
        settings=settings,
        notify=notify,
    )
