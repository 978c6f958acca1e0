"""Every Python example in README and docs runs as it stands, on a scripted model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import agentfly.models.choose
from agentfly.config import Settings
from agentfly.testing import ScriptedModel

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
REPLY = """```python
try:
    answer = round(2 * exchange_rate("USD"), 2)
except NameError:
    answer = 21
final_answer(answer)
```"""


def examples() -> list[tuple[str, str]]:
    return [
        (f"{page.name}-{number}", block)
        for page in PAGES
        for number, block in enumerate(re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.M | re.S), start=1)
    ]


@pytest.mark.parametrize(("name", "source"), examples(), ids=lambda value: value if len(value) < 40 else "")
def test_example_runs(
    name: str, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def scripted(name: str, settings: Settings, notify: object = None) -> ScriptedModel:
        return ScriptedModel([REPLY] * 3)

    monkeypatch.setattr(agentfly.models.choose, "open_model", scripted)
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    monkeypatch.setenv("AGENTFLY_STRATEGY", "codeact")  # as the replies are written
    exec(compile(source, name, "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.strip(), "an example shows something"


def test_there_are_examples() -> None:
    assert len(examples()) >= 4
