"""The main job on the real thing: embedded model, sandbox, home; learned from once, recalled the next time."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentfly import Agent
from agentfly.protocols import Model

TABLE = Path(__file__).parents[2] / "examples" / "household" / "2023" / "validation" / "takings_quay.csv"


@pytest.mark.embedded
async def test_a_task_over_a_file_is_solved_remembered_and_recalled(embedded_model: Model, tmp_path: Path) -> None:
    question = "How many different values are there in the column branch?"
    values = str(len({line.split(";")[1] for line in TABLE.read_text().splitlines()[1:]}))
    async with Agent(model=embedded_model, home=tmp_path) as agent:
        first = await agent.arun(question, files=[TABLE], reference=values)
        assert (first.status, first.answer, first.reward) == ("answered", values, 1.0)
        assert "final_answer" in agent.bank.get(first.learned.cases[0]).solution
        assert first.attempt.sandbox in {"bubblewrap", "landlock"}
    async with Agent(model=embedded_model, home=tmp_path) as agent:
        again = await agent.arun(question, files=[TABLE], reference=values, learn=False)
        assert (again.recalled, again.reward) == (first.learned.cases, 1.0)
