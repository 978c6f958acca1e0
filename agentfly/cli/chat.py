"""`agentfly chat`: ask, judge, teach."""

from __future__ import annotations

import typer

from agentfly.cli import options


def chat(
    file: options.Files = None,
    model: options.ModelName = None,
    strategy: options.Strategy = None,
    home: options.Home = None,
    gate: options.GateName = None,
    policy: options.Policy = None,
    tools: options.Tools = None,
    mcp: options.Mcp = None,
    approve: options.Approve = None,
    unsafe_code: options.UnsafeCode = False,
    steps: options.Steps = None,
    seconds: options.Seconds = None,
    tokens: options.Tokens = None,
    temperature: options.Temperature = None,
    seed: options.Seed = None,
    set_: options.Sets = None,
    debug: options.Debug = False,
) -> None:
    """Talk with the agent and teach it: /good, /bad WHY, /teach TEXT. Ctrl-C stops an answer, Ctrl-D ends.

    \b
    Example:
      agentfly chat --file prices.csv
    """
    layer = options.overrides(
        set_, model=model, strategy=strategy, gate=gate, policy=policy, limits__steps=steps, limits__seconds=seconds,
        limits__tokens=tokens, temperature=temperature, seed=seed, tools__builtin=tools,
        mcp__config=mcp, approve=approve, unsafe_code=unsafe_code or None,
    )  # fmt: skip
    files = options.check_files(file)
    path = options.check_settings(home, layer)

    from agentfly.cli.conversation import Conversation
    from agentfly.cli.session import Session
    from agentfly.cli.views import console
    from agentfly.cli.views.chat import ChatView

    view = ChatView(console.out(), console.err())
    with Session(path, layer, view) as session:
        Conversation(session, view, files).hold()
    raise typer.Exit(0)
