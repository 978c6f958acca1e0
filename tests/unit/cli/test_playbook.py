"""`agentfly playbook`: export, import, apply, edit, and what a person sees of it."""

from __future__ import annotations

import json
import os
import pty
import select
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentfly.cli import playbook_files
from agentfly.cli.playbook import KINDS
from agentfly.playbooks.delta import Delta
from agentfly.playbooks.exchange import FORMATS, agents
from agentfly.playbooks.ledger import PlaybookLedger
from agentfly.playbooks.playbook import Playbook
from agentfly.playbooks.starter import starter_names
from agentfly.store.home import Home

Run = Callable[..., Any]
MAIN = "import sys; from agentfly.cli.main import run_cli; sys.exit(run_cli(sys.argv[1:]))"
OPERATIONS = [
    {"op": "add", "section": "strategies", "text": "Round at the end. [red]x[/red]"},
    {"op": "add", "section": "strategies", "text": "Look at\n    the rows.", "kind": "example"},
    {"op": "add", "section": "checks", "text": "len(answer) < 10", "kind": "check"},
]


@pytest.fixture
def home(agentfly: Run, tmp_path: Path) -> Path:
    """A home at version 2: a strategy that helped once, an example, a check."""
    folder = tmp_path / "home"
    with Home.open(folder) as place:
        ledger = PlaybookLedger(place.db, place.playbook)
        ledger.commit(Delta.model_validate({"operations": OPERATIONS}), author="run")
        tag = {"op": "tag", "id": "str-00001", "tag": "helpful"}
        ledger.commit(Delta.model_validate({"operations": [tag]}), author="run")
    return folder


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes $EDITOR a program that runs these lines on ``text`` and ``path``, and saves ``text``."""

    def write(body: str, status: int = 0) -> None:
        script = tmp_path / "an editor.py"
        head = "import sys, pathlib\npath = pathlib.Path(sys.argv[-1])\ntext = path.read_text()\n"
        script.write_text(
            f"{head}{body}\nif path.exists(): path.write_bytes(text.encode('utf-8', 'surrogateescape'))\nsys.exit({status})\n"
        )
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv("EDITOR", f"'{sys.executable}' '{script}'")
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    return write


def book(folder: Path) -> Playbook:
    with Home.open(folder) as place:
        return PlaybookLedger(place.db, None).current()


def kept(folder: Path) -> list[Path]:
    return list(folder.glob("agentfly-playbook-*.md"))


def refused(done: Any, said: str) -> None:
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("agentfly: ")
    assert done.err.count("\n") == 1
    assert said in done.err


def test_the_helps_lists_are_the_real_ones() -> None:
    assert playbook_files.FORMATS == FORMATS
    assert starter_names() == playbook_files.STARTERS
    assert set(KINDS) == {"strategy", "example", "check"}


def test_show_one_kind(agentfly: Run, home: Path) -> None:
    out = agentfly("playbook", "show", "--kind", "check").out
    assert "1 bullet of kind check" in out
    assert "che-00003" in out
    assert "str-00001" not in out
    data = json.loads(agentfly("playbook", "show", "--kind", "example", "--json").out)
    assert [item["id"] for item in data["bullets"]] == ["str-00002"]
    refused(agentfly("playbook", "show", "--kind", "rule"), "strategy, example, check")


# Export and import


@pytest.mark.parametrize(
    ("name", "form"), [("b.json", "json"), ("b.txt", "ace"), ("AGENTS.md", "agents"), ("b", "json")]
)
def test_the_name_of_the_file_tells_the_format(agentfly: Run, home: Path, tmp_path: Path, name: str, form: str) -> None:
    done = agentfly("playbook", "export", tmp_path / name, "--json")
    data = json.loads(done.out)
    assert (data["format"], data["bullets"], data["left_out"]) == (
        form,
        3 if form == "json" else 2,
        0 if form == "json" else 1,
    )
    assert json.loads(agentfly("playbook", "import", tmp_path / name, "--home", tmp_path / "other", "--json").out)[
        "accepted"
    ]
    texts = {bullet.text for bullet in book(tmp_path / "other")}
    assert {"Round at the end. [red]x[/red]", "Look at\n    the rows."} <= texts


def test_what_is_left_out_is_said(agentfly: Run, home: Path, tmp_path: Path) -> None:
    done = agentfly("playbook", "export", tmp_path / "x.txt")
    assert done.out == f"2 bullets written to {tmp_path / 'x.txt'} as ace\n"
    assert done.err == "agentfly: 1 check left out: ace has no place for checks\n"


def test_export_to_standard_output_is_the_default(agentfly: Run, home: Path) -> None:
    assert json.loads(agentfly("playbook", "export").out)["version"] == 2
    assert agentfly("playbook", "export", "--format", "ace").out.startswith(
        "## strategies\n[str-00001] helpful=1 harmful=0 :: Round at the end. [red]x[/red]\n"
    )
    refused(agentfly("playbook", "export", "--json"), "leave --json out")


def test_a_persons_file_keeps_its_bytes_mode_and_link(agentfly: Run, home: Path, tmp_path: Path) -> None:
    own, link = tmp_path / "AGENTS.md", tmp_path / "CLAUDE.md"
    own.write_bytes(b"# Mine\n\nkeep \xff this")
    own.chmod(0o640)
    link.symlink_to(own)
    assert agentfly("playbook", "export", link).code == 0
    first = own.read_bytes()
    assert first.startswith(b"# Mine\n\nkeep \xff this\n\n" + agents.BEGIN.encode())
    own.write_bytes(first + b"\nand this")
    agentfly("playbook", "rollback", 0)
    assert agentfly("playbook", "export", own).code == 0
    text = own.read_bytes()
    assert text.startswith(b"# Mine\n\nkeep \xff this\n\n" + agents.BEGIN.encode())
    assert text.endswith(agents.END.encode() + b"\n\nand this")
    assert b"Round" not in text
    assert link.is_symlink()
    assert stat.S_IMODE(own.stat().st_mode) == 0o640
    assert not list(tmp_path.glob(".*tmp"))


def test_a_persons_file_is_never_overwritten(agentfly: Run, home: Path, tmp_path: Path) -> None:
    own = tmp_path / "AGENTS.md"
    for text, arguments in (
        (b"mine", ["--format", "json"]),
        (agents.BEGIN.encode() + b"\n", []),
        (b"\xff\xfea\x00", []),
    ):
        own.write_bytes(text)
        refused(agentfly("playbook", "export", own, *arguments), "AGENTS.md")
        assert own.read_bytes() == text


@pytest.mark.parametrize("path", ["no/such/folder/x.json", "home"])
def test_a_place_that_cannot_be_written(agentfly: Run, home: Path, tmp_path: Path, path: str) -> None:
    refused(agentfly("playbook", "export", tmp_path / path), path)


def test_import_adds_as_one_change_that_can_be_undone(agentfly: Run, home: Path, tmp_path: Path) -> None:
    before = book(home)
    path = tmp_path / "p.txt"
    path.write_text(
        "## FORMULAS\n[calc-00007] helpful=5 harmful=0 :: a / b\n[calc-00008] helpful=1 harmful=0 :: value :: x\n"
    )
    done = agentfly("playbook", "import", path)
    assert done.out == "2 bullets added; the playbook is at version 3 (5 bullets)\n"
    assert "by import" in agentfly("playbook", "history").out
    again = agentfly("playbook", "import", path)
    assert again.out.startswith("0 bullets added; the playbook is at version 3")
    assert again.err.count("nearly the same as for-") == 2
    agentfly("playbook", "rollback", 2)
    assert book(home) == before


def test_replace_makes_it_as_the_file_has_it(agentfly: Run, home: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.txt"
    path.write_text("## strategies\n[str-00001] helpful=4 harmful=1 :: Round once.\n\n## OTHERS\n[xx-1] New one.\n")
    done = agentfly("playbook", "import", path, "--replace")
    assert done.out == "1 bullet added, 2 removed, 1 changed; the playbook is at version 3 (2 bullets)\n"
    now = book(home)
    assert [(b.section, b.text) for b in now] == [("strategies", "Round once."), ("OTHERS", "New one.")]
    assert (now.bullets[0].id, now.bullets[0].helpful, now.bullets[0].harmful) == ("str-00001", 4, 1)
    agentfly("playbook", "rollback", 2)
    assert len(book(home)) == 3


def test_what_was_exported_replaces_itself_without_a_change(agentfly: Run, home: Path, tmp_path: Path) -> None:
    agentfly("playbook", "export", tmp_path / "p.json")
    done = json.loads(agentfly("playbook", "import", tmp_path / "p.json", "--replace", "--json").out)
    assert (done["version"], done["accepted"], done["changes"]) == (2, False, [])


@pytest.mark.parametrize("name", playbook_files.STARTERS)
def test_a_starter_in_a_new_home(agentfly: Run, name: str) -> None:
    done = agentfly("playbook", "import", "--starter", name)
    assert (done.code, done.err) == (0, "")
    assert "added; the playbook is at version 1" in done.out
    assert f"starter playbook {name}" in agentfly("playbook", "history").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--starter NAME"),
        (["x", "--starter", "finance"], "--starter NAME"),
        (["--starter", "cooking"], "known: coding"),
        (["no.json"], "no such file: no.json"),
        (["x", "--format", "yaml"], "json, ace, kayba, agents"),
    ],
)
def test_import_refuses_before_a_home_is_made(agentfly: Run, tmp_path: Path, arguments: list[str], said: str) -> None:
    refused(agentfly("playbook", "import", *arguments), said)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        (b"## A\n[a-1] helpful=1 harmful=0 :: x\n[a-2] helpf", "line 3"),
        (b"## A\n[aa-00001] helpful=1 harmful=0 :: x\n[aa-00001] helpful=1 harmful=0 :: y", "line 3: the id aa-00001 is used twice"),
        ("## A\n[aa-00001] helpful=1 harmful=0 :: x\u200b".encode(), "line 2: the invisible character U+200B"),
        (b"## A\n[aa-00001] helpful=1 harmful=0 :: x\n" * 130_000, "5000000"),
        (b'{"format": "agentfly-playbook", "format_version": 1, "bullets": [', "line 1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("how", [[], ["--replace"]])
def test_nonsense_is_refused_and_the_last_good_version_stays(
    agentfly: Run, home: Path, tmp_path: Path, data: bytes, said: str, how: list[str]
) -> None:
    before = book(home)
    (tmp_path / "bad").write_bytes(data)
    refused(agentfly("playbook", "import", tmp_path / "bad", *how), said)
    assert book(home) == before
    assert book(home).version == 2


def test_what_the_budget_retires_is_said(
    agentfly: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTFLY_PLAYBOOK__TOKENS", "60")
    path = tmp_path / "p.txt"
    path.write_text(
        "## many\n" + "".join(f"[ma-{n:05d}] helpful=0 harmful=0 :: rule {'word ' * n}{n}\n" for n in range(1, 12))
    )
    done = agentfly("playbook", "import", path)
    assert "retired to keep the budget of playbook.tokens" in done.err
    assert "rollback 2" in done.err
    assert book(home).tokens <= 60


# Apply


def apply(agentfly: Run, tmp_path: Path, data: object, *arguments: str) -> Any:
    path = tmp_path / "delta.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return agentfly("playbook", "apply", path, *arguments)


MIXED = {
    "reason": "by hand",
    "operations": [
        {"op": "zap"},
        {"op": "update", "id": "str-00001", "text": "Round once."},
        {"op": "remove", "id": "str-00099"},
    ],
}


def test_apply_does_what_can_be_done_and_says_what_not(agentfly: Run, home: Path, tmp_path: Path) -> None:
    done = apply(agentfly, tmp_path, MIXED)
    assert done.code == 0
    assert "version 3" in done.out
    assert "updated [str-00001]: Round once." in done.out
    assert "operation 0 (zap) refused" in done.err
    assert "operation 2 (remove) refused: there is no bullet 'str-00099'" in done.err
    assert "by human" in agentfly("playbook", "history", "-n", "1").out


def test_apply_for_programs(agentfly: Run, home: Path, tmp_path: Path) -> None:
    data = json.loads(apply(agentfly, tmp_path, MIXED, "--json").out)
    assert (data["version"], data["accepted"], len(data["changes"])) == (3, True, 1)
    assert [(item["index"], item["op"]) for item in data["refused"]] == [(0, "zap"), (2, "remove")]


def test_apply_strictly_is_all_or_nothing(agentfly: Run, home: Path, tmp_path: Path) -> None:
    refused(apply(agentfly, tmp_path, MIXED, "--strict"), "operation 0")
    refused(apply(agentfly, tmp_path, MIXED["operations"][1:], "--strict"), "str-00099")  # type: ignore[index]
    assert book(home).version == 2


def test_apply_of_nothing_that_can_be_done_fails(agentfly: Run, home: Path, tmp_path: Path) -> None:
    done = apply(agentfly, tmp_path, [{"op": "remove", "id": "str-00099"}])
    assert done.code == 1
    assert "nothing changed" in done.out
    assert apply(agentfly, tmp_path, []).code == 0


@pytest.mark.parametrize("text", ["", "{", "7", '{"operations": 7}', '"x"', "[" * 100_000, "{}"])
def test_what_is_no_delta_is_refused(agentfly: Run, home: Path, tmp_path: Path, text: str) -> None:
    refused(apply(agentfly, tmp_path, text), "")
    assert book(home).version == 2


# Edit


def test_an_edit_is_one_change_by_the_human(agentfly: Run, home: Path, tmp_path: Path, editor: Any) -> None:
    editor(
        "text = text.replace('Round at the end.', 'Round once.').replace('[che-00003 check] len(answer) < 10\\n', '')\n"
        "text = text.replace('## checks', '- A new one.\\n\\n## checks')"
    )
    done = agentfly("playbook", "edit")
    assert (done.code, done.err) == (0, "")
    now = book(home)
    assert now.version == 3
    assert [(b.id, b.text) for b in now] == [
        ("str-00001", "Round once. [red]x[/red]"),
        ("str-00002", "Look at\n    the rows."),
        ("str-00004", "A new one."),
    ]
    assert now.bullets[0].helpful == 1
    assert "by human" in agentfly("playbook", "history", "-n", "1").out
    assert kept(tmp_path) == []


def test_an_edit_for_programs(agentfly: Run, home: Path, editor: Any) -> None:
    editor("text = text.replace('Round at', 'Always round at')")
    data = json.loads(agentfly("playbook", "edit", "--json").out)
    assert (data["version"], data["accepted"], len(data["changes"])) == (3, True, 1)


@pytest.mark.parametrize("body", ["pass", "text = text.replace('## checks', '# a remark\\n\\n\\n## checks')"])
def test_nothing_changed_is_no_version(agentfly: Run, home: Path, tmp_path: Path, editor: Any, body: str) -> None:
    editor(body)
    assert agentfly("playbook", "edit").out == "nothing changed\n"
    assert book(home).version == 2
    assert kept(tmp_path) == []


def test_moved_lines_are_ignored(agentfly: Run, home: Path, editor: Any) -> None:
    editor(
        "line = '[che-00003 check] len(answer) < 10\\n'\ntext = text.replace(line, '').replace('## strategies\\n', '## strategies\\n' + line)"
    )
    done = agentfly("playbook", "edit")
    assert done.out == "nothing changed\n"
    assert "1 bullet under another heading" in done.err
    assert book(home).version == 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("text = ''", "rollback 0"),
        ("text = text[:-200]", "cut off"),
        ("text = text.replace('str-00002 example', 'str-00001')", "the id str-00001 is used twice"),
        ("text = text.replace('str-00001', 'str-00077')", "there is no bullet 'str-00077'"),
        ("text = text.replace('Round', 'Ro\\u200bund')", "the invisible character U+200B"),
        ("text = text.replace('Round', 'Ro\\udcffund')", "is not UTF-8"),
        ("text = text + 'x' * 5_000_000", "5000000"),
        ("text = text.replace('Round', 'x' * 3000)", "the text has 3"),
        ("text = 'nonsense'", "cut off"),
    ],
)
def test_nonsense_is_refused_and_the_text_is_kept(
    agentfly: Run, home: Path, tmp_path: Path, editor: Any, body: str, said: str
) -> None:
    before = book(home)
    editor(body)
    done = agentfly("playbook", "edit")
    refused(done, said)
    if "rollback" not in said and "5000000" not in said:
        assert "line " in done.err
    (path,) = kept(tmp_path)
    assert str(path) in done.err
    assert (book(home), book(home).version) == (before, 2)


def test_a_kept_text_is_gone_on_with(agentfly: Run, home: Path, tmp_path: Path, editor: Any) -> None:
    editor("text = text.replace('Round at the end.', 'Rou\\u200bnd once.')")
    agentfly("playbook", "edit")
    (path,) = kept(tmp_path)
    change = {"op": "add", "section": "strategies", "text": "Added meanwhile."}
    assert apply(agentfly, tmp_path, [change]).code == 0
    editor("text = text.replace('\\u200b', '')")
    assert agentfly("playbook", "edit", "--from", path).code == 0
    assert [b.text for b in book(home)][:3] == [
        "Round once. [red]x[/red]",
        "Look at\n    the rows.",
        "Added meanwhile.",
    ]


def test_an_editor_that_fails_changes_nothing(agentfly: Run, home: Path, tmp_path: Path, editor: Any) -> None:
    editor("pass", 3)
    refused(agentfly("playbook", "edit"), "the editor ended with status 3")
    assert kept(tmp_path) == []
    editor("text = text.replace('Round', 'Always round')", 1)
    done = agentfly("playbook", "edit")
    refused(done, "the editor ended with status 1")
    assert str(kept(tmp_path)[0]) in done.err
    assert book(home).version == 2


def test_an_editor_that_is_not_there_or_leaves_no_file(
    agentfly: Run, home: Path, tmp_path: Path, editor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor("path.unlink()")
    refused(agentfly("playbook", "edit"), "no such file")
    monkeypatch.setenv("EDITOR", "/no/such/editor")
    refused(agentfly("playbook", "edit"), "/no/such/editor cannot be started")
    monkeypatch.setenv("EDITOR", "")
    refused(agentfly("playbook", "edit"), "set $EDITOR")
    assert (kept(tmp_path), book(home).version) == ([], 2)


def test_what_others_change_meanwhile(agentfly: Run, home: Path, tmp_path: Path, editor: Any) -> None:
    other = f"import subprocess, json\nMAIN = {MAIN!r}\n" + (
        "def other(op): subprocess.run([sys.executable, '-c', MAIN, 'playbook', 'apply', '-'],"
        " input=json.dumps([op]), text=True, check=True, stdout=2)\n"
    )
    add = "other({'op': 'add', 'section': 'strategies', 'text': 'From another.'})\n"
    editor(f"{other}{add}text = text.replace('Round at', 'Always round at')")
    assert agentfly("playbook", "edit").code == 0
    assert {"From another.", "Always round at the end. [red]x[/red]"} <= {b.text for b in book(home)}
    update = "other({'op': 'update', 'id': 'str-00001', 'text': 'Theirs.'})\n"
    editor(f"{other}{update}text = text.replace('Always', 'Never')")
    done = agentfly("playbook", "edit")
    assert done.code == 2
    assert "str-00001: changed by somebody else" in done.err
    assert book(home).bullets[0].text == "Theirs."


def test_on_a_terminal_it_offers_to_edit_again(home: Path, tmp_path: Path, editor: Any) -> None:
    editor(
        "text = text.replace('\\u200b', '') if '\\u200b' in text else text.replace('Round at', 'Al\\u200bways round at')"
    )
    lead, follow = pty.openpty()
    command = [sys.executable, "-c", MAIN, "playbook", "edit", "--home", str(home)]
    process = subprocess.Popen(command, stdin=follow, stdout=follow, stderr=follow)
    os.close(follow)
    said, answered, end = b"", False, time.monotonic() + 20
    while process.poll() is None and time.monotonic() < end:
        if select.select([lead], [], [], 0.1)[0]:
            try:
                said += os.read(lead, 4096)
            except OSError:
                break
        if b"Edit again?" in said and not answered:
            os.write(lead, b"y\n")
            answered = True
    assert process.wait(5) == 0
    os.close(lead)
    assert b"U+200B" in said
    assert book(home).bullets[0].text.startswith("Always round at")
    assert kept(tmp_path) == []


@pytest.mark.parametrize("command", ["export", "edit", "apply -"])
def test_without_a_home_nothing_is_made(
    agentfly: Run, tmp_path: Path, editor: Any, command: str, monkeypatch: Any
) -> None:
    editor("pass")
    monkeypatch.setattr("sys.stdin", __import__("io").StringIO("[]"))
    refused(agentfly("playbook", *command.split()), "no home at")
    assert not (tmp_path / "home").exists()
