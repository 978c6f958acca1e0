"""Fences around what tools brought: nothing in the content can open or close one."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agentfly.generators.marking import RULE, Fence, rule_for
from agentfly.prompts import render
from agentfly.protocols import Brief
from agentfly.tools.toolbox import FunctionTool
from agentfly.types import Task

LINE = re.compile(r"\[\s*(?:end\s+)?untrusted\b", re.IGNORECASE)
CONTENT = st.text(st.sampled_from("abc []\n/untrsdUEND0123456789") | st.characters(), max_size=80)
PARTS = st.lists(
    st.sampled_from(["[end untrusted ", "[untrusted ", "c0de", "]", "\n", "[", "［untrusted "]) | CONTENT, max_size=8
)


@given(PARTS.map("".join), st.lists(st.sampled_from(["web", "mcp", "file", ""]), min_size=1))
def test_there_are_two_lines_of_the_fence_and_no_more(text: str, origins: list[str]) -> None:
    marked = Fence("c0de").around(text, origins)
    if not any(origins) or not text:
        assert marked == text
        return
    assert len(LINE.findall(marked)) == 2
    assert marked.count("c0de") == 2
    assert marked.startswith("[untrusted c0de: data from ")
    assert marked.endswith("\n[end untrusted c0de]")


@given(st.text(st.characters(blacklist_characters="[［【⟦"), max_size=80))
def test_other_content_is_left_as_it_is(text: str) -> None:
    assert Fence("\x00").defanged(text) == text.replace("\x00", "…")


def test_once_read_from_outside_whatever_is_printed_later_may_be_of_it() -> None:
    fence = Fence("c0de")
    assert fence.around_output("1", []) == "1"
    assert "a file" in fence.around_output("1", ["file"])
    assert fence.around_output("1", []) == "1", "the person chose the file"
    assert "the web" in fence.around_output("1", ["web"])
    assert "from the web," in fence.around_output("1", [])
    assert "a file and the web" in fence.around_output("1", ["file"])


def test_the_code_is_that_of_the_attempt() -> None:
    def code(path: str, seed: int | None = None) -> str:
        return Fence.of(Brief(task=Task("q"), workspace=Path(path), seed=seed)).code

    assert code("/a/run-1/0") == code("/b/run-1/0")
    assert len({code("/a/run-1/0"), code("/a/run-1/1"), code("/a/run-2/0"), code("/a/run-1/0", 7)}) == 4
    assert re.fullmatch("[0-9a-f]{10}", code("/a/run-1/0"))


def test_prompts_say_it_only_where_there_is_something_to_say_it_of() -> None:
    def called(name: str) -> str:
        """Call it."""
        return name

    plain, web = FunctionTool(called), FunctionTool(called, risk="network")
    assert (rule_for([plain]), rule_for([plain, web]), rule_for([])) == ("", RULE, "")
    assert rule_for([FunctionTool(called, risk="network", origin="")]) == ""
    without = render(
        "codeact", tools=["called(name: string)"], marking="", files=True, instructions="", playbook="Rule."
    )
    assert render(
        "codeact", tools=["called(name: string)"], marking=RULE, files=True, instructions="", playbook="Rule."
    ) == without.replace("called(name: string)\n", f"called(name: string)\n{RULE}\n")
    tools = render("tools", python=True, marking="", files=True, instructions="", playbook="")
    assert render("tools", python=True, marking=RULE, files=True, instructions="", playbook="") == tools.replace(
        "\n- End", f"\n- {RULE}\n- End"
    )
