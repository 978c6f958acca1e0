"""The server in this process, asked by the official client in both of its protocols."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, ElicitResult, ListRootsResult, Root

from agentfly import Agent
from agentfly import tool as made_tool
from agentfly.errors import ConfigError
from agentfly.mcpserver.server import Terms, build
from agentfly.mcpserver.shared import SharedAgent
from agentfly.testing import ScriptedModel

RIGHT = "Adding up.\n```python\nfinal_answer(sum([1, 2, 3]))\n```"
WRONG = "```python\nfinal_answer(7)\n```"
READS = "```python\nfinal_answer(open('numbers.txt').read().strip())\n```"
RULE = "When numbers are to be added, use sum()."
DIAGNOSIS = json.dumps({"diagnosis": "It guessed.", "insight": RULE, "helpful": [], "harmful": []})
DELTA = json.dumps({"reason": "new", "operations": [{"op": "add", "section": "strategies", "text": RULE}]})

modes = pytest.mark.parametrize("mode", ["legacy", "auto"])


@pytest.fixture
def serving(tmp_path: Path) -> Callable[..., Any]:
    @asynccontextmanager
    async def open_client(
        *replies: Any, mode: str = "auto", terms: Terms = Terms(), **client: Any
    ) -> AsyncIterator[tuple[Client, SharedAgent]]:
        def make() -> Agent:
            return Agent(model=ScriptedModel(list(replies)), home=tmp_path / "home")

        async with SharedAgent(make) as agent, Client(build(agent, terms), mode=mode, **client) as connected:
            yield connected, agent

    return open_client


def texts(result: CallToolResult) -> list[str]:
    return [part.text for part in result.content if part.type == "text"]


@modes
async def test_run_then_recall(serving: Callable[..., Any], mode: str) -> None:
    told: list[tuple[float, str | None]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append((done, message))

    async with serving(RIGHT, mode=mode) as (client, _):
        asked = {"question": "What is 1 + 2 + 3?", "reference": "6"}
        result = await client.call_tool("run", asked, progress_callback=progress)
        assert not result.is_error
        outcome = result.structured_content
        assert (outcome["answer"], outcome["status"], outcome["reward"]) == ("6", "answered", 1.0)
        assert texts(result) == ["6", json.dumps(outcome, separators=(",", ":"))]
        assert [done for done, _ in told] == sorted({done for done, _ in told})
        assert any(message == "step 1 gave the answer: Adding up." for _, message in told)

        found = (await client.call_tool("recall", {"text": "What is 1 + 2 + 4?"})).structured_content["cases"]
        assert [case["id"] for case in found] == outcome["learned"]["cases"]
        assert (found[0]["solution"], found[0]["reward"]) == ("final_answer(sum([1, 2, 3]))", 1.0)
        assert 0.35 < found[0]["similarity"] <= 1.0
        assert (await client.call_tool("recall", {"text": "Paint the fence green"})).structured_content == {"cases": []}


async def test_the_outcome_is_the_contract_of_the_command_line(tmp_path: Path) -> None:
    from agentfly.cli.run import contract
    from agentfly.mcpserver.shapes import RunOutcome

    async with Agent(model=ScriptedModel([WRONG, DIAGNOSIS, DELTA, RIGHT]), home=tmp_path) as agent:
        result = await agent.arun("What is 1 + 2 + 3?", reference="6")
        assert result.learned.accepted
        assert RunOutcome.of(result).model_dump(mode="json") == contract(result)


@modes
async def test_a_persons_verdict_is_learned_from(serving: Callable[..., Any], mode: str) -> None:
    async with serving(WRONG, DIAGNOSIS, DELTA, mode=mode) as (client, agent):
        run = (await client.call_tool("run", {"question": "What is 1 + 2 + 3?"})).structured_content["run_id"]
        told = {"run_id": run, "reward": 0, "text": "It is 6.", "by": "person"}
        learned = (await client.call_tool("learn", told)).structured_content["learned"]
        assert (learned["accepted"], len(learned["cases"])) == (True, 1)
        book = (await client.call_tool("playbook", {})).structured_content
        assert [bullet["text"] for bullet in book["bullets"]] == [RULE]
        assert (await agent.opened()).runs.show(run).feedback.source == "human"


async def test_an_agents_own_verdict_is_tested_first(serving: Callable[..., Any]) -> None:
    async with serving(WRONG, DIAGNOSIS, DELTA, RIGHT) as (client, agent):
        run = (await client.call_tool("run", {"question": "What is 1 + 2 + 3?"})).structured_content["run_id"]
        learned = (await client.call_tool("learn", {"run_id": run, "reward": 0})).structured_content
        assert learned["learned"]["accepted"] is False  # nobody can judge the further attempt
        assert "could not be judged" in learned["reason"]
        assert (await agent.opened()).runs.show(run).feedback.source == "judge"
        assert (await client.call_tool("playbook", {})).structured_content["total"] == 0


@modes
async def test_a_rule_is_taught_and_the_history_says_by_whom(serving: Callable[..., Any], mode: str) -> None:
    async with serving(mode=mode) as (client, agent):
        taught = await client.call_tool("learn", {"rule": "Say the unit."})
        assert taught.structured_content["learned"] == {"cases": [], "delta": 1, "accepted": True}
        again = await client.call_tool("learn", {"rule": "Say the unit."})
        assert again.is_error
        assert texts(again)[0].startswith("this cannot be taught: ")
        await client.call_tool("learn", {"rule": "Round money to cents."})
        near = (await client.call_tool("playbook", {"query": "rounding of money", "limit": 1})).structured_content
        assert [bullet["text"] for bullet in near["bullets"]] == ["Round money to cents."]
        assert near["total"] == 2
        history = (await agent.opened()).playbook.history()
        assert {item.author for item in history} == {"import"}
        assert all(item.reason.startswith("taught over MCP by ") for item in history)


@modes
async def test_resources(serving: Callable[..., Any], mode: str) -> None:
    async with serving(RIGHT, mode=mode) as (client, _):
        assert [str(item.uri) for item in (await client.list_resources()).resources] == ["agentfly://playbook"]
        (template,) = (await client.list_resource_templates()).resource_templates
        assert template.uri_template == "agentfly://runs/{id}"
        asked = {"question": "What is 1 + 2 + 3?", "reference": "the secret 6", "learn": False}
        run = (await client.call_tool("run", asked)).structured_content["run_id"]
        (record,) = (await client.read_resource(f"agentfly://runs/{run}")).contents
        assert json.loads(record.text)["answer"] == "6"
        assert "the secret 6" not in record.text
        (book,) = (await client.read_resource("agentfly://playbook")).contents
        assert (book.mime_type, "# Playbook" in book.text) == ("text/markdown", True)
        for uri in ("agentfly://runs/nothing", "agentfly://elsewhere", "file:///etc/passwd"):
            with pytest.raises(MCPError) as caught:
                await client.read_resource(uri)
            assert "\n" not in caught.value.error.message


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("run", {}, "run: question: Field required"),
        ("run", {"question": "   "}, "the question is empty"),
        ("run", {"question": "a\x00b"}, "run: question: it holds a NUL character; attach binary data as a file"),
        ("run", {"question": "x", "fiels": []}, "run: fiels: Extra inputs are not permitted"),
        ("recall", {"text": "x", "k": 0}, "recall: k: Input should be greater than or equal to 1"),
        ("learn", {"run_id": "x"}, "learn: give the reward too: 1 where the run's answer was right, 0 where it was wrong"),
        ("learn", {"run_id": "x", "reward": 1.5}, "learn: reward: Input should be less than or equal to 1"),
        ("learn", {"rule": "x", "reward": 1}, "learn: a rule has no reward: leave it out"),
        ("learn", {"run_id": "x", "rule": "y", "reward": 1}, "learn: give run_id and reward for a verdict on a run, or "
                                                             "rule for a rule, and not both"),
        ("learn", {"run_id": "nothing", "reward": 1}, "no run has an id that begins with 'nothing'"),
        ("forget", {}, "there is no tool 'forget'; there is run, recall, playbook, learn"),
    ],
)  # fmt: skip
async def test_mistakes_are_one_clear_line(
    serving: Callable[..., Any], tool: str, arguments: dict[str, Any], said: str
) -> None:
    async with serving() as (client, _):
        result = await client.call_tool(tool, arguments)
    assert result.is_error
    (line,) = texts(result)
    assert line.startswith(said)
    assert "\n" not in line


async def test_an_agent_that_cannot_be_made_is_a_tool_error_and_tried_again() -> None:
    made: list[int] = []

    def make() -> Agent:
        made.append(1)
        raise ConfigError("there is\nno such model")

    async with SharedAgent(make) as agent, Client(build(agent, Terms())) as client:
        assert len((await client.list_tools()).tools) == 4
        assert not made  # nothing is opened before it is needed
        for _ in range(2):
            result = await client.call_tool("recall", {"text": "x"})
            assert (result.is_error, texts(result)) == (True, ["there is no such model"])
    assert len(made) == 2


async def test_a_failed_provider_is_an_error_with_its_record(serving: Callable[..., Any]) -> None:
    from agentfly.errors import ProviderError

    async with serving(ProviderError("the provider is down")) as (client, _):
        result = await client.call_tool("run", {"question": "What is 1 + 2 + 3?"})
        assert result.is_error
        assert result.structured_content["status"] == "error"
        assert texts(result)[0] == "no answer: the provider is down"


async def test_read_only_offers_recall_and_playbook_alone(serving: Callable[..., Any]) -> None:
    async with serving(terms=Terms(read_only=True)) as (client, _):
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == ["recall", "playbook"]
        assert all(tool.annotations.read_only_hint for tool in tools)
        assert (await client.call_tool("learn", {"rule": "x"})).is_error
        assert (await client.list_resource_templates()).resource_templates == []
        with pytest.raises(MCPError):
            await client.read_resource("agentfly://runs/x")
        assert (await client.call_tool("playbook", {})).structured_content["total"] == 0


async def test_schemas_are_lean_and_hints_are_told(serving: Callable[..., Any]) -> None:
    async with serving() as (client, _):
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    for tool in tools.values():
        given = json.dumps(tool.input_schema)
        assert '"title"' not in given + json.dumps(tool.output_schema)
        assert "null" not in given  # leaving an argument out says the same
        assert all(field["description"] for field in tool.input_schema["properties"].values())
        assert tool.output_schema["type"] == "object"
    hints = {name: tool.annotations for name, tool in tools.items()}
    assert [name for name, hint in hints.items() if hint.read_only_hint] == ["recall", "playbook"]
    assert [name for name, hint in hints.items() if hint.destructive_hint] == ["learn"]
    assert [name for name, hint in hints.items() if hint.open_world_hint] == ["run", "learn"]


@modes
async def test_files_come_from_the_folders_that_the_client_has_open(
    serving: Callable[..., Any], mode: str, tmp_path: Path
) -> None:
    folder = tmp_path / "my project"
    folder.mkdir()
    (folder / "numbers.txt").write_text("27")
    (tmp_path / "secret.txt").write_text("no")

    async def roots(context: Any) -> ListRootsResult:
        return ListRootsResult(roots=[Root(uri=folder.as_uri())])

    async with serving(READS, READS, mode=mode, list_roots_callback=roots) as (client, _):
        for path in ("numbers.txt", str(folder / "numbers.txt")):
            result = await client.call_tool("run", {"question": f"What is in it? {path}", "files": [path]})
            assert texts(result)[0] == "27"
        refused = await client.call_tool("run", {"question": "x", "files": ["../secret.txt"]})
        assert refused.is_error
        assert str(folder) in texts(refused)[0]


@modes
@pytest.mark.parametrize("terms", ["--root", "of another machine"])
async def test_what_the_client_says_does_not_widen_the_servers_own_roots(
    serving: Callable[..., Any], mode: str, terms: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "allowed"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (tmp_path / "secret.txt").write_text("no")
    own = Terms(roots=(folder,)) if terms == "--root" else Terms(own_client=False)

    async def roots(context: Any) -> ListRootsResult:
        return ListRootsResult(roots=[Root(uri="file:///")])

    async with serving(mode=mode, terms=own, list_roots_callback=roots) as (client, _):
        refused = await client.call_tool("run", {"question": "x", "files": [str(tmp_path / "secret.txt")]})
        assert refused.is_error
        assert texts(refused)[0].endswith(f"there is no such file below {folder}")


@pytest.mark.parametrize(("mode", "permit", "ending"), [
    ("legacy", "yes", "sent"), ("legacy", "no", "refused"), ("legacy", ["yes"], "refused"),
    ("legacy", None, "refused"), ("auto", "yes", "waiting"),
])  # fmt: skip
async def test_a_person_is_asked_where_the_client_can(
    mode: str, permit: str | list[str] | None, ending: str, tmp_path: Path
) -> None:
    sent, asked = list[str](), list[str]()

    @made_tool(risk="write")
    def send(text: str) -> str:
        """Send a text."""
        sent.append(text)
        return "done"

    async def elicit(context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"permit": permit}) if permit else ElicitResult(action="decline")

    def make() -> Agent:
        code = "```python\ntry:\n    send('hi')\nexcept Exception:\n    pass\nfinal_answer(1)\n```"
        model = ScriptedModel([code] * 3)
        return Agent(model=model, home=tmp_path, tools=[send], settings={"approve": "ask"})

    async with (
        SharedAgent(make) as agent,
        Client(build(agent, Terms()), mode=mode, elicitation_callback=elicit) as client,
    ):
        result = await client.call_tool("run", {"question": "Send hi"})
    status = result.structured_content["status"]
    assert status == ("waiting" if ending == "waiting" else "answered")
    assert sent == (["hi"] if ending == "sent" else [])
    assert asked == ([] if ending == "waiting" else ['May agentfly call send (write) with {"text": "hi"}?'])
    if ending == "waiting":
        assert "agentfly runs resume " in texts(result)[0]


@modes
async def test_a_client_that_goes_away_stops_its_run(serving: Callable[..., Any], mode: str, tmp_path: Path) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    class Slow(ScriptedModel):
        async def complete(self, *args: Any, **kwargs: Any) -> Any:
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0.05)  # cleaning up takes several turns, and none is cut off
                ended.set()

    async with (
        SharedAgent(lambda: Agent(model=Slow([]), home=tmp_path)) as agent,
        Client(build(agent, Terms()), mode=mode) as client,
    ):
        call = asyncio.create_task(client.call_tool("run", {"question": "Wait for ever"}))
        await asyncio.wait_for(begun.wait(), 30)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(ended.wait(), 5)
        store = (await agent.opened()).runs
        while store.recent(1)[0].status == "running":
            await asyncio.sleep(0.01)
        assert store.recent(1)[0].status == "interrupted"
        assert not (await client.call_tool("recall", {"text": "x"})).is_error


def test_without_the_sdk_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "mcp.server.lowlevel", None)
    with pytest.raises(ConfigError, match=r"pip install 'agentfly-framework\[mcp\]'"):
        build(SharedAgent(lambda: None), Terms())  # type: ignore[arg-type, return-value]
