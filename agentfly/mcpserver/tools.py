"""The four tools. Nothing here knows the protocol: `agentfly.mcpserver.server` does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from agentfly.mcpserver.files import attachments
from agentfly.mcpserver.progress import Progress, Report
from agentfly.mcpserver.shapes import (
    BulletShape,
    CaseShape,
    LearnArguments,
    LearnedShape,
    LearnOutcome,
    PlaybookArguments,
    PlaybookOutcome,
    RecallArguments,
    RecallOutcome,
    RunArguments,
    RunOutcome,
)
from agentfly.mcpserver.shared import SharedAgent, apart
from agentfly.playbooks.teaching import teach
from agentfly.types import Bullet, Decision, Feedback, FeedbackSource, Pending, RunResult

if TYPE_CHECKING:
    from agentfly.agent import Agent
    from agentfly.store.runs import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls a tool, and what the call can reach."""

    agent: SharedAgent
    roots: Callable[[], Awaitable[Sequence[Path]]]
    """Folders that files may come from."""
    report: Report
    name: str = ""
    """What the client calls itself."""
    approve: Callable[[Pending], Awaitable[Decision]] | None = None
    """Asks the person at the client; None where that cannot be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of a call."""

    outcome: BaseModel
    text: str = ""
    """For models to read, before the outcome as JSON."""
    failed: bool = False
    untrusted: bool = False
    """Whether content from outside was read on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One tool."""

    name: str
    title: str
    description: str
    takes: type[BaseModel]
    gives: type[BaseModel]
    do: Callable[[Any, Caller], Awaitable[Done]]
    hints: Mapping[str, bool] = field(default_factory=dict)


async def run(asked: RunArguments, caller: Caller) -> Done:
    files = attachments(asked.files, await caller.roots()) if asked.files else ()
    agent = await caller.agent.ready()
    async with Progress(caller.report) as progress:
        work = agent.arun(
            asked.question,
            files=files,
            reference=asked.reference,
            learn=asked.learn,
            approve=caller.approve if agent.settings.approve == "ask" else None,
            on_event=progress.on_event,
        )
        result = await apart(work)
    return Done(
        outcome=RunOutcome.of(result),
        text=result.answer if result.answer is not None else f"no answer: {_ending(result)}",
        failed=result.status == "error",
        untrusted=result.attempt.untrusted,
    )


async def recall(asked: RecallArguments, caller: Caller) -> Done:
    agent = await caller.agent.opened()
    wanted = agent.settings.recall
    found = await asyncio.to_thread(
        agent.bank.recall,
        asked.text,
        asked.k,
        candidates=max(wanted.candidates, asked.k),
        floor=wanted.floor,
        failures=wanted.failures,
        diversity=wanted.diversity,
    )
    cases = [CaseShape.of(one) for one in found]
    return Done(outcome=RecallOutcome(cases=cases), untrusted=any(case.untrusted for case in cases))


async def playbook(asked: PlaybookArguments, caller: Caller) -> Done:
    agent = await caller.agent.opened()
    return await asyncio.to_thread(_look_up, agent, asked)


async def learn(asked: LearnArguments, caller: Caller) -> Done:
    if asked.rule is not None:
        ledger = (await caller.agent.opened()).playbook
        reason = f"taught over MCP{f' by {caller.name}' if caller.name else ''}"
        learned = await asyncio.to_thread(teach, ledger, asked.rule, asked.section, author="import", reason=reason)
    else:
        assert asked.run_id is not None
        assert asked.reward is not None
        agent = await caller.agent.ready()
        record = agent.runs.show(asked.run_id)
        feedback = Feedback(reward=asked.reward, text=asked.text, source=source_of(asked.by, record))
        async with Progress(caller.report) as progress:
            learned = await apart(agent.alearn(record.id, feedback, on_event=progress.on_event))
    return Done(outcome=LearnOutcome(learned=LearnedShape.of(learned), reason=learned.reason))


def source_of(by: str, record: RunRecord) -> FeedbackSource:
    """Who a verdict counts as. A person's word comes here through a model: where the run read content from outside, that
    content has reached the model as well, and the word is taken for the model's own."""
    untrusted = any(attempt.untrusted for attempt in record.attempts)
    return "human" if by == "person" and not untrusted else "judge"


def _ending(result: RunResult) -> str:
    attempt = result.attempt
    if result.status == "waiting":
        tools = ", ".join(dict.fromkeys(call.tool for call in result.pending))
        return f"the run waits for a person to permit its call of {tools}: agentfly runs resume {result.run_id}"
    if attempt.status == "limit":
        return f"the limit of {attempt.reason} was reached; the server's --set limits.{attempt.reason}=… raises it"
    return attempt.reason or attempt.status.replace("_", " ")


def _look_up(agent: Agent, asked: PlaybookArguments) -> Done:
    book = agent.playbook.current()
    near = agent.playbook.relevant(asked.query) if asked.query else {}
    bullets: list[Bullet] = list(book.bullets)
    if asked.query:
        bullets.sort(key=lambda bullet: -near.get(bullet.id, -1.0))  # stable: of equals the earlier
    shown = [BulletShape.of(bullet, near.get(bullet.id)) for bullet in bullets[: asked.limit]]
    lines = [f"[{bullet.id}] {bullet.text}" for bullet in shown if bullet.kind != "check"]
    outcome = PlaybookOutcome(version=book.version, tokens=book.tokens, total=len(book), bullets=shown)
    return Done(outcome=outcome, text="\n".join(lines) or "the playbook is empty")


_LOOKS = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}

RECALL = Offer(
    name="recall",
    title="Recall past cases",
    description="Past tasks that are like this one: what was asked, the code or plan that was tried, what it earned, "
    "and the lesson. Changes nothing, calls no model.",
    takes=RecallArguments,
    gives=RecallOutcome,
    do=recall,
    hints=_LOOKS,
)
PLAYBOOK = Offer(
    name="playbook",
    title="Read the playbook",
    description="The short strategies (bullets) that were learned from past tasks, with their ids and how often each helped. "
    "Changes nothing, calls no model.",
    takes=PlaybookArguments,
    gives=PlaybookOutcome,
    do=playbook,
    hints=_LOOKS,
)
RUN = Offer(
    name="run",
    title="Run a task",
    description="Hand a task to the agentfly agent: it recalls like cases, works with code and tools in a sandbox, and "
    "answers. Takes seconds to minutes. It learns where a reference is given; tell it afterwards with `learn` "
    "how good its answer was.",
    takes=RunArguments,
    gives=RunOutcome,
    do=run,
    hints={"readOnlyHint": False, "destructiveHint": False, "idempotentHint": False, "openWorldHint": True},
)
LEARN = Offer(
    name="learn",
    title="Learn from a verdict",
    description="Tell the agent how good the answer of a run was (run_id, reward, and why), so that it does better next "
    "time; or give it one rule for its playbook (rule). Changes what later runs read; the playbook's history can "
    "take it back.",
    takes=LearnArguments,
    gives=LearnOutcome,
    do=learn,
    # Deltas also change and merge bullets, and a rule is read by all later runs: clients had better ask first.
    hints={"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": True},
)

READING = (RECALL, PLAYBOOK)
ALL = (RUN, RECALL, PLAYBOOK, LEARN)
