"""What an attempt at a benchmark's task is told: nothing by which the benchmark or the answer could be looked up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentfly import Agent
from agentfly.bench.attachments import Attachments, file_types
from agentfly.bench.datasets import load_dataset
from agentfly.errors import InputError
from agentfly.testing import ScriptedModel
from agentfly.types import Task

ID = "32102e3e-d12a-4209-9163-7b3a104efe5d"
ROW = {
    "task_id": ID,
    "Question": "What is the sum of the column in the attached file?",
    "Level": 1,
    "Final answer": "1903",
    "file_name": f"{ID}.csv",
    "Annotator Metadata": {"Steps": "open it in a spreadsheet, add zebra"},
}
LOOK = """```python
import os
print(sorted(os.listdir(".")), os.getcwd(), open(sorted(os.listdir("."))[0]).read())
print({key: value for key, value in os.environ.items()})
print([name for name in os.listdir("/tmp")])
```"""
ANSWER = '```python\nrows = open("attachment.csv").read().split()[1:]\nfinal_answer(sum(map(int, rows)))\n```'


def test_no_prompt_and_no_workspace_tells_what_the_task_is(tmp_path: Path) -> None:
    folder = tmp_path / "gaia-benchmark" / "2023" / "validation"
    folder.mkdir(parents=True)
    (folder / "metadata.jsonl").write_text(json.dumps(ROW) + "\n")
    (folder / f"{ID}.csv").write_text("n\n1900\n3\n")
    (task,) = load_dataset(tmp_path / "gaia-benchmark").tasks
    model = ScriptedModel([LOOK, ANSWER])
    with Agent(model=model, home=tmp_path / "home", settings={"tools.builtin": "auto"}) as agent:
        result = agent.run(task, learn=False)
    assert (result.answer, result.reward) == ("1903", 1.0)
    assert "['attachment.csv']" in result.attempt.steps[0].observation
    told = [message.content for call in model.calls for message in call.messages]
    tools = [str(call.options) for call in model.calls]
    for secret in (ID, "gaia-benchmark", str(folder), "metadata.jsonl", "zebra", "Annotator", "1903"):
        assert not [text for text in (*told, *tools) if secret in text], secret
    assert [text for text in told if "attachment.csv" in text]


def test_file_types() -> None:
    assert file_types(Task("q")) == {"none"}
    assert file_types(Task("q", files=(Path("a.PDF"), Path("b.tar.gz"), Path("c")))) == {"pdf", "gz"}


def test_the_blobs_of_the_cache_are_inside_and_others_are_not(tmp_path: Path) -> None:
    shot = tmp_path / "datasets--o--n" / "snapshots" / "abc"
    blobs = tmp_path / "datasets--o--n" / "blobs"
    for place in (shot, blobs):
        place.mkdir(parents=True)
    (blobs / "123").write_text("x")
    (tmp_path / "secret").write_text("x")
    (shot / "a.csv").symlink_to("../../blobs/123")
    (shot / "b.csv").symlink_to(tmp_path / "secret")
    (shot / "c.csv").symlink_to("../../blobs/gone")
    here = Attachments(shot)
    here.require([Task("q", files=(shot / "a.csv",))])
    assert here.digest(shot / "a.csv") is not None
    for name, said in (("b.csv", "a link that leads out"), ("c.csv", "is missing")):
        assert here.digest(shot / name) is None
        with pytest.raises(InputError, match=said):
            here.require([Task("q", files=(shot / name,))])
